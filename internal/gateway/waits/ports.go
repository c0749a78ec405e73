package waits

import (
	"context"

	"github.com/feira-dev/feira/events"
)

// Feed tells the events of a session as they are stored.
type Feed interface {
	// Subscribe hears events until ctx ends, and is active when it returns. hear
	// does not block. Events may be missing, come twice or late; each one's
	// Previous is the session's event before it, 0 for its first.
	Subscribe(ctx context.Context, tenant events.TenantID, session events.SessionID, hear func(events.Record)) error
}

// Deltas tells the model's text in a session as it arrives.
type Deltas interface {
	// WatchDeltas hears text until ctx ends, and is active when it returns. hear
	// does not block.
	WatchDeltas(ctx context.Context, tenant events.TenantID, session events.SessionID, hear func(events.ModelDelta)) error
}

// Log is the log of sessions. Its methods are safe for concurrent use.
type Log interface {
	// Page lists at most so many of the session's events after the sequence, in
	// order; more tells that others may follow. A replica that lags behind may
	// answer. A page of one is cheap.
	Page(ctx context.Context, tenant events.TenantID, session events.SessionID, after uint64, limit int) (records []events.Record, more bool, err error)
	// Next is the session's event after the sequence, false for none, and final:
	// what it does not find of events that were told has been deleted.
	Next(ctx context.Context, tenant events.TenantID, session events.SessionID, after uint64) (events.Record, bool, error)
	// Last is the sequence of the session's last event, 0 for none, or of an
	// earlier one where a replica lags behind.
	Last(ctx context.Context, tenant events.TenantID, session events.SessionID) (uint64, error)
}
