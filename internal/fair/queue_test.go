package fair_test

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

type testBundle struct {
	*fair.Queue

	t        *testing.T
	now      time.Time
	sequence uint64
}

// setup returns a queue of that many slots with tenants a and b of weight 1 and
// a cap of 4.
func setup(t *testing.T, slots int) *testBundle {
	t.Helper()
	b := &testBundle{Queue: fair.New(), t: t, now: epoch}
	b.SetSlots(slots)
	b.limit("a", fair.Limits{Concurrency: 4, Weight: 1})
	b.limit("b", fair.Limits{Concurrency: 4, Weight: 1})
	return b
}

func (b *testBundle) limit(id events.TenantID, limits fair.Limits) {
	b.t.Helper()
	require.NoError(b.t, b.SetTenant(id, limits, b.now))
}

func (b *testBundle) request(tenant events.TenantID, session events.SessionID, priority events.Priority) fair.Request {
	b.sequence++
	return fair.Request{Tenant: tenant, Session: session, Kind: events.KindTurn, Priority: priority, Sequence: b.sequence}
}

// add pushes turns, each of a session of its own.
func (b *testBundle) add(tenant events.TenantID, n int) {
	b.t.Helper()
	for range n {
		b.turn(tenant, events.SessionID("own-"+strconv.FormatUint(b.sequence, 10)), events.PriorityNormal)
	}
}

func (b *testBundle) turn(tenant events.TenantID, session events.SessionID, priority events.Priority) uint64 {
	b.t.Helper()
	r := b.request(tenant, session, priority)
	require.NoError(b.t, b.Push(r, b.now))
	return r.Sequence
}

// starts is the sequences that start now.
func (b *testBundle) starts() []uint64 {
	b.t.Helper()
	started := []uint64{}
	for {
		r, ok := b.Next(b.now)
		require.NoError(b.t, b.Audit())
		if !ok {
			return started
		}
		started = append(started, r.Sequence)
	}
}

func (b *testBundle) end(sequences ...uint64) {
	b.t.Helper()
	for _, sequence := range sequences {
		require.True(b.t, b.Done(sequence, b.now))
	}
}

func (b *testBundle) reason(sequence uint64) fair.Reason {
	b.t.Helper()
	reason, _, ok := b.Reason(sequence, b.now)
	require.True(b.t, ok)
	return reason
}

func TestABurstSharesOneInstant(t *testing.T) {
	t.Parallel()
	b := setup(t, 6)
	b.limit("b", fair.Limits{Concurrency: 4, Weight: 2})
	b.add("a", 4) // 1-4
	b.add("b", 4) // 5-8
	require.ElementsMatch(t, []uint64{1, 2, 5, 6, 7, 8}, b.starts(), "two for weight 1, four for weight 2")
}

func TestPriorityHoldsInsideATenantOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	bulk := b.turn("a", "1", events.PriorityBulk)
	interactive := b.turn("a", "2", events.PriorityInteractive)
	normal := b.turn("a", "3", events.PriorityNormal)
	var order []uint64
	for range 3 {
		started := b.starts()
		order = append(order, started...)
		b.end(started...)
	}
	require.Equal(t, []uint64{interactive, normal, bulk}, order)

	mine := b.turn("a", "4", events.PriorityBulk)
	b.turn("b", "5", events.PriorityInteractive)
	require.Equal(t, []uint64{mine}, b.starts(), "the tenants are even, and a's came first")
}

func TestATurnInheritsThePriorityOfThoseBehindIt(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	other := b.turn("a", "other", events.PriorityNormal)
	bulk := b.turn("a", "chat", events.PriorityBulk)
	_, place, _ := b.Reason(bulk, b.now)
	require.Equal(t, 2, place)
	urgent := b.turn("a", "chat", events.PriorityInteractive)
	_, place, _ = b.Reason(bulk, b.now)
	require.Equal(t, 1, place)
	require.Equal(t, []uint64{bulk}, b.starts())
	b.end(bulk)
	require.True(t, b.Remove(urgent, b.now))
	last := b.turn("a", "chat", events.PriorityBulk)
	require.Equal(t, []uint64{other}, b.starts(), "with the urgent one gone nothing is lent")
	require.Equal(t, fair.ReasonSlots, b.reason(last))
}

