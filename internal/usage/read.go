package usage

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/feira-dev/feira/events"
)

// Bounds of a row's texts, in bytes.
const (
	MaxID       = 512
	MaxText     = 256
	MaxMetadata = 16 << 10
	// MaxQuantities is how many units one event may count.
	MaxQuantities = 16
)

const maxDetail = 512

// RejectionError is why a message cannot be booked.
type RejectionError struct {
	Reason Reason
	Cause  error
}

// Error implements error.
func (e *RejectionError) Error() string { return string(e.Reason) + ": " + e.Cause.Error() }

// Unwrap gives the cause.
func (e *RejectionError) Unwrap() error { return e.Cause }

func reject(reason Reason, cause error) error { return &RejectionError{Reason: reason, Cause: cause} }

// ReadBatch reads messages of USAGE into rows, corrections and rejections, each
// in the order of the messages. No message is left out.
func ReadBatch(messages []events.Message) Batch {
	batch := Batch{Rows: make([]Row, 0, len(messages))}
	for _, message := range messages {
		if err := batch.read(message); err != nil {
			batch.Rejected = append(batch.Rejected, rejected(message, err))
		}
	}
	return batch
}

func (b *Batch) read(message events.Message) error {
	tenant, record, err := decode(message)
	if err != nil {
		return err
	}
	switch event := record.Event.(type) {
	case *events.UsageRecorded:
		row, err := readRow(tenant, message, record, event)
		if err != nil {
			return err
		}
		if reason, untimely := row.untimely(); untimely {
			b.Untimely = append(b.Untimely, Untimely{Row: row, Message: message, Reason: reason})
			return nil
		}
		b.Rows = append(b.Rows, row)
	case *events.UsageCorrected:
		correction, err := readCorrection(tenant, message, record, event)
		if err != nil {
			return err
		}
		b.Corrections = append(b.Corrections, correction)
	default:
		return reject(ReasonUnknownType, fmt.Errorf("%s is no usage event", record.Type))
	}
	return nil
}

func rejected(message events.Message, err error) Rejected {
	rejected := Rejected{Message: message, Reason: ReasonMalformed, Detail: printable(err.Error())}
	if said := (*RejectionError)(nil); errors.As(err, &said) {
		rejected.Reason, rejected.Detail = said.Reason, printable(said.Cause.Error())
	}
	if tenant, err := events.SubjectTenant(message.Subject); err == nil {
		rejected.Tenant = tenant
	}
	return rejected
}

// decode reads a message's envelope. The tenant is that of the subject, which
// the broker authorised.
func decode(message events.Message) (events.TenantID, events.Record, error) {
	tenant, err := events.SubjectTenant(message.Subject)
	if err != nil {
		return "", events.Record{}, reject(ReasonUnknownTenant, err)
	}
	record, err := events.Decode(message)
	if errors.Is(err, events.ErrUnknownType) {
		return "", events.Record{}, reject(ReasonUnknownType, err)
	}
	if err != nil {
		return "", events.Record{}, reject(ReasonMalformed, err)
	}
	return tenant, record, nil
}

// ReadRow reads one usage event of USAGE. An envelope or body that names
// another tenant than the subject does is refused. Every error is a
// [*RejectionError].
func ReadRow(message events.Message) (Row, error) {
	tenant, record, err := decode(message)
	if err != nil {
		return Row{}, err
	}
	event, ok := record.Event.(*events.UsageRecorded)
	if !ok {
		return Row{}, reject(ReasonUnknownType, fmt.Errorf("%s is no usage event", record.Type))
	}
	return readRow(tenant, message, record, event)
}

func readRow(tenant events.TenantID, message events.Message, record events.Record, event *events.UsageRecorded) (Row, error) {
	if err := event.Validate(); err != nil {
		return Row{}, reject(ReasonInvalid, err)
	}
	if err := checkTenant(tenant, message, record.Envelope, event); err != nil {
		return Row{}, reject(ReasonMismatch, err)
	}
	quantities, err := readQuantities(event.Quantities)
	if err != nil {
		return Row{}, reject(ReasonQuantity, err)
	}
	if event.Environment != events.EnvironmentLive && event.Environment != events.EnvironmentTest {
		return Row{}, reject(ReasonEnvironment, fmt.Errorf("environment is %q, want live or test", event.Environment))
	}
	row := Row{
		ID:    ID{Tenant: tenant, Source: record.Source, Event: record.ID},
		Meter: event.Meter, Session: event.Session, Request: event.Request,
		Server: event.Server, Tool: event.Tool, Model: event.Model,
		Outcome: event.Outcome, Billable: event.Billable, Environment: event.Environment,
		Quantities: quantities, Attempts: event.Attempts,
		Duration: time.Duration(event.DurationMS) * time.Millisecond, Metadata: event.Metadata,
		OccurredAt: record.Time.UTC(), ReceivedAt: message.Time.UTC(), Sequence: message.Sequence,
	}
	if err := row.check(event.DurationMS); err != nil {
		return Row{}, reject(ReasonInvalid, err)
	}
	return row, nil
}

