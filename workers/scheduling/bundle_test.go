package scheduling_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/workers/scheduling"
	"github.com/feira-dev/feira/workers/turns"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const (
	patience = 30 * time.Second
	pace     = 5 * time.Millisecond
)

// testBundle is a real broker with real schedulers and a real pool, whose
// handler only keeps a record of what runs.
type testBundle struct {
	server   *testenv.Server
	bus      *bus.Bus
	lease    scheduling.Lease
	budgets  *scheduling.Budgeting
	mu       sync.Mutex // of the two below
	tenants  map[tenant.ID]tenant.Tenant
	feeds    []chan tenant.Tenant
	hints    scheduling.Hints
	observer scheduling.Observer
	floor    *floor
	logger   *slog.Logger
	endings  scheduling.Endings
	requests scheduling.Requests
	handling func(ctx context.Context, run events.Run) error // nil: ends at once
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	server := testenv.NATS(t)
	logger := slog.New(slog.DiscardHandler)
	b, err := bus.Connect(t.Context(), bus.Config{URL: server.URL, User: server.User, Password: server.Password, Logger: logger})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	_, err = b.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	kv, err := natskv.Connect(t.Context(), natskv.Config{URL: server.URL, User: server.User, Password: server.Password, Logger: logger})
	require.NoError(t, err)
	t.Cleanup(kv.Close)
	lease, err := kv.Lease(t.Context(), natskv.LeaseConfig{})
	require.NoError(t, err)
	spend, err := kv.Spend(t.Context())
	require.NoError(t, err)
	budgets := &scheduling.Budgeting{Spend: spend, Facts: facts{b.Log()}}
	ender, err := turns.NewEnder(turns.EnderConfig{Requests: b.Requests(), Log: b.Log(), Cemetery: b.Dead(), Logger: logger})
	require.NoError(t, err)
	return &testBundle{server: server, bus: b, budgets: budgets, endings: ender, requests: b.Requests(), lease: leaseAdapter{lease}, tenants: map[tenant.ID]tenant.Tenant{}, hints: b.Hints(), floor: newFloor(), logger: logger}
}

type leaseAdapter struct{ *natskv.Lease }

func (l leaseAdapter) Acquire(ctx context.Context, holder string) (scheduling.Tenure, error) {
	held, err := l.Lease.Acquire(ctx, holder)
	if err != nil {
		return nil, err
	}
	return held, nil
}

// Watch implements scheduling.Tenants.
func (b *testBundle) Watch(ctx context.Context, heard func(tenant.Tenant, bool)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	feed := make(chan tenant.Tenant, 1024)
	b.feeds = append(b.feeds, feed)
	for _, customer := range b.tenants {
		feed <- customer
	}
	go func() {
		for {
			select {
			case customer := <-feed:
				heard(customer, true)
			case <-ctx.Done():
				return
			}
		}
	}()
	return nil
}

func (b *testBundle) tenant(id tenant.ID, concurrency, weight int) {
	b.change(tenant.Tenant{ID: id, Servers: []string{"stripe"}, Concurrency: concurrency, Weight: weight}.WithDefaults())
}

// change tells the schedulers of a tenant, in the order of the calls.
func (b *testBundle) change(customer tenant.Tenant) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tenants[customer.ID] = customer
	for _, feed := range b.feeds {
		feed <- customer
	}
}

// scheduler starts a scheduler; the test may stop it before its end.
func (b *testBundle) scheduler(t *testing.T, id string) lifecycle.Part {
	t.Helper()
	part, err := scheduling.New(scheduling.Config{
		ID: id, Lease: b.lease, Requests: b.requests, Runs: b.bus.Runs(), Hints: b.hints,
		Tenants: b, Endings: b.endings, Logger: b.logger, Reconcile: 100 * time.Millisecond, Questions: b.bus.Asks(), Observer: b.observer, Budgets: b.budgets,
	})
	require.NoError(t, err)
	require.NoError(t, part.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { stop(t, part) })
	return part
}

