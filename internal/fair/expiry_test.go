package fair_test

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// expiring pushes a turn that expires after d.
func (b *testBundle) expiring(tenant events.TenantID, session events.SessionID, d time.Duration) uint64 {
	b.t.Helper()
	r := b.request(tenant, session, events.PriorityNormal)
	r.Expires = b.now.Add(d)
	require.NoError(b.t, b.Push(r, b.now))
	return r.Sequence
}

// expires is the sequences that expire now.
func (b *testBundle) expires() []uint64 {
	b.t.Helper()
	expired := []uint64{}
	for {
		r, ok := b.Expired(b.now)
		require.NoError(b.t, b.Audit())
		if !ok {
			return expired
		}
		expired = append(expired, r.Sequence)
	}
}

func TestARequestExpiresWhateverHoldsIt(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.limit("a", fair.Limits{Concurrency: 1, Weight: 1})
	running := b.expiring("a", "busy", time.Second)
	require.Equal(t, []uint64{running}, b.starts())
	behind := b.expiring("a", "busy", 3*time.Second)
	capped := b.expiring("a", "own", 2*time.Second)
	early := b.request("b", "s", events.PriorityNormal)
	early.NotBefore, early.Expires = b.now.Add(time.Hour), b.now.Add(4*time.Second)
	require.NoError(t, b.Push(early, b.now))
	b.limit("b", fair.Limits{Concurrency: 1, Weight: 1, Paused: true})
	last := b.turn("a", "busy", events.PriorityNormal)

	at, ok := b.Wake(b.now)
	require.True(t, ok)
	require.Equal(t, epoch.Add(2*time.Second), at)
	b.now = at.Add(-time.Microsecond)
	require.Empty(t, b.expires(), "not a microsecond early")
	b.now = at
	require.Equal(t, []uint64{capped}, b.expires())
	b.now = epoch.Add(time.Hour)
	require.Equal(t, []uint64{behind, early.Sequence}, b.expires(), "in the order of their times")
	require.Equal(t, 1, b.Running(), "what runs does not expire")
	b.end(running)
	require.Equal(t, []uint64{last}, b.starts())
}

func TestAnExpiryCountsAgainWhenARunIsGivenBack(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	sequence := b.expiring("a", "s", time.Second)
	require.Equal(t, []uint64{sequence}, b.starts())
	_, wakes := b.Wake(b.now)
	require.False(t, wakes)
	b.now = b.now.Add(time.Hour)
	require.True(t, b.Return(sequence, b.now))
	require.Equal(t, []uint64{sequence}, b.expires())
	require.Zero(t, b.Queued())
}

func TestAnExpiryIsRoundedUpAndMayHavePassed(t *testing.T) {
	t.Parallel()
	b := setup(t, 0)
	late := b.expiring("a", "s", -time.Hour)
	require.Equal(t, []uint64{late}, b.expires())
	between := b.expiring("a", "s", time.Nanosecond)
	require.Empty(t, b.expires())
	b.now = b.now.Add(time.Microsecond)
	require.Equal(t, []uint64{between}, b.expires())
}

func TestABacklogBoundsWhatIsQueued(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.limit("a", fair.Limits{Concurrency: 4, Weight: 1, Backlog: 2})
	b.add("a", 2)
	require.ErrorIs(t, b.Push(b.request("a", "s", events.PriorityNormal), b.now), fair.ErrBacklogFull)
	require.ErrorIs(t, b.Push(fair.Request{Tenant: "a", Session: "s", Kind: events.KindTurn, Sequence: 1}, b.now), fair.ErrDuplicate,
		"what is queued already is not refused")
	b.add("b", 3)
	require.Equal(t, []uint64{1}, b.starts())
	b.add("a", 1)
	require.True(t, b.Return(1, b.now), "what is given back is not new")

	b.limit("a", fair.Limits{Concurrency: 4, Weight: 1, Backlog: 1})
	snapshot, _ := b.Snapshot("a", b.now)
	require.Equal(t, 3, snapshot.Queued, "a lower limit ends nothing")
	require.ErrorIs(t, b.Push(b.request("a", "s", events.PriorityNormal), b.now), fair.ErrBacklogFull)
	b.limit("a", fair.Limits{Concurrency: 4, Weight: 1})
	b.add("a", 1)

	for backlog, fits := range map[int]bool{-1: false, 0: true, math.MaxInt32: true, math.MaxInt32 + 1: false} {
		err := b.SetTenant("c", fair.Limits{Concurrency: 1, Weight: 1, Backlog: backlog}, b.now)
		require.Equal(t, fits, err == nil, "%d", backlog)
		if !fits {
			require.ErrorContains(t, err, "backlog is")
		}
	}
}

func TestAFloodThatExpiresLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	const n = 40_000
	b := setup(t, 0)
	for range n {
		b.sequence++
		r := fair.Request{Tenant: "a", Session: "s", Kind: events.KindCall, Sequence: b.sequence, Expires: b.now.Add(time.Second)}
		require.NoError(t, b.Push(r, b.now))
	}
	b.now = b.now.Add(time.Second)
	for range n {
		_, ok := b.Expired(b.now)
		require.True(t, ok)
	}
	sessions, _, pages := b.Footprint()
	require.Zero(t, sessions)
	require.Zero(t, pages)
	require.NoError(t, b.Audit())
}

// Not parallel, like TestMemory. An expiry costs those alone that have one.
func TestMemoryOfExpiries(t *testing.T) {
	const requests = 100_000
	ids, sessions := tenantIDs(100), sessionIDs(requests)
	perRequest := func(expires time.Time) float64 {
		queue := fair.New()
		for _, id := range ids {
			require.NoError(t, queue.SetTenant(id, fair.Limits{Concurrency: 4, Weight: 1}, epoch))
		}
		before := heapInUse()
		for i, session := range sessions {
			r := fair.Request{Tenant: ids[i%len(ids)], Session: session, Kind: events.KindTurn, Sequence: uint64(i), Expires: expires}
			require.NoError(t, queue.Push(r, epoch))
		}
		after := heapInUse()
		runtime.KeepAlive(queue)
		return float64(after-before) / requests
	}
	without, with := perRequest(time.Time{}), perRequest(epoch.Add(time.Hour))
	t.Logf("%.1f bytes a request, %.1f for one that expires", without, with)
	require.LessOrEqual(t, with, 200.0)
	require.LessOrEqual(t, with-without, 24.0)
	runtime.KeepAlive(sessions) // lest the second measure count their end
}
