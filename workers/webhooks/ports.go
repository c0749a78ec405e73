package webhooks

import (
	"context"
	"errors"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// ErrMoved occurs when a record is not at the revision that a write expects.
var ErrMoved = errors.New("the record has moved on")

// Log is the log of sessions. Implementations are safe for concurrent use.
type Log interface {
	// Append stores the entry after its Last and returns its sequence, or an
	// error that wraps session.ErrConflict or session.ErrUncertain.
	Append(ctx context.Context, entry session.Entry) (uint64, error)
	// Read lists the session's events after the sequence, in order.
	Read(ctx context.Context, tenant events.TenantID, id session.ID, after uint64) ([]events.Record, error)
	// Last is the sequence of the session's last event, 0 for none. It may lag.
	Last(ctx context.Context, tenant events.TenantID, id session.ID) (uint64, error)
}

// Requests takes in requests. Implementations are safe for concurrent use.
type Requests interface {
	Publish(ctx context.Context, message events.Message) (uint64, error)
}

// Asker asks a provider with a tenant's own credential, by tools that only read.
// Implementations are safe for concurrent use.
type Asker interface {
	// Ask returns the answer as JSON. An error that wraps [ErrNoAnswer] means that
	// there will be none; any other that it may be asked again.
	Ask(ctx context.Context, customer tenant.Tenant, question webhook.Question) (string, error)
}

// ErrNoAnswer occurs when a provider cannot be asked, or refuses to answer.
var ErrNoAnswer = errors.New("the provider does not say")

// Cemetery keeps dead letters; burying one again changes nothing.
type Cemetery interface {
	Bury(ctx context.Context, tenant events.TenantID, letter events.LetterDied) error
}

// Tenants knows the tenants. It says false only of one that is certainly not
// registered. Implementations are safe for concurrent use.
type Tenants interface {
	Lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, bool, error)
}

// Progress says how far the index has come, of this process or another's.
// Implementations are safe for concurrent use.
type Progress interface {
	// Learned is a moment before which the index has learned of all that the log
	// took in. It may lag.
	Learned(ctx context.Context) (time.Time, error)
}

// Records keeps what has to outlive the process. Implementations are safe for
// concurrent use.
type Records interface {
	// Load returns a record with its revision; revision 0 when there is none. It
	// must not be stale.
	Load(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Save writes if the record is still at the revision, or fails with
	// [ErrMoved].
	Save(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}
