package scheduling_test

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/scheduling"
)

func (b *testBundle) ask(t *testing.T, asked events.QueueAsked) events.QueueTold {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	told, err := b.bus.Asks().Queue(ctx, asked)
	require.NoError(t, err)
	return told
}

// settles asks until the queue stands as it should.
func (b *testBundle) settles(t *testing.T, queued, running int) events.QueueTold {
	t.Helper()
	var told events.QueueTold
	require.Eventually(t, func() bool {
		told = b.ask(t, events.QueueAsked{})
		return told.Queued == queued && told.Running == running && !told.Rebuilding
	}, patience, pace, "want %d queued and %d running", queued, running)
	return told
}

func (b *testBundle) calls(t *testing.T, id tenant.ID, n int) {
	t.Helper()
	for range n {
		b.publish(t, events.RequestParams{Tenant: id, Kind: events.KindCall, Priority: events.PriorityNormal})
	}
}

// Slots are announced and nobody takes the runs, so what is granted stays.
func TestStatusOfEachKindOfTenant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	limits := func(id tenant.ID, change tenant.Tenant) {
		change.ID, change.Servers = id, []string{"stripe"}
		b.change(change.WithDefaults())
	}
	limits("tenant_idle", tenant.Tenant{})
	limits("tenant_capped", tenant.Tenant{Concurrency: 2})
	limits("tenant_paused", tenant.Tenant{Paused: true})
	limits("tenant_rated", tenant.Tenant{Concurrency: 10, Rate: 1, RatePeriod: tenant.PeriodMinute, Burst: 2})
	limits("tenant_talk", tenant.Tenant{Concurrency: 10})
	limits("tenant_flood", tenant.Tenant{Concurrency: 100, Weight: 3})
	b.scheduler(t, "leader")
	b.announce(t, "w1", 11)
	b.calls(t, "tenant_capped", 5)
	b.calls(t, "tenant_paused", 3)
	b.settles(t, 6, 2)
	b.calls(t, "tenant_rated", 5)
	for range 2 {
		b.publish(t, events.RequestParams{Tenant: "tenant_talk", Session: "s", Priority: events.PriorityBulk})
	}
	later := time.Now().Add(time.Hour)
	b.publish(t, events.RequestParams{Tenant: "tenant_talk", Session: "later", NotBefore: later})
	b.settles(t, 11, 5)
	b.calls(t, "tenant_flood", 20)
	told := b.settles(t, 25, 11)

	require.Equal(t, "leader", told.Leader)
	require.Equal(t, 11, told.Slots)
	require.Equal(t, 1, told.Workers)
	require.Equal(t, 5, told.Busy)
	require.Equal(t, 3, told.DesiredWorkers, "11 run and 14 of the flood would start at once: 25 slots of 11 a worker")
	require.Positive(t, told.OldestWait)
	require.Less(t, told.OldestWait, patience.Seconds())
	require.InDelta(t, told.Tenants[0].OldestWait, told.OldestWait, 0.001)
	want := []events.QueueTenant{
		{Tenant: "tenant_capped", Queued: 3, Running: 2, Waits: "cap", Share: 0.143, Limits: events.QueueLimits{Concurrency: 2, Weight: 1}},
		{Tenant: "tenant_paused", Queued: 3, Waits: "paused", Share: 0.143, Limits: events.QueueLimits{Concurrency: 4, Weight: 1, Paused: true}},
		{Tenant: "tenant_rated", Queued: 3, Running: 2, Waits: "rate", Share: 0.143, Limits: events.QueueLimits{Concurrency: 10, Weight: 1, Rate: 1, Burst: 2, RatePeriod: 60}},
		{Tenant: "tenant_talk", Queued: 2, Running: 1, Waits: "session", Share: 0.143, Limits: events.QueueLimits{Concurrency: 10, Weight: 1}},
		{Tenant: "tenant_flood", Queued: 14, Running: 6, Waits: "slots", Share: 0.429, Limits: events.QueueLimits{Concurrency: 100, Weight: 3}},
	}
	require.Empty(t, cmp.Diff(want, told.Tenants, cmpopts.IgnoreFields(events.QueueTenant{}, "OldestWait", "SlotSeconds")))
	for _, customer := range told.Tenants {
		require.Positive(t, customer.OldestWait, customer.Tenant)
		require.Equal(t, customer.Running > 0, customer.SlotSeconds > 0, customer.Tenant)
	}
	b.requireLines(t, later)
}

