package scheduling

import (
	"context"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// Lease is the leadership among schedulers.
type Lease interface {
	// Acquire returns once the holder leads, or ctx ends.
	Acquire(ctx context.Context, holder string) (Tenure, error)
}

// Tenure is a leadership that is held.
type Tenure interface {
	// Valid reports whether it is held by the clock: after a pause of the whole
	// process it says no at once, where Lost may need a moment.
	Valid() bool
	// Lost is closed when the leadership is over, at the latest when another
	// may have it.
	Lost() <-chan struct{}
	// Release ends it so that a standby takes over at once.
	Release(ctx context.Context) error
}

// Requests is the stream of requests, without bodies.
type Requests interface {
	// Watch hands over what is waiting, in stream order, then what arrives,
	// until ctx ends. caughtUp is true from the batch on that reaches what was
	// the end of the stream at the start; it comes even when there is nothing.
	Watch(ctx context.Context, deliver func(batch []events.Headline, caughtUp bool) error) error
	// First is the sequence of the first request in the stream, or the next one
	// to come where there is none.
	First(ctx context.Context) (uint64, error)
	// Waiting reports whether the request is still in the stream.
	Waiting(ctx context.Context, sequence uint64) (bool, error)
}

// Runs is the stream of grants.
type Runs interface {
	// Outstanding lists what is granted and not acknowledged, and the
	// stream's last sequence, read before the list.
	Outstanding(ctx context.Context) (runs []events.Run, last uint64, err error)
	// Places lists where runs stand: the cheap half of Outstanding.
	Places(ctx context.Context) (map[events.Place]struct{}, error)
	// Space moves the stream's last sequence on by that many without a run. When
	// it returns nil they are all stored.
	Space(ctx context.Context, count int) error
	// Grant sends a run that is stored only if the stream's last sequence is
	// still expected. done is called once, from another goroutine, with nil,
	// events.ErrOutstanding, events.ErrStaleGrant or events.ErrUncertainGrant.
	Grant(run events.Run, expected uint64, done func(sequence uint64, err error)) error
}

// Hints are what workers and schedulers say, never the truth. A watch is active
// when it returns and ends with ctx.
type Hints interface {
	// RunEnded tells the other schedulers of a request that has ended.
	RunEnded(ended events.RunEnded) error
	WatchWorkers(ctx context.Context, heard func(events.WorkerAnnounced)) error
	WatchRunEnded(ctx context.Context, heard func(events.RunEnded)) error
	WatchControl(ctx context.Context, heard func(events.TenantID, events.SessionID, events.Control)) error
}

// Endings ends requests that are not to be run. Implementations are safe for
// concurrent use.
type Endings interface {
	// End gives the request of that sequence this ending, unless it has one, and
	// takes it out of REQUESTS. The status is the one that it has ended with. The
	// error wraps session.ErrStarted when the request has begun.
	End(ctx context.Context, sequence uint64, end events.TurnCompleted) (events.TurnStatus, error)
}

// Tenants tells the tenants as configured: all of them first, then changes,
// until ctx ends. It returns at once and is heard from another goroutine. live
// is false for one that was removed.
type Tenants interface {
	Watch(ctx context.Context, heard func(customer tenant.Tenant, live bool)) error
}

// Questions are what operators ask of the leader.
type Questions interface {
	// WatchQueue hears questions about the queue until ctx ends; it is active
	// when it returns. answer may be called from any goroutine, later or never.
	WatchQueue(ctx context.Context, heard func(asked events.QueueAsked, answer func(events.QueueTold))) error
}

// Observer sees what a scheduler does, for metrics. It is told by the leader's
// one goroutine, which waits for it, so it must be quick.
type Observer interface {
	// Leads tells that the scheduler leads from now on, or no more.
	Leads(yes bool)
	// Stands tells how the queue stands, at each reconciliation of a leader
	// whose index is built.
	Stands(figures Figures)
	// Granted tells how the broker answered a grant, nil when it was stored, and
	// how long the request had been waiting when it was sent.
	Granted(waited time.Duration, err error)
}