func stop(t *testing.T, part lifecycle.Part) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	require.NoError(t, part.Stop(ctx))
}

// pool starts a worker's pool and announces its slots every 100 ms.
func (b *testBundle) pool(t *testing.T, id string, slots int) {
	t.Helper()
	pool, err := b.bus.NewRunPool(bus.RunPoolConfig{Slots: slots, Logger: b.logger, Handler: func(ctx context.Context, run events.Run, _ int) error {
		// As a worker does: a request that is gone has been served.
		if _, found, err := b.bus.Requests().Read(ctx, run.Sequence); err != nil || !found {
			return err
		}
		b.floor.enter(run)
		var err error
		if b.handling != nil {
			err = b.handling(ctx, run)
		}
		b.floor.leave(run, err)
		return err
	}})
	require.NoError(t, err)
	require.NoError(t, pool.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { stop(t, pool) })
	b.announce(t, id, slots)
}

func (b *testBundle) announce(t *testing.T, id string, slots int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			_ = b.bus.Hints().Announce(events.WorkerAnnounced{ID: id, Slots: slots}) // a lost one is followed by the next
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func (b *testBundle) publish(t *testing.T, params events.RequestParams) uint64 {
	t.Helper()
	request := events.Request{Message: "hello"}
	if params.Kind == events.KindCall {
		request = events.Request{Tool: "stripe__retrieve_balance", Arguments: json.RawMessage(`{}`)}
	}
	message, err := events.NewRequest(params, request)
	require.NoError(t, err)
	sequence, err := b.bus.Requests().Publish(t.Context(), message)
	require.NoError(t, err)
	return sequence
}

func (b *testBundle) requireServedAtLeast(t *testing.T, want int) {
	t.Helper()
	require.Eventually(t, func() bool { return b.floor.count() >= want }, patience, pace, "%d are to be served", want)
}

func (b *testBundle) requireServed(t *testing.T, want int) {
	t.Helper()
	b.requireServedAtLeast(t, want)
	require.Equal(t, want, b.floor.count(), "nothing may be served twice")
	require.Empty(t, b.floor.faults())
}

// floor is the record of what runs: it sees every start and end itself, and
// notes when a rule is broken.
type floor struct {
	mu      sync.Mutex
	caps    map[tenant.ID]int
	running map[tenant.ID]int
	session map[string]uint64 // last request that was started, by session
	busy    map[string]bool
	served  map[uint64]int
	peak    int
	broken  []string
}

func newFloor() *floor {
	return &floor{
		caps: map[tenant.ID]int{}, running: map[tenant.ID]int{}, session: map[string]uint64{},
		busy: map[string]bool{}, served: map[uint64]int{},
	}
}

func (f *floor) enter(run events.Run) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running[run.Tenant]++
	total := 0
	for _, n := range f.running {
		total += n
	}
	f.peak = max(f.peak, total)
	if limit, ok := f.caps[run.Tenant]; ok && f.running[run.Tenant] > limit {
		f.broken = append(f.broken, fmt.Sprintf("%s runs %d at once, over its cap of %d", run.Tenant, f.running[run.Tenant], limit))
	}
	if run.Kind == events.KindCall {
		return
	}
	key := string(run.Tenant) + "/" + string(run.Session)
	if f.busy[key] {
		f.broken = append(f.broken, "two turns run in session "+key)
	}
	if run.Sequence < f.session[key] {
		f.broken = append(f.broken, "session "+key+" starts request "+strconv.FormatUint(run.Sequence, 10)+" after a later one")
	}
	f.busy[key], f.session[key] = true, run.Sequence
}

func (f *floor) leave(run events.Run, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.running[run.Tenant]--
	delete(f.busy, string(run.Tenant)+"/"+string(run.Session))
	if err == nil {
		f.served[run.Sequence]++
	}
}

// count is how often anything was served: a request served twice counts twice.
func (f *floor) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, times := range f.served {
		n += times
	}
	return n
}

func (f *floor) faults() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken
}