func TestATurnThatIsNotDueHoldsItsSession(t *testing.T) {
	t.Parallel()
	b := setup(t, 4)
	early := b.request("a", "chat", events.PriorityNormal)
	early.NotBefore = b.now.Add(time.Second + time.Nanosecond)
	require.NoError(t, b.Push(early, b.now))
	later := b.turn("a", "chat", events.PriorityInteractive)
	require.Empty(t, b.starts())
	require.Equal(t, fair.ReasonNotBefore, b.reason(early.Sequence))
	require.Equal(t, fair.ReasonSession, b.reason(later))

	at, waits := b.Wake(b.now)
	require.True(t, waits)
	require.Equal(t, epoch.Add(time.Second+time.Microsecond), at, "rounded up, never early")
	b.now = b.now.Add(time.Second)
	require.Empty(t, b.starts())
	b.now = at
	require.Equal(t, []uint64{early.Sequence}, b.starts())
	_, waits = b.Wake(b.now)
	require.False(t, waits)
	b.end(early.Sequence)
	require.Equal(t, []uint64{later}, b.starts())
}

func TestCallsTakeNoSessionTurn(t *testing.T) {
	t.Parallel()
	b := setup(t, 4)
	turn := b.turn("a", "chat", events.PriorityNormal)
	call := b.request("a", "chat", events.PriorityNormal)
	call.Kind = events.KindCall
	require.NoError(t, b.Push(call, b.now))
	second := b.turn("a", "chat", events.PriorityNormal)
	require.Equal(t, []uint64{turn, call.Sequence}, b.starts())
	b.end(call.Sequence)
	require.Empty(t, b.starts())
	require.Equal(t, fair.ReasonSession, b.reason(second))
}

func TestAReturnedTurnIsAgainTheFirstOfItsSession(t *testing.T) {
	t.Parallel()
	b := setup(t, 4)
	first := b.turn("a", "chat", events.PriorityBulk)
	second := b.turn("a", "chat", events.PriorityInteractive)
	require.Equal(t, []uint64{first}, b.starts())
	b.now = b.now.Add(3 * time.Second)
	require.True(t, b.Return(first, b.now))
	require.False(t, b.Return(first, b.now))
	require.NoError(t, b.Audit())
	snapshot, _ := b.Snapshot("a", b.now)
	require.InDelta(t, 3, snapshot.SlotSeconds, 1e-9, "its service stays charged")
	require.InDelta(t, 3, snapshot.Service, 1e-9)
	require.Equal(t, []uint64{first}, b.starts())
	b.end(first)
	require.Equal(t, []uint64{second}, b.starts())
}

func TestLimitsChangeWhileRunsGo(t *testing.T) {
	t.Parallel()
	b := setup(t, 8)
	b.add("a", 8)
	started := b.starts()
	require.Len(t, started, 4)
	require.Equal(t, fair.ReasonCap, b.reason(8))

	b.limit("a", fair.Limits{Concurrency: 2, Weight: 1})
	b.end(started[:2]...)
	require.Empty(t, b.starts(), "two still run")
	b.end(started[2])
	require.Equal(t, []uint64{5}, b.starts())

	b.limit("a", fair.Limits{Concurrency: 8, Weight: 1, Paused: true})
	require.Empty(t, b.starts())
	require.Equal(t, fair.ReasonPaused, b.reason(6))
	b.limit("a", fair.Limits{Concurrency: 8, Weight: 1})
	require.Equal(t, []uint64{6, 7, 8}, b.starts())

	b.SetSlots(2)
	b.add("a", 1)
	b.end(5, 6)
	require.Equal(t, fair.ReasonSlots, b.reason(b.sequence))
	require.Empty(t, b.starts(), "three run on two slots")
}

func TestAWeightCountsFromItsChangeOn(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.add("a", 1)
	require.Len(t, b.starts(), 1)
	for i, weight := range []int{1, 2, 5} {
		b.limit("a", fair.Limits{Concurrency: 4, Weight: weight})
		b.now = b.now.Add(10 * time.Second)
		snapshot, _ := b.Snapshot("a", b.now)
		require.InDelta(t, []float64{10, 15, 17}[i], snapshot.Service, 1e-5)
		require.InDelta(t, 10*float64(i+1), snapshot.SlotSeconds, 1e-9)
		require.InDelta(t, 1, snapshot.Share, 1e-9)
	}
}