// requireLines asks for single tenants of the test above.
func (b *testBundle) requireLines(t *testing.T, later time.Time) {
	t.Helper()
	flood := b.ask(t, events.QueueAsked{Tenant: "tenant_flood", Limit: 3}).Tenants
	require.Len(t, flood, 1)
	require.Equal(t, 14, flood[0].Queued)
	require.Len(t, flood[0].Requests, 3)
	require.False(t, flood[0].Partial)
	for n, request := range flood[0].Requests {
		require.Equal(t, n+1, request.Place)
		require.Equal(t, "slots", request.Reason)
		require.Equal(t, events.KindCall, request.Kind)
		stored, found, err := b.bus.Requests().Read(t.Context(), request.Sequence)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, events.DerivedSession("tenant_flood", request.Sequence), request.Session)
		require.WithinDuration(t, stored.Time, request.Received, time.Second)
		require.Positive(t, request.Waited)
	}
	require.InDelta(t, flood[0].Requests[0].Waited, flood[0].OldestWait, 0.001)
	talk := b.ask(t, events.QueueAsked{Tenant: "tenant_talk"})
	require.Equal(t, 5, talk.Busy, "totals are over all")
	require.Len(t, talk.Tenants[0].Requests, 2)
	require.Equal(t, "not_before", talk.Tenants[0].Requests[0].Reason)
	require.WithinDuration(t, later, talk.Tenants[0].Requests[0].NotBefore, time.Millisecond)
	require.Equal(t, "session", talk.Tenants[0].Requests[1].Reason)
	require.Equal(t, "bulk", talk.Tenants[0].Requests[1].Priority)
	idle := b.ask(t, events.QueueAsked{Tenant: "tenant_idle"}).Tenants
	require.Equal(t, []events.QueueTenant{{Tenant: "tenant_idle", Limits: events.QueueLimits{Concurrency: tenant.DefaultConcurrency, Weight: 1}}}, idle)
	require.Empty(t, b.ask(t, events.QueueAsked{Tenant: "tenant_nobody"}).Tenants)
}

