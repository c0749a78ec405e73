package upkeep

import (
	"context"
	"errors"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/webhook"
)

// Connection is a tenant's account at a provider that tells Feira of things.
type Connection struct {
	ID          string
	Tenant      events.TenantID
	Server      string
	Environment events.Environment
	// Since is when its address was made: what happened before is no news.
	Since time.Time
}

// Queue is how a provider stands to an address of ours.
type Queue struct {
	ID string
	// Interrupted is set once the provider tells nothing any more.
	Interrupted bool
	// Refused is how often in a row what it told was not taken.
	Refused int
	// Events are the kinds that it tells of; none means all.
	Events []string
}

// well reports whether nothing speaks against what is told by the queue.
func (q Queue) well() bool { return !q.Interrupted && q.Refused == 0 }

// Connections lists what is to be looked after.
type Connections interface {
	// Watched tells each connection that has an address and a provider that can be
	// asked about it, in any order, and ends with the first error of each.
	Watched(ctx context.Context, each func(Connection) error) error
}

// Inspector asks a provider with the tenant's credential. Its errors hold no
// secret.
type Inspector interface {
	// Queue is how the provider stands to our address; [ErrNoQueue] where it does
	// not know the address.
	Queue(ctx context.Context, connection Connection) (Queue, error)
	// Resume has it go on.
	Resume(ctx context.Context, connection Connection, queue Queue) error
	// Findings are what has happened to the account's objects, the newest first, as
	// far back as is asked for at one time.
	Findings(ctx context.Context, connection Connection) ([]webhook.Finding, error)
}

// ErrNoQueue occurs when a provider tells nothing to our address.
var ErrNoQueue = errors.New("the provider knows no address of ours")

// SelfcheckObserver hears how the self-check goes.
type SelfcheckObserver interface {
	// Stands tells of a whole look how many queues are interrupted and how many are
	// about to be.
	Stands(interrupted, failing int)
	// Found counts what was fed in, by this process for the first time.
	Found(n int)
}
