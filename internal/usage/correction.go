package usage

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// Correction is what was said later about a row. Like a row it has an [ID] of
// its own, comes any number of times, and never changes.
type Correction struct {
	ID
	Kind events.Correction
	// Corrects is the row's id, of the same tenant.
	Corrects ID
	// Quantities replace the row's; empty for a void.
	Quantities []Quantity
	Reason     string
	// OccurredAt decides among adjustments of one row.
	OccurredAt time.Time
	// Message is what it came in, for quarantine.
	Message events.Message
}

// Hash digests all that the correction says.
func (c Correction) Hash() Hash {
	said := make(fields, 0, hashRoom)
	said = said.text(string(c.Tenant)).text(c.Source).text(c.Event).text(string(c.Kind)).
		text(string(c.Corrects.Tenant)).text(c.Corrects.Source).text(c.Corrects.Event).text(c.Reason).
		number(c.OccurredAt.UnixNano()).quantities(c.Quantities)
	return sha256.Sum256(said)
}

// compare orders adjustments of one row: the greatest one counts.
func (c Correction) compare(other Correction) int {
	return cmp.Or(c.OccurredAt.Compare(other.OccurredAt), cmp.Compare(c.Source, other.Source), cmp.Compare(c.Event, other.Event))
}

// Net is what a row counts after its corrections, which may come in any order:
// nothing when any of them is a void, else what the latest adjustment says, else
// its own quantities.
func Net(row Row, corrections []Correction) []Quantity {
	var latest *Correction
	for i, correction := range corrections {
		if correction.Kind == events.CorrectionVoid {
			return nil
		}
		if latest == nil || correction.compare(*latest) > 0 {
			latest = &corrections[i]
		}
	}
	if latest != nil {
		return latest.Quantities
	}
	return row.Quantities
}

// readCorrection is a correction of a message that has been decoded.
func readCorrection(tenant events.TenantID, message events.Message, record events.Record, event *events.UsageCorrected) (Correction, error) {
	if err := event.Validate(); err != nil {
		return Correction{}, reject(ReasonInvalid, err)
	}
	if message.Subject != events.UsageSubject(tenant, event.Meter) {
		return Correction{}, reject(ReasonMismatch, fmt.Errorf("meter is %q, the subject is %q", event.Meter, message.Subject))
	}
	if err := checkEnvelope(tenant, message, record.Envelope); err != nil {
		return Correction{}, reject(ReasonMismatch, err)
	}
	if other, ok := sourceTenant(event.CorrectsSource); ok && other != string(tenant) {
		return Correction{}, reject(ReasonMismatch, fmt.Errorf("corrects_source is of tenant %q, the subject's tenant is %q", other, tenant))
	}
	quantities, err := readQuantities(event.Quantities)
	if err != nil {
		return Correction{}, reject(ReasonQuantity, err)
	}
	for _, field := range []struct {
		name, text string
		limit      int
	}{
		{"id", record.ID, MaxID},
		{"source", record.Source, MaxID},
		{"corrects_source", event.CorrectsSource, MaxID},
		{"corrects_id", event.CorrectsID, MaxID},
		{"reason", event.Reason, MaxText},
	} {
		if err := checkText(field.name, field.text, field.limit); err != nil {
			return Correction{}, reject(ReasonInvalid, err)
		}
	}
	if err := checkYear(record.Time); err != nil {
		return Correction{}, reject(ReasonInvalid, err)
	}
	if record.Source == "" {
		return Correction{}, reject(ReasonInvalid, fmt.Errorf("header %s is missing", events.HeaderSource))
	}
	return Correction{
		ID:       ID{Tenant: tenant, Source: record.Source, Event: record.ID},
		Corrects: ID{Tenant: tenant, Source: event.CorrectsSource, Event: event.CorrectsID},
		Kind:     event.Kind, Quantities: quantities, Reason: event.Reason,
		OccurredAt: record.Time.UTC(), Message: message,
	}, nil
}
