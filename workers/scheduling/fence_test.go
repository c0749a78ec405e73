package scheduling_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/scheduling"
)

// inFlight is how many grants a leader of this test has on their way at most.
const inFlight = 16

// frozen are runs whose grants stay where a frozen process leaves them, in the
// client's buffer, until they are flushed.
type frozen struct {
	scheduling.Runs

	mu       sync.Mutex
	buffer   []func() error
	outcomes []error
}

func (f *frozen) Grant(run events.Run, expected uint64, done func(uint64, error)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.buffer = append(f.buffer, func() error {
		return f.Runs.Grant(run, expected, func(sequence uint64, err error) {
			f.mu.Lock()
			f.outcomes = append(f.outcomes, err)
			f.mu.Unlock()
			done(sequence, err)
		})
	})
	return nil
}

func (f *frozen) look() (held int, outcomes []error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.buffer), f.outcomes
}

func (f *frozen) flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, send := range f.buffer {
		if err := send(); err != nil {
			return err
		}
	}
	f.buffer = nil
	return nil
}

func (b *testBundle) schedulerOver(t *testing.T, id string, lease scheduling.Lease, runs scheduling.Runs) {
	t.Helper()
	part, err := scheduling.New(scheduling.Config{
		ID: id, Lease: lease, Requests: b.requests, Runs: runs, Hints: b.hints,
		Tenants: b, Endings: b.endings, Logger: b.logger, Reconcile: 100 * time.Millisecond, Questions: b.bus.Asks(), Budgets: b.budgets,
		InFlight: inFlight,
	})
	require.NoError(t, err)
	require.NoError(t, part.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { stop(t, part) })
}

// gate is a lease that is given to whoever asks, while it is open. When it is
// shut, the one who has it loses it.
type gate struct {
	mu   sync.Mutex
	open chan struct{}
	held *term
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) Acquire(ctx context.Context, _ string) (scheduling.Tenure, error) {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = newTerm()
	return g.held, nil
}

// let opens the gate, or shuts it and waits until nobody leads any more.
func (g *gate) let(lead bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if lead {
		close(g.open)
		return
	}
	g.open = make(chan struct{})
	close(g.held.lost)
	<-g.held.over
}

// now is how many of the tenant's run.
func (f *floor) now(id tenant.ID) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[id]
}

// What a leader had sent when it was frozen, and what the broker gets of it when
// it wakes, is refused to the last one, however few its successor has granted.
func TestWhatAFrozenLeaderHadSentIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const before, after, count = inFlight, 5, 40
	b.tenant("tenant_acme", before, 1)
	b.floor.caps["tenant_acme"] = after
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	b.handling = func(ctx context.Context, _ events.Run) error {
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return nil
	}
	first, second := newGate(), newGate()
	buffer := &frozen{Runs: b.bus.Runs()}
	b.schedulerOver(t, "deposed", first, buffer)
	heard := b.listening()
	b.schedulerOver(t, "successor", second, b.bus.Runs())
	b.pool(t, "w1", count)
	for n := range count {
		b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: events.SessionID("s" + strconv.Itoa(n))})
	}
	first.let(true)
	require.Eventually(t, func() bool { held, _ := buffer.look(); return held == before }, patience, pace)
	first.let(false)
	b.tenant("tenant_acme", after, 1)
	b.barrier(t, heard)
	second.let(true)
	require.Eventually(t, func() bool { return b.floor.now("tenant_acme") == after }, patience, pace)
	require.NoError(t, buffer.flush())
	require.Eventually(t, func() bool { _, outcomes := buffer.look(); return len(outcomes) == before }, patience, pace)
	_, outcomes := buffer.look()
	for n, outcome := range outcomes {
		require.ErrorIs(t, outcome, events.ErrStaleGrant, "grant %d", n)
	}
	release()
	b.requireServed(t, count)
}
