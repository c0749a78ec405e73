package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/gateway/waits"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/usage"
)

// Errors that ports wrap.
var (
	// ErrUnknownKey occurs when a text is no key, or the key was revoked or has
	// expired.
	ErrUnknownKey = errors.New("unknown API key")
	// ErrBacklogFull occurs when a tenant has as many requests waiting as it may.
	ErrBacklogFull = errors.New("backlog full")
	// ErrExists occurs when what is to be made is there already.
	ErrExists = errors.New("exists already")
	// ErrUnfit occurs when a credential cannot be one of its server; the text says
	// what is wrong, and never what it is.
	ErrUnfit = errors.New("unfit credential")
	// ErrNotConnectable occurs when accounts of a server are not connected by a
	// person's word, or no application is registered for it.
	ErrNotConnectable = errors.New("not connectable")
	// ErrUnavailable occurs when what a port stands for cannot be reached now.
	ErrUnavailable = errors.New("unavailable")
)

// Keys knows the API keys. Implementations are safe for concurrent use.
type Keys interface {
	// Authenticate tells whose key a text is, or [ErrUnknownKey].
	Authenticate(ctx context.Context, text string) (access.Caller, error)
}

// Keyring keeps the API keys.
type Keyring interface {
	Create(ctx context.Context, key access.Key) error
	// List is those of a tenant, or all where it is empty, the oldest first.
	List(ctx context.Context, owner tenant.ID) ([]access.Key, error)
	// Find is the key of an id; false when there is none.
	Find(ctx context.Context, id access.ID) (access.Key, bool, error)
	// Revoke has a key refused from now on, and tells it as it then is.
	Revoke(ctx context.Context, id access.ID, at time.Time) (access.Key, bool, error)
}

// Registrar changes who the tenants are.
type Registrar interface {
	// List is every tenant, in the order of their ids.
	List(ctx context.Context) ([]tenant.Tenant, error)
	// Register stores a new tenant, or fails with [ErrExists], or with an error
	// that wraps [tenant.ErrInvalid].
	Register(ctx context.Context, customer tenant.Tenant) error
	// Amend changes a tenant; false when there is none. change may be called more
	// than once.
	Amend(ctx context.Context, id tenant.ID, change func(*tenant.Tenant) error) (tenant.Tenant, bool, error)
	// Delete takes a tenant from the registry, revokes its keys and destroys its
	// credentials, and tells how many those were; false when there is none.
	Delete(ctx context.Context, id tenant.ID) (credentials int, found bool, err error)
}

// Tenants knows the tenants. Implementations are safe for concurrent use.
type Tenants interface {
	Lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, bool, error)
	// Tagged are the tenants with a tag, by [events.TenantTag], in any order.
	Tagged(ctx context.Context, tag string) ([]tenant.ID, error)
}

// Log is the log of sessions, as workers have it.
type Log interface {
	// Append stores the entry after its Last, or fails with an error that wraps
	// session.ErrConflict or session.ErrUncertain.
	Append(ctx context.Context, entry session.Entry) (uint64, error)
	// Read lists the session's events after the sequence, in order.
	Read(ctx context.Context, tenant events.TenantID, id session.ID, after uint64) ([]events.Record, error)
}

// Requests takes in requests.
type Requests interface {
	// Publish stores a request, or fails with an error that wraps
	// [ErrBacklogFull] or [ErrUnavailable]. The tenant's own limit is looked at
	// first; 0 leaves it to the broker's.
	Publish(ctx context.Context, message events.Message, limit int) (sequence uint64, err error)
}

// Pending is a request that the broker has taken.
type Pending struct {
	Tenant  events.TenantID
	Session events.SessionID
	Request events.RequestID
	// Sequence is where it lies; 0 where it may be one that was published earlier.
	Sequence uint64
}

// from is where the request's facts begin: behind what was there before it was
// published, unless it may be one that was published earlier.
func (p Pending) from(before view, key string) waits.From {
	if key != "" {
		return waits.Beginning()
	}
	return waits.Behind(before.sequence)
}

// Directory knows what servers there are, and which of them a tenant has
// connected.
type Directory interface {
	// Servers are all servers that there are, in a stable order.
	Servers() []Server
	// Server is one of them, or what little is known of one that is attached to
	// the tenant alone; false when nothing is.
	Server(ctx context.Context, customer tenant.Tenant, id string) (Server, bool)
	// Connections are what credentials a tenant has.
	Connections(ctx context.Context, id tenant.ID) ([]Connection, error)
}

// Sealing is a credential on its way into the safe.
type Sealing struct {
	Server string
	// Text is the credential: one line, or a JSON object of fields.
	Text string
	// DisplayName is what its owner calls it; empty: what it was called before.
	DisplayName string
}

// Safe keeps the tenants' credentials.
type Safe interface {
	// Seal stores a tenant's credential for a server, as a person gives it, in
	// place of the one before, or fails with an error that wraps [ErrUnfit].
	Seal(ctx context.Context, customer tenant.Tenant, what Sealing) error
	// Drop deletes it; dropping what is not there succeeds.
	Drop(ctx context.Context, customer tenant.Tenant, server string) error
}

// Books is the read side of the ledger.
type Books interface {
	ToolCalls(ctx context.Context, filter usage.ToolCallFilter) (usage.ToolCallPage, error)
	// CallSums counts calls by names that [usage.CanGroupBy] knows.
	CallSums(ctx context.Context, filter usage.ToolCallFilter, by []string) ([]usage.CallSum, error)
}
