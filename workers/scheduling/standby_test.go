package scheduling_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/scheduling"
)

// readings counts how often REQUESTS is read from its beginning, and how often
// somebody looks for its first request.
type readings struct {
	scheduling.Requests

	begun, looked atomic.Int64
}

func (r *readings) First(ctx context.Context) (uint64, error) {
	r.looked.Add(1)
	return r.Requests.First(ctx)
}

func (r *readings) Watch(ctx context.Context, deliver func([]events.Headline, bool) error) error {
	r.begun.Add(1)
	return r.Requests.Watch(ctx, deliver)
}

// listening has the schedulers started from now on say to the channel what they log.
func (b *testBundle) listening() chan string {
	heard := make(chan string, 64)
	b.logger = slog.New(listener{Handler: slog.DiscardHandler, heard: heard})
	return heard
}

// A standby has the index when it is elected: it reads RUNS, and grants.
func TestStandbyTakesOverWithItsIndex(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenant("tenant_acme", 2, 1)
	const early, late = 40, 20
	for i := range early {
		b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: events.SessionID("s" + string(rune('a'+i%7)))})
	}
	heard := b.listening()
	first := b.scheduler(t, "first")
	hears(t, heard, "leading")
	counted := &readings{Requests: b.requests}
	b.requests, heard = counted, b.listening()
	b.scheduler(t, "second")
	hears(t, heard, "index is built")
	b.pool(t, "w1", 4)
	b.requireServedAtLeast(t, early/2)
	for range late {
		b.publish(t, events.RequestParams{Tenant: "tenant_acme"})
	}
	stop(t, first)
	hears(t, heard, "leading")
	b.requireServed(t, early+late)
	require.EqualValues(t, 1, counted.begun.Load(), "the index is not built again")
}

// What a standby did not hear of, it finds out: the first request that is still
// there comes after all that was served.
func TestStandbyForgetsWhatItWasNotTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenant("tenant_acme", 4, 1)
	heard := b.listening()
	first := b.scheduler(t, "first")
	hears(t, heard, "leading")
	counted, seen := &readings{Requests: b.requests}, &diary{}
	b.hints, b.requests, b.observer = deaf{b.bus.Hints()}, counted, seen
	heard = b.listening()
	b.scheduler(t, "second")
	hears(t, heard, "index is built")
	b.pool(t, "w1", 4)
	const count = 30
	for range count {
		b.publish(t, events.RequestParams{Tenant: "tenant_acme"})
	}
	b.requireServed(t, count)
	last := b.publish(t, events.RequestParams{Tenant: "tenant_acme", NotBefore: time.Now().Add(time.Hour)})
	require.Eventually(t, func() bool {
		at, err := b.bus.Requests().First(t.Context())
		return err == nil && at == last
	}, patience, pace)
	// It has forgotten by the time that it looks for the second time from now.
	looks := counted.looked.Load()
	require.Eventually(t, func() bool { return counted.looked.Load() >= looks+2 }, patience, pace)
	stop(t, first)
	hears(t, heard, "leading")
	require.Eventually(t, func() bool { return seen.read().figures.Queued == 1 }, patience, pace)
	require.Empty(t, seen.read().waits, "nothing was granted in vain")
}

// handedOut is a lease that the test gives and takes.
type handedOut struct{ tenures chan *term }

type term struct {
	expired  atomic.Bool // by the clock, and nobody has told yet
	lost     chan struct{}
	released sync.Once
	over     chan struct{}
}

func newTerm() *term { return &term{lost: make(chan struct{}), over: make(chan struct{})} }

func (h handedOut) Acquire(ctx context.Context, _ string) (scheduling.Tenure, error) {
	select {
	case tenure := <-h.tenures:
		return tenure, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (t *term) Valid() bool { return !t.expired.Load() }

func (t *term) Lost() <-chan struct{} { return t.lost }

func (t *term) Release(context.Context) error {
	t.released.Do(func() { close(t.over) })
	return nil
}

// A leader that loses its lease stands by, and leads again with the index that
// it had; what ran and what was granted meanwhile is neither lost nor doubled.
func TestDeposedLeaderStandsByAndLeadsAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenant("tenant_acme", 3, 1)
	lease := handedOut{tenures: make(chan *term, 1)}
	b.lease = lease
	counted := &readings{Requests: b.requests}
	b.requests = counted
	b.scheduler(t, "only")
	b.pool(t, "w1", 4)
	const terms, count = 5, 12
	for n := range terms {
		for range count {
			b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: events.SessionID("s" + string(rune('a'+n%2)))})
		}
		tenure := newTerm()
		lease.tenures <- tenure
		b.requireServedAtLeast(t, n*count+count/2)
		close(tenure.lost)
		<-tenure.over
	}
	lease.tenures <- newTerm()
	b.requireServed(t, terms*count)
	require.EqualValues(t, 1, counted.begun.Load(), "the index is not built again")
}

// A leader whose lease has run out by the clock grants nothing more, whatever it
// hears of before it hears of that.
func TestALeaderOfThePastGrantsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenant("tenant_acme", 3, 1)
	lease, seen := handedOut{tenures: make(chan *term, 1)}, &diary{}
	b.lease, b.observer = lease, seen
	heard := b.listening()
	b.scheduler(t, "only")
	b.pool(t, "w1", 4)
	past := newTerm()
	past.expired.Store(true)
	lease.tenures <- past
	hears(t, heard, "leading")
	const count = 5
	for range count {
		b.publish(t, events.RequestParams{Tenant: "tenant_acme"})
	}
	require.Eventually(t, func() bool { return seen.read().figures.Queued == count }, patience, pace)
	require.Empty(t, seen.read().waits, "a grant")
	close(past.lost)
	<-past.over
	lease.tenures <- newTerm()
	b.requireServed(t, count)
}

// A standby holds nobody to a backlog, for to it what runs is queued too; once
// it leads it does.
func TestBacklogIsKeptByTheLeaderAlone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.change(tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe"}, Concurrency: 2, Backlog: 3}.WithDefaults())
	lease := handedOut{tenures: make(chan *term, 1)}
	b.lease = lease
	for range 5 {
		b.publish(t, events.RequestParams{Tenant: "tenant_acme"})
	}
	heard := b.listening()
	b.scheduler(t, "only")
	hears(t, heard, "index is built")
	lease.tenures <- newTerm()
	hears(t, heard, "leading")
	over := b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "over"})
	require.Eventually(t, func() bool {
		_, found, err := b.bus.Requests().Read(t.Context(), over)
		return err == nil && !found
	}, patience, pace, "the sixth is one too many")
	b.pool(t, "w1", 2)
	b.requireServed(t, 5)
}
