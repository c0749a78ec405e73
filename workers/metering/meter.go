package metering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// DefaultSessions is how many sessions and requests a [Meter] remembers.
const DefaultSessions = 20_000

// MeterConfig is what a [Meter] needs.
type MeterConfig struct {
	// Publisher stores usage events and dead letters. Required.
	Publisher Publisher
	// Log reads what the meter does not remember. Required.
	Log SessionLog
	// Sessions is how many sessions, and how many requests, are remembered.
	// Defaults to [DefaultSessions].
	Sessions int
	// Logger hears of messages that cannot be metered. Defaults to a silent one.
	Logger *slog.Logger
}

func (c MeterConfig) withDefaults() MeterConfig {
	if c.Sessions == 0 {
		c.Sessions = DefaultSessions
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c MeterConfig) Validate() error {
	var faults []error
	if c.Publisher == nil {
		faults = append(faults, errors.New("meter: publisher is missing"))
	}
	if c.Log == nil {
		faults = append(faults, errors.New("meter: log is missing"))
	}
	if c.Sessions < 0 {
		faults = append(faults, fmt.Errorf("meter: sessions is %d, want 1 or more", c.Sessions))
	}
	return errors.Join(faults...)
}

// Meter turns facts of SESSIONS into usage events.
type Meter struct {
	publisher Publisher
	logger    *slog.Logger

	mu    sync.Mutex // over facts: batches may be handled side by side
	facts *facts
}

// NewMeter returns a meter.
func NewMeter(config MeterConfig) (*Meter, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	facts, err := newFacts(config.Log, config.Sessions)
	if err != nil {
		return nil, fmt.Errorf("meter: %w", err)
	}
	return &Meter{publisher: config.Publisher, logger: config.Logger, facts: facts}, nil
}

// Handle meters a batch of SESSIONS. It returns nil when everything that
// follows from the batch is stored, and only then may the batch be
// acknowledged; after an error the whole batch is to be handed in again.
func (m *Meter) Handle(ctx context.Context, batch []events.Message) error {
	out, err := m.meter(ctx, batch)
	if err != nil {
		return fmt.Errorf("metering: %w", err)
	}
	if len(out) == 0 {
		return nil
	}
	if err := m.publisher.Publish(ctx, out); err != nil {
		return fmt.Errorf("metering: publishing usage: %w", err)
	}
	return nil
}

func (m *Meter) meter(ctx context.Context, batch []events.Message) ([]events.Message, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]events.Message, 0, len(batch))
	for _, message := range batch {
		made, err := m.one(ctx, message)
		if unfit := (*unfitError)(nil); errors.As(err, &unfit) {
			m.logger.WarnContext(ctx, "session event cannot be metered", slog.String("reason", unfit.reason),
				slog.String("subject", message.Subject), slog.Uint64("sequence", message.Sequence))
			var died events.Message
			died, err = letter(message, unfit)
			made = &died
		}
		if err != nil {
			return nil, err
		}
		if made != nil {
			out = append(out, *made)
		}
	}
	return out, nil
}

// one is the usage event of a message; nil when it makes none. An error is
// either an [*unfitError], for a message that no other try would help, or the
// log's.
func (m *Meter) one(ctx context.Context, message events.Message) (*events.Message, error) {
	record, err := read(message)
	if err != nil {
		return nil, err
	}
	m.facts.observe(record)
	if !metered(record.Event) {
		return nil, nil //nolint:nilnil // most events make no usage
	}
	session, known, err := m.facts.of(ctx, record)
	if err != nil {
		return nil, err
	}
	if !known {
		// The event goes out without an environment; the ledger puts it into
		// quarantine, where it is seen, rather than guess who pays.
		m.logger.WarnContext(ctx, "opening of the session is no longer kept", slog.String("tenant", string(record.Tenant)),
			slog.String("session", string(record.Session)), slog.Uint64("sequence", record.Sequence))
	}
	env, event, ok := usage.FromRecord(record, session)
	if !ok {
		return nil, nil //nolint:nilnil // as above
	}
	made, err := events.Encode(events.UsageSubject(record.Tenant, event.Meter), env, event)
	if err != nil {
		return nil, &unfitError{reason: reasonInvalid, cause: err}
	}
	made.Header.Set(events.HeaderMsgID, usage.MessageID(env))
	return &made, nil
}

// read decodes a message of SESSIONS. Tenant and session are those of the
// subject, which the broker authorised. Every error is an [*unfitError].
func read(message events.Message) (events.Record, error) {
	tenant, session, err := events.SubjectSession(message.Subject)
	if err != nil {
		return events.Record{}, &unfitError{reason: reasonMalformed, cause: err}
	}
	record, err := events.Decode(message)
	if errors.Is(err, events.ErrUnknownType) {
		return events.Record{}, &unfitError{reason: reasonUnknownType, cause: err}
	}
	if err != nil {
		return events.Record{}, &unfitError{reason: reasonMalformed, cause: err}
	}
	if record.Tenant != tenant || record.Session != session {
		err := fmt.Errorf("headers say tenant %q and session %q, the subject is %q", record.Tenant, record.Session, message.Subject)
		return events.Record{}, &unfitError{reason: reasonMismatch, cause: err}
	}
	if err := record.Event.Validate(); err != nil {
		return events.Record{}, &unfitError{reason: reasonInvalid, cause: err}
	}
	return record, nil
}

// metered reports whether an event makes usage, so that the log of a session
// that did nothing yet is not read.
func metered(event events.Event) bool {
	switch event.(type) {
	case *events.ToolReturned, *events.ModelReplied:
		return true
	default:
		return false
	}
}