func TestIdlenessHoardsNoCreditAndDrainingKeepsTheDebt(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.add("a", 2)
	for range 2 { // a alone has had 20 s
		started := b.starts()
		b.now = b.now.Add(10 * time.Second)
		b.end(started...)
	}
	// b comes from idleness: it starts level with a, which waits for a slot too.
	b.add("a", 1)
	b.add("b", 1)
	a, _ := b.Snapshot("a", b.now)
	other, _ := b.Snapshot("b", b.now)
	require.InDelta(t, 20, a.Service, 1e-6)
	require.InDelta(t, 20, other.Service, 1e-6)

	// a runs for 60 s while b waits, drains, and comes back while b still waits.
	require.Equal(t, []uint64{3}, b.starts())
	b.now = b.now.Add(time.Minute)
	b.end(3)
	b.add("b", 3)
	b.add("a", 1)
	back := b.sequence
	a, _ = b.Snapshot("a", b.now)
	require.InDelta(t, 80, a.Service, 1e-6)
	for range 4 {
		started := b.starts()
		require.NotContains(t, started, back, "a owes b a minute")
		b.now = b.now.Add(10 * time.Second)
		b.end(started...)
	}
	require.Equal(t, []uint64{back}, b.starts())
}

func TestIdlenessEndsTheGrace(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.add("a", 2)
	for range 2 { // held while each runs, and then idle
		started := b.starts()
		b.now = b.now.Add(10 * time.Second)
		b.end(started...)
	}
	b.add("b", 12)
	for range 10 {
		started := b.starts()
		b.now = b.now.Add(10 * time.Second)
		b.end(started...)
	}
	other, _ := b.Snapshot("b", b.now)
	b.add("a", 1)
	a, _ := b.Snapshot("a", b.now)
	require.InDelta(t, other.Service, a.Service, 1e-6)
}

func TestRunsOfNoLengthStillShareABurst(t *testing.T) {
	t.Parallel()
	b := setup(t, 4)
	b.add("a", 1)
	b.add("b", 1)
	b.end(b.starts()...)
	b.add("a", 4) // 3-6
	b.add("b", 4) // 7-10
	require.ElementsMatch(t, []uint64{3, 4, 7, 8}, b.starts())
}

func TestRestoredRunsCountAboveAllLimits(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	b.limit("a", fair.Limits{Concurrency: 1, Weight: 1})
	for range 3 {
		require.NoError(t, b.Restore(b.request("a", "chat", events.PriorityNormal), b.now))
	}
	require.NoError(t, b.Audit())
	require.Equal(t, 3, b.Running())
	require.ErrorIs(t, b.Push(fair.Request{Tenant: "a", Session: "s", Kind: events.KindTurn, Sequence: 1}, b.now), fair.ErrDuplicate)
	require.ErrorIs(t, b.Restore(fair.Request{Tenant: "a", Session: "s", Kind: events.KindTurn, Sequence: 1}, b.now), fair.ErrDuplicate)
	queued := b.turn("a", "chat", events.PriorityNormal)
	b.add("b", 1)
	b.end(1)
	require.Empty(t, b.starts())
	b.end(2)
	require.Equal(t, []uint64{5}, b.starts(), "b's cap is its own")
	require.Equal(t, fair.ReasonSession, b.reason(queued))
	b.end(3)
	require.Equal(t, []uint64{queued}, b.starts())
}

func TestARestoredRunLeavesTheQueue(t *testing.T) {
	t.Parallel()
	b := setup(t, 4)
	first := b.turn("a", "chat", events.PriorityNormal)
	second := b.turn("a", "chat", events.PriorityNormal)
	require.NoError(t, b.Restore(fair.Request{Tenant: "a", Session: "chat", Kind: events.KindTurn, Sequence: second}, b.now))
	require.Empty(t, b.starts(), "a turn of the session runs, though it is not the first")
	require.True(t, b.Return(second, b.now))
	require.Equal(t, []uint64{first}, b.starts())
}

