package triggers

import (
	"context"
	"errors"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

// Book is every trigger in memory. Implementations are safe for concurrent use.
type Book interface {
	// Of are a tenant's triggers.
	Of(tenant events.TenantID) []trigger.Trigger
	// Lookup returns a trigger; false when it is not known.
	Lookup(key trigger.Key) (trigger.Trigger, bool)
	// OnChange tells, until cancel is called, which triggers came, changed or
	// went: first of each that is known. The listener must be quick.
	OnChange(listener func(trigger.Key)) (cancel func())
}

// Publisher stores messages on the subjects that they name.
type Publisher interface {
	// Publish returns nil when the broker has stored every message. After an error
	// some may have been stored; publishing them again is harmless.
	Publish(ctx context.Context, messages []events.Message) error
}

// Pending is the stream of deliveries that wait.
type Pending interface {
	// Watch hands over what is waiting, in stream order and without bodies, then
	// what arrives, until ctx ends, which is no error.
	Watch(ctx context.Context, deliver func(batch []events.Headline, caughtUp bool) error) error
	// Read returns a delivery; false when it is certainly gone.
	Read(ctx context.Context, sequence uint64) (events.Message, bool, error)
	// Remove takes a delivery out; one that is gone already is no error.
	Remove(ctx context.Context, sequence uint64) error
}

// Attempts is what was noted of attempts, by whichever courier.
type Attempts interface {
	// Attempts are the last ones of a trigger, the newest first, limit at most.
	Attempts(ctx context.Context, tenant events.TenantID, trigger events.TriggerID, limit int) ([]events.Record, error)
}

// Cemetery keeps what was given up. Burying the same letter again is harmless.
type Cemetery interface {
	Bury(ctx context.Context, tenant events.TenantID, letter events.LetterDied) error
}

// Registry is the truth about triggers, which a [Book] may lag behind.
type Registry interface {
	// Known reports whether there is such a trigger.
	Known(ctx context.Context, key trigger.Key) (bool, error)
	// Stop has a trigger tell no more, and remembers why.
	Stop(ctx context.Context, key trigger.Key, reason string) error
}

// Safe keeps the secrets of triggers.
type Safe interface {
	// Secrets are a trigger's. Implementations may remember those of a rotation for
	// a while.
	Secrets(ctx context.Context, of trigger.Trigger) (trigger.Secrets, error)
}

// Lease makes one of several processes the one that delivers.
type Lease interface {
	// Acquire returns once the holder has it, or ctx ends.
	Acquire(ctx context.Context, holder string) (Tenure, error)
}

// Facts is the log of all sessions. Implementations are safe for concurrent use.
type Facts interface {
	// Headlines hands over what stands behind a sequence, in stream order and
	// without bodies, then what arrives, until ctx ends, which is no error.
	Headlines(ctx context.Context, after uint64, deliver func(batch []events.Headline, caughtUp bool) error) error
	// Fact returns what stands at a sequence; false when it is certainly gone.
	Fact(ctx context.Context, sequence uint64) (events.Message, bool, error)
}

// Cursor is how far the log was read. Every write of it takes it from whoever
// wrote it before.
type Cursor interface {
	// Load returns the sequence, 0 where nobody has read, and the revision to save
	// upon.
	Load(ctx context.Context) (sequence, revision uint64, err error)
	// Save is [ErrDeposed] when somebody has saved since the revision, and changes
	// nothing then. It returns the new revision.
	Save(ctx context.Context, sequence, revision uint64) (uint64, error)
}

// ErrDeposed occurs when another process goes on with what this one was doing.
var ErrDeposed = errors.New("another process reads the log")

// Tenure is a lease that is held.
type Tenure interface {
	// Valid reports whether it is held by the clock: after a pause of the whole
	// process it says no at once, where Lost may need a moment.
	Valid() bool
	// Lost is closed when it is over, at the latest when another may have it.
	Lost() <-chan struct{}
	// Release ends it so that a standby takes over at once.
	Release(ctx context.Context) error
}