func TestStatusOfManyTenantsIsSmall(t *testing.T) {
	t.Parallel()
	const tenants = 20_000
	b := setup(t)
	var group sync.WaitGroup
	for lane := range 16 {
		group.Go(func() {
			for n := lane; n < tenants; n += 16 {
				message, err := events.NewRequest(events.RequestParams{Tenant: events.TenantID("tenant_" + strconv.Itoa(n))}, events.Request{Message: "hello"})
				if err == nil {
					_, err = b.bus.Requests().Publish(t.Context(), message)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.scheduler(t, "leader")
	told := b.settles(t, tenants, 0)
	require.Equal(t, tenants, told.Busy)
	require.Len(t, told.Tenants, events.DefaultQueueLimit)
	for _, limit := range []int{1, 50, events.MaxQueueLimit} {
		told = b.ask(t, events.QueueAsked{Limit: limit})
		require.Len(t, told.Tenants, limit)
		body, err := json.Marshal(told)
		require.NoError(t, err)
		require.Less(t, len(body), 1024+256*limit)
	}
	for n := 1; n < len(told.Tenants); n++ {
		require.GreaterOrEqual(t, told.Tenants[n-1].OldestWait, told.Tenants[n].OldestWait)
	}
	require.Equal(t, tenants/64+1, told.DesiredWorkers, "with no worker there, of the usual 64 slots")
}

func TestOnlyTheLeaderAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tenure, err := b.lease.Acquire(t.Context(), "somebody")
	require.NoError(t, err)
	first := b.scheduler(t, "first")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = b.bus.Asks().Queue(ctx, events.QueueAsked{})
	require.ErrorIs(t, err, bus.ErrNoLeader, "a standby is silent")

	require.NoError(t, tenure.Release(t.Context()))
	require.Equal(t, "first", b.ask(t, events.QueueAsked{}).Leader)
	b.scheduler(t, "second")
	for range 50 {
		require.Equal(t, "first", b.ask(t, events.QueueAsked{}).Leader)
	}
	stop(t, first)
	require.Equal(t, "second", b.ask(t, events.QueueAsked{}).Leader)
}

// diary keeps what an observer is told.
type diary struct {
	mu       sync.Mutex
	led      []bool
	figures  scheduling.Figures
	waits    []time.Duration
	refusals int
}

func (d *diary) Leads(yes bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.led = append(d.led, yes)
}

func (d *diary) Stands(figures scheduling.Figures) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.figures = figures
}

func (d *diary) Granted(waited time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.refusals++
		return
	}
	d.waits = append(d.waits, waited)
}

func (d *diary) read() diary {
	d.mu.Lock()
	defer d.mu.Unlock()
	return diary{led: d.led, figures: d.figures, waits: d.waits, refusals: d.refusals}
}

func TestObserverIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seen := &diary{}
	b.observer = seen
	b.tenant("tenant_acme", 3, 1)
	first := b.publish(t, events.RequestParams{Tenant: "tenant_acme", Kind: events.KindCall})
	b.calls(t, "tenant_acme", 4)
	part := b.scheduler(t, "leader")
	require.Eventually(t, func() bool { return seen.read().figures.Queued == 5 }, patience, pace)
	require.Equal(t, 1, seen.read().figures.DesiredWorkers)
	stored, _, err := b.bus.Requests().Read(t.Context(), first)
	require.NoError(t, err)
	before := time.Since(stored.Time)
	b.announce(t, "w1", 2)
	require.Eventually(t, func() bool { return seen.read().figures.Running == 2 }, patience, pace)
	now := seen.read()
	require.Equal(t, []bool{true}, now.led)
	require.Equal(t, 3, now.figures.Queued)
	require.Equal(t, 2, now.figures.Slots)
	require.Equal(t, 1, now.figures.Workers)
	require.Equal(t, 2, now.figures.DesiredWorkers, "three may run, two slots a worker")
	require.Len(t, now.waits, 2)
	require.GreaterOrEqual(t, now.waits[0], before-time.Millisecond)
	require.Less(t, now.waits[0], patience)
	require.Zero(t, now.refusals)
	stop(t, part)
	require.Equal(t, []bool{true, false}, seen.read().led)
}

// intruder lets somebody else grant a run just before the scheduler's first.
type intruder struct {
	scheduling.Runs

	once  sync.Once
	run   events.Run
	fault chan error
}

func (i *intruder) Grant(run events.Run, expected uint64, done func(uint64, error)) error {
	i.once.Do(func() {
		answered := make(chan error, 1)
		if err := i.Runs.Grant(i.run, expected, func(_ uint64, err error) { answered <- err }); err != nil {
			answered <- err
		}
		i.fault <- <-answered
	})
	return i.Runs.Grant(run, expected, done)
}

func TestObserverIsToldOfRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seen := &diary{}
	b.tenant("tenant_acme", 3, 1)
	b.calls(t, "tenant_acme", 1)
	stranger := b.publish(t, events.RequestParams{Tenant: "tenant_other", Session: "s", NotBefore: time.Now().Add(time.Hour)})
	runs := &intruder{Runs: b.bus.Runs(), fault: make(chan error, 1), run: events.Run{
		Tenant: "tenant_other", Session: "s", Kind: events.KindTurn, Sequence: stranger, Granted: time.Now(),
	}}
	part, err := scheduling.New(scheduling.Config{
		ID: "leader", Lease: b.lease, Requests: b.bus.Requests(), Runs: runs, Hints: b.hints, Tenants: b, Logger: b.logger,
		Endings: b.endings, Reconcile: 100 * time.Millisecond, Observer: seen,
	})
	require.NoError(t, err)
	require.NoError(t, part.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { stop(t, part) })
	b.announce(t, "w1", 5)
	require.Eventually(t, func() bool { return seen.read().figures.Running == 2 }, patience, pace)
	require.NoError(t, <-runs.fault)
	require.Equal(t, 1, seen.read().refusals)
	require.Len(t, seen.read().waits, 1, "it was granted at the second try")
}
