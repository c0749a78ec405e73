package metering

import (
	"context"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// Publisher stores messages on the subjects that they name.
type Publisher interface {
	// Publish returns nil when the broker has stored every message. After an
	// error some may have been stored; publishing them again is harmless.
	Publish(ctx context.Context, messages []events.Message) error
}

// SessionLog reads the log of a session. Implementations are safe for
// concurrent use.
type SessionLog interface {
	// Read returns the session's events after a sequence that are still kept,
	// oldest first; none when there is no such session. What cannot be read
	// comes as a record without its event. The latest events may be missing.
	Read(ctx context.Context, tenant events.TenantID, session events.SessionID, after uint64) ([]events.Record, error)
}

// Ledger books usage.
type Ledger interface {
	// Stage prepares a batch and returns what books it in one transaction. After
	// its nil the batch is on disk; booking it again changes nothing.
	Stage(batch usage.Batch) (book func(ctx context.Context) (usage.Outcome, error), err error)
}
