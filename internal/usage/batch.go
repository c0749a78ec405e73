package usage

import (
	"time"

	"github.com/feira-dev/feira/events"
)

// Batch is what a ledger records in one transaction: all of it or nothing.
type Batch struct {
	Rows []Row
	// Untimely are rows that are booked only as what they were booked as before.
	Untimely []Untimely
	// Corrections change what rows count.
	Corrections []Correction
	// Rejected are messages that cannot be booked. They are kept beside the
	// rows, with the reason, until a person has looked.
	Rejected []Rejected
}

// Join is this batch with what follows it.
func (b Batch) Join(next Batch) Batch {
	b.Rows = append(b.Rows, next.Rows...)
	b.Untimely = append(b.Untimely, next.Untimely...)
	b.Corrections = append(b.Corrections, next.Corrections...)
	b.Rejected = append(b.Rejected, next.Rejected...)
	return b
}

// Len is how many messages the batch is of.
func (b Batch) Len() int {
	return len(b.Rows) + len(b.Untimely) + len(b.Corrections) + len(b.Rejected)
}

// Rejected is a message that cannot be booked.
type Rejected struct {
	// Tenant is that of the subject; empty when the subject names none.
	Tenant  events.TenantID
	Message events.Message
	Reason  Reason
	// Detail is a sentence that names the field at fault.
	Detail string
}

// Reason is why a message cannot be booked.
type Reason string

// Reasons of rejection.
const (
	// ReasonMalformed: the message is not what its headers say.
	ReasonMalformed Reason = "malformed"
	// ReasonUnknownType: it is no usage event of a version known here.
	ReasonUnknownType Reason = "unknown_type"
	// ReasonUnknownTenant: the subject names no tenant.
	ReasonUnknownTenant Reason = "unknown_tenant"
	// ReasonMismatch: envelope or body contradict the subject that the broker
	// authorised, or each other.
	ReasonMismatch Reason = "mismatch"
	// ReasonInvalid: a field breaks a rule.
	ReasonInvalid Reason = "invalid"
	// ReasonQuantity: a quantity is no exact, non-negative amount in bounds.
	ReasonQuantity Reason = "invalid_quantity"
	// ReasonEnvironment: neither live nor test, so nobody knows how to bill it.
	ReasonEnvironment Reason = "unknown_environment"
	// ReasonTooLate: it occurred more than [LateHorizon] before it came.
	ReasonTooLate Reason = "too_late"
	// ReasonFuture: it is to occur more than [FutureHorizon] after it came.
	ReasonFuture Reason = "in_the_future"
	// ReasonCorrectsCorrection: what it corrects is itself a correction.
	ReasonCorrectsCorrection Reason = "corrects_a_correction"
	// ReasonConflict: another correction has its id and says something else.
	ReasonConflict Reason = "conflicting_correction"
)

// Outcome counts what became of a batch: each message is in exactly one field.
type Outcome struct {
	Inserted int
	// Duplicates had been recorded before, as row, conflict or quarantined.
	Duplicates int
	// Conflicts have the id of a row and say something else; the row stands.
	Conflicts   int
	Quarantined int
}

// Total is the number of messages counted.
func (o Outcome) Total() int { return o.Inserted + o.Duplicates + o.Conflicts + o.Quarantined }

// Add is the sum of two outcomes.
func (o Outcome) Add(other Outcome) Outcome {
	return Outcome{
		Inserted:    o.Inserted + other.Inserted,
		Duplicates:  o.Duplicates + other.Duplicates,
		Conflicts:   o.Conflicts + other.Conflicts,
		Quarantined: o.Quarantined + other.Quarantined,
	}
}

// Conflict is a message that had the id of a row and said something else.
type Conflict struct {
	ID
	// Kept is the hash of the row that stands, Refused that of the other.
	Kept, Refused Hash
	// Row is what was refused.
	Row Row
	// RecordedAt is when the ledger first saw the contradiction.
	RecordedAt time.Time
}

// Quarantined is a rejected message as the ledger keeps it.
type Quarantined struct {
	Rejected
	RecordedAt time.Time
}

// Verification is what came of holding a ledger's rows against its sums.
type Verification struct {
	// Rows and Rollups are how many were looked at.
	Rows, Rollups int
	// Differences are the faults found, at most [MaxDifferences] of them.
	Differences []Difference
}

// MaxDifferences bounds the faults that one verification reports.
const MaxDifferences = 100

// OK reports whether nothing was found.
func (v Verification) OK() bool { return len(v.Differences) == 0 }

// Difference is one place where a ledger contradicts itself.
type Difference struct {
	Tenant events.TenantID
	// Day and Key are the sum at fault; empty when a row is.
	Day string
	Key Key
	// Event is the row at fault, whose hash is not that of its fields.
	Event string
	// Rows is the sum over rows, Rollup the sum as kept.
	Rows, Rollup Amount
}