func TestADroppedTenantIsCountedUntilItsRunsEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, 4)
	b.add("a", 6)
	started := b.starts()
	require.Equal(t, []uint64{5, 6}, b.DropTenant("a", b.now))
	require.Empty(t, b.DropTenant("a", b.now))
	require.NoError(t, b.Audit())
	require.Equal(t, 4, b.Running())
	_, known := b.Snapshot("a", b.now)
	require.False(t, known)
	require.ErrorIs(t, b.Push(b.request("a", "s", 0), b.now), fair.ErrUnknownTenant)
	b.end(started[:2]...)
	require.False(t, b.Return(started[2], b.now), "there is no queue to return to")
	require.Equal(t, 1, b.Running())

	b.limit("a", fair.Limits{Concurrency: 1, Weight: 1})
	b.add("a", 1)
	require.Empty(t, b.starts(), "the old run counts for the cap")
	require.Equal(t, []uint64{b.sequence}, b.DropTenant("a", b.now))
	b.end(started[3])
	_, tenants, _ := b.Footprint()
	require.Equal(t, 1, tenants)

	require.NoError(t, b.Restore(b.request("stranger", "s", 0), b.now))
	require.Equal(t, 1, b.Running(), "a stranger's run holds a slot")
	b.end(b.sequence)
	require.NoError(t, b.Audit())
}

func TestWhatCannotBeOrderedIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	good := fair.Request{Tenant: "a", Session: "s", Kind: events.KindTurn, Sequence: 1}
	for name, spoil := range map[string]func(r *fair.Request){
		"kind":     func(r *fair.Request) { r.Kind = "riot" },
		"priority": func(r *fair.Request) { r.Priority = 3 },
		"session":  func(r *fair.Request) { r.Session = "" },
	} {
		bad := good
		spoil(&bad)
		for _, err := range []error{b.Push(bad, b.now), b.Restore(bad, b.now)} {
			require.ErrorIs(t, err, fair.ErrInvalidRequest)
			require.ErrorContains(t, err, name)
		}
	}
	err := b.SetTenant("c", fair.Limits{Concurrency: 0, Weight: fair.MaxWeight + 1}, b.now)
	require.ErrorIs(t, err, fair.ErrInvalidLimits)
	require.ErrorContains(t, err, "concurrency is 0")
	require.ErrorContains(t, err, "weight is 1000001")
	require.ErrorIs(t, b.Push(fair.Request{Tenant: "c", Session: "s", Kind: events.KindTurn}, b.now), fair.ErrUnknownTenant)
	require.False(t, b.Done(1, b.now))
	require.False(t, b.Remove(1, b.now))
	_, _, ok := b.Reason(1, b.now)
	require.False(t, ok)
	require.NoError(t, b.Push(good, b.now))
	require.Equal(t, fair.ReasonOthers, b.reason(1))
}

func TestAFloodLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	const n = 40_000
	b := setup(t, n)
	b.limit("a", fair.Limits{Concurrency: n, Weight: 1})
	b.add("a", n)
	sessions, _, pages := b.Footprint()
	require.Equal(t, n, sessions)
	require.Equal(t, 40, pages)
	for range n {
		r, ok := b.Next(b.now)
		require.True(t, ok)
		require.True(t, b.Done(r.Sequence, b.now))
	}
	sessions, _, pages = b.Footprint()
	require.Zero(t, sessions)
	require.Zero(t, pages)
	b.add("a", 1)
	require.Len(t, b.starts(), 1)
}

// Not parallel: it reads the size of the heap, which others would change.
func TestMemory(t *testing.T) {
	const tenants, requests = 10_000, 100_000
	ids, sessions := tenantIDs(tenants), sessionIDs(requests)
	queue := fair.New()
	before := heapInUse()
	for _, id := range ids {
		require.NoError(t, queue.SetTenant(id, fair.Limits{Concurrency: 4, Weight: 1, Rate: 10, Burst: 20, Period: time.Second}, epoch))
	}
	idle := heapInUse()
	for i, session := range sessions {
		err := queue.Push(fair.Request{Tenant: ids[i%tenants], Session: session, Kind: events.KindTurn, Sequence: uint64(i)}, epoch)
		require.NoError(t, err)
	}
	full := heapInUse()
	runtime.KeepAlive(queue)
	runtime.KeepAlive(sessions)
	require.LessOrEqual(t, (idle-before)/tenants, uint64(1024), "bytes an idle tenant")
	require.LessOrEqual(t, (full-idle)/requests, uint64(200), "bytes a queued request")
}