func checkTenant(tenant events.TenantID, message events.Message, env events.Envelope, event *events.UsageRecorded) error {
	if err := checkEnvelope(tenant, message, env); err != nil {
		return err
	}
	if message.Subject != events.UsageSubject(tenant, event.Meter) {
		return fmt.Errorf("meter is %q, the subject is %q", event.Meter, message.Subject)
	}
	if env.Session != "" && env.Session != event.Session {
		return fmt.Errorf("header %s is %q, session is %q", events.HeaderSessionID, env.Session, event.Session)
	}
	return nil
}

// checkEnvelope refuses headers that name another tenant than the subject does.
func checkEnvelope(tenant events.TenantID, message events.Message, env events.Envelope) error {
	if env.Tenant != "" && env.Tenant != tenant {
		return fmt.Errorf("header %s is %q, the subject's tenant is %q", events.HeaderTenant, env.Tenant, tenant)
	}
	if subject := message.Header.Value(events.HeaderSubject); subject != "" && subject != string(tenant) {
		return fmt.Errorf("header %s is %q, the subject's tenant is %q", events.HeaderSubject, subject, tenant)
	}
	if other, ok := sourceTenant(env.Source); ok && other != string(tenant) {
		return fmt.Errorf("header %s is of tenant %q, the subject's tenant is %q", events.HeaderSource, other, tenant)
	}
	return nil
}

// sourceTenant is the tenant in a source of the form of [events.SessionSource].
func sourceTenant(source string) (string, bool) {
	prefix, _, _ := strings.Cut(events.SessionSource("", ""), "//")
	rest, ok := strings.CutPrefix(source, prefix+"/")
	if !ok {
		return "", false
	}
	tenant, _, _ := strings.Cut(rest, "/")
	return tenant, true
}

func readQuantities(quantities []events.Quantity) ([]Quantity, error) {
	if len(quantities) > MaxQuantities {
		return nil, fmt.Errorf("quantities has %d entries, at most %d are allowed", len(quantities), MaxQuantities)
	}
	read := make([]Quantity, 0, len(quantities))
	for i, quantity := range quantities {
		if err := checkText("unit", quantity.Unit, MaxText); err != nil {
			return nil, fmt.Errorf("quantities[%d]: %w", i, err)
		}
		for _, earlier := range read {
			if earlier.Unit == quantity.Unit {
				return nil, fmt.Errorf("quantities[%d]: unit %q is listed twice", i, quantity.Unit)
			}
		}
		amount, err := ParseAmount(quantity.Amount)
		if err != nil {
			return nil, fmt.Errorf("quantities[%d]: %w", i, err)
		}
		read = append(read, Quantity{Unit: quantity.Unit, Amount: amount})
	}
	return read, nil
}

// check holds a row to what every database takes: bounded UTF-8 without NUL,
// times that fit 64 bits of nanoseconds.
func (r Row) check(durationMS int64) error {
	if r.Source == "" {
		return fmt.Errorf("header %s is missing", events.HeaderSource)
	}
	faults := []error{
		checkText("id", r.Event, MaxID), checkText("source", r.Source, MaxID),
		checkText("session", string(r.Session), MaxText), checkText("request", string(r.Request), MaxText),
		checkText("server", r.Server, MaxText), checkText("tool", r.Tool, MaxText),
		checkText("model", r.Model, MaxText), checkText("outcome", r.Outcome, MaxText),
	}
	faults = append(faults, checkYear(r.OccurredAt))
	if r.Attempts < 0 || r.Attempts > 1<<30 {
		faults = append(faults, fmt.Errorf("attempts is %d", r.Attempts))
	}
	if limit := int64(10 * 365 * 24 * time.Hour / time.Millisecond); durationMS < 0 || durationMS > limit {
		faults = append(faults, fmt.Errorf("duration_ms is %d", durationMS))
	}
	size := 0
	for key, value := range r.Metadata {
		size += len(key) + len(value)
	}
	if size > MaxMetadata {
		faults = append(faults, fmt.Errorf("metadata has %d bytes, at most %d are allowed", size, MaxMetadata))
	}
	return errors.Join(faults...)
}

func checkYear(moment time.Time) error {
	if year := moment.Year(); year < 2000 || year > 2200 {
		return fmt.Errorf("header %s is in the year %d", events.HeaderTime, year)
	}
	return nil
}

func checkText(field, text string, limit int) error {
	if len(text) > limit {
		return fmt.Errorf("%s has %d bytes, at most %d are allowed", field, len(text), limit)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fmt.Errorf("%s is no text", field)
	}
	return nil
}

// printable makes a detail of hostile input fit for a log, a page and a table.
func printable(text string) string {
	return clip(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' {
			return ' '
		}
		return r
	}, text), maxDetail)
}

// clip cuts a text to a number of bytes at a character's edge, without what no
// database takes.
func clip(text string, limit int) string {
	if len(text) <= limit && utf8.ValidString(text) && !strings.ContainsRune(text, 0) {
		return text
	}
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "")
	if len(text) <= limit {
		return text
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}
