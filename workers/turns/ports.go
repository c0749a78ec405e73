package turns

import (
	"context"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// Requests is where requests wait until they are served. Implementations are
// safe for concurrent use.
type Requests interface {
	// Read returns the request; false when it is certainly gone.
	Read(ctx context.Context, sequence uint64) (events.Message, bool, error)
}

// Removable is [Requests] that can be taken out.
type Removable interface {
	Requests
	// Remove takes the request out; one that is gone already is no error.
	Remove(ctx context.Context, sequence uint64) error
}

// Log is the log of sessions. Implementations are safe for concurrent use.
type Log interface {
	// Append stores the entry after its Last and returns its sequence, or an
	// error that wraps session.ErrConflict or session.ErrUncertain.
	Append(ctx context.Context, entry session.Entry) (uint64, error)
	// Read lists the session's events after the sequence, in order.
	Read(ctx context.Context, tenant events.TenantID, id session.ID, after uint64) ([]events.Record, error)
}

// Cemetery keeps dead letters; burying one again changes nothing.
type Cemetery interface {
	Bury(ctx context.Context, tenant events.TenantID, letter events.LetterDied) error
}

// Tenants knows the tenants as configured now. Implementations are safe for
// concurrent use and say false only of a tenant that is certainly not
// registered, for its requests are then refused.
type Tenants interface {
	Lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, bool, error)
}

// Orders tells of orders to running sessions, until ctx ends; the watch is
// active when it returns. One that was given while nobody listened is lost.
type Orders interface {
	WatchControl(ctx context.Context, heard func(events.TenantID, events.SessionID, events.Control)) error
}

// Commands gives orders to running sessions. Implementations are safe for
// concurrent use.
type Commands interface {
	Control(tenant events.TenantID, session events.SessionID, order events.Control) error
}
