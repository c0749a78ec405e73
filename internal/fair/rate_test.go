package fair_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// rated is a limit that nothing but the rate reaches.
func rated(rate, burst int, period time.Duration) fair.Limits {
	return fair.Limits{Concurrency: 1000, Weight: 1, Rate: rate, Burst: burst, Period: period}
}

func (b *testBundle) wake() time.Time {
	b.t.Helper()
	at, ok := b.Wake(b.now)
	require.True(b.t, ok)
	return at
}

func TestARateLetsABurstGoAndThenOneAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t, 1000)
	b.limit("a", rated(3, 5, time.Second))
	b.add("a", 12)
	require.Len(t, b.starts(), 5)
	require.Equal(t, fair.ReasonRate, b.reason(6))
	_, place, _ := b.Reason(12, b.now)
	require.Equal(t, 7, place)

	// A third of a second is no whole number of microseconds. Rounded each time,
	// ten of them would take ten thirds too long; as it is, only a wake is late.
	for n := range 7 {
		at := b.wake()
		require.Equal(t, epoch.Add(time.Duration(math.Ceil(float64(n+1)*1e6/3))*time.Microsecond), at)
		b.now = at.Add(-time.Microsecond)
		require.Empty(t, b.starts(), "a microsecond early")
		b.now = at
		require.Len(t, b.starts(), 1)
	}
	_, waits := b.Wake(b.now)
	require.False(t, waits, "nothing is left to wake for")
}

func TestQuietFillsNoMoreThanTheBurst(t *testing.T) {
	t.Parallel()
	b := setup(t, 1000)
	b.limit("a", rated(fair.MaxRate, 4, time.Second))
	b.add("a", 4)
	require.Len(t, b.starts(), 4)
	b.now = b.now.Add(100 * 365 * 24 * time.Hour) // and no product overflows
	b.add("a", 10)
	require.Len(t, b.starts(), 4)
}

func TestAtItsBoundsTheRateIsStillExact(t *testing.T) {
	t.Parallel()
	b := setup(t, 10)
	b.limit("a", rated(1, fair.MaxBurst, fair.MaxPeriod))
	b.add("a", 3)
	require.Len(t, b.starts(), 3)
	b.limit("a", rated(fair.MaxRate, 1, fair.MaxPeriod))
	b.add("a", 2)
	require.Len(t, b.starts(), 1)
	require.Equal(t, b.now.Add(86_400*time.Microsecond), b.wake())
}

// Two refusals must not hide each other: what a person can change first is told.
func TestTheCapIsToldBeforeTheRate(t *testing.T) {
	t.Parallel()
	b := setup(t, 10)
	limits := rated(1, 2, time.Minute)
	limits.Concurrency = 2
	b.limit("a", limits)
	b.add("a", 3)
	started := b.starts()
	require.Equal(t, fair.ReasonCap, b.reason(3))
	_, waits := b.Wake(b.now)
	require.False(t, waits, "time alone frees no slot")
	b.end(started[0])
	require.Equal(t, fair.ReasonRate, b.reason(3))
	require.Equal(t, epoch.Add(time.Minute), b.wake())
	limits.Paused = true
	b.limit("a", limits)
	_, waits = b.Wake(b.now)
	require.False(t, waits)
}

func TestAReturnedRunCostsOneToken(t *testing.T) {
	t.Parallel()
	b := setup(t, 10)
	b.limit("a", rated(1, 2, time.Minute))
	b.add("a", 3)
	require.Equal(t, []uint64{1, 2}, b.starts())
	require.True(t, b.Return(1, b.now))
	require.Equal(t, []uint64{1}, b.starts(), "its token has come back with it")
	require.Equal(t, fair.ReasonRate, b.reason(3))

	b.now = b.now.Add(time.Hour)
	require.True(t, b.Return(1, b.now))
	b.add("a", 5)
	require.Len(t, b.starts(), 2, "the bucket holds no more than the burst")
}

func TestRestoredRunsTakeTokensAndOweNone(t *testing.T) {
	t.Parallel()
	b := setup(t, 100)
	b.limit("a", rated(1, 5, time.Second))
	for range 2 {
		require.NoError(t, b.Restore(b.request("a", "s", events.PriorityNormal), b.now))
	}
	b.add("a", 10)
	require.Len(t, b.starts(), 3)
	for range 50 {
		require.NoError(t, b.Restore(b.request("a", "s", events.PriorityNormal), b.now))
	}
	require.Equal(t, epoch.Add(time.Second), b.wake())
}

func TestAChangeOfTheRateCountsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, 100)
	b.limit("a", rated(1, 10, time.Minute))
	b.add("a", 40)
	b.limit("a", rated(1, 3, time.Minute))
	require.Len(t, b.starts(), 3, "no more than the new burst is kept")
	b.limit("a", rated(1, 10, time.Minute))
	require.Empty(t, b.starts(), "a larger burst makes no tokens")

	require.Equal(t, epoch.Add(time.Minute), b.wake())
	b.limit("a", rated(60, 10, time.Minute))
	require.Equal(t, epoch.Add(time.Second), b.wake())
	b.now = b.now.Add(500 * time.Millisecond)
	b.limit("a", rated(1, 10, time.Second)) // the same in another period
	require.Equal(t, epoch.Add(time.Second), b.wake(), "half a token stays half a token")

	b.limit("a", fair.Limits{Concurrency: 20, Weight: 1})
	require.Len(t, b.starts(), 17, "now only the cap holds it")
	_, waits := b.Wake(b.now)
	require.False(t, waits)
	limits := rated(1, 4, time.Second)
	b.limit("a", limits)
	require.Len(t, b.starts(), 4)
}

// A dropped tenant that comes back while a run of its own goes has not filled
// its bucket by that.
func TestDroppingATenantFillsNoBucket(t *testing.T) {
	t.Parallel()
	b := setup(t, 10)
	b.limit("a", rated(1, 2, time.Minute))
	b.add("a", 3)
	require.Len(t, b.starts(), 2)
	require.Equal(t, []uint64{3}, b.DropTenant("a", b.now))
	_, waits := b.Wake(b.now)
	require.False(t, waits)
	b.limit("a", rated(1, 2, time.Minute))
	b.add("a", 1)
	require.Empty(t, b.starts())
}

func TestRatesThatCannotBeCountedAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	for want, limits := range map[string]fair.Limits{
		"rate is -1":       rated(-1, 1, time.Second),
		"rate is 1000001":  rated(fair.MaxRate+1, 1, time.Second),
		"burst is 0":       rated(1, 0, time.Second),
		"burst is 1000001": rated(1, fair.MaxBurst+1, time.Second),
		"period is 0s":     rated(1, 1, 0),
		"period is 1.5µs":  rated(1, 1, 1500*time.Nanosecond),
		"period is 24h":    rated(1, 1, fair.MaxPeriod+time.Microsecond),
	} {
		err := b.SetTenant("c", limits, b.now)
		require.ErrorIs(t, err, fair.ErrInvalidLimits)
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, b.SetTenant("c", rated(fair.MaxRate, fair.MaxBurst, fair.MaxPeriod), b.now))
	require.NoError(t, b.SetTenant("c", rated(0, -1, -1), b.now), "without a rate the rest means nothing")
}

// A tenant that its rate keeps below its fair share hoards no service for the
// day the rate is raised, and costs the others nothing.
func TestARateBelowTheFairShareHoardsNoCredit(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 16)
	length := func() time.Duration { return 50 * time.Millisecond }
	held := s.customer("held", fair.Limits{Concurrency: 16, Weight: 1, Rate: 20, Burst: 2, Period: time.Second}, length)
	other := s.customer("other", fair.Limits{Concurrency: 16, Weight: 1}, length)
	s.flood("held", 40)
	s.flood("other", 40)
	s.until(epoch.Add(60*time.Second), nil)
	require.InDelta(t, 60, held.slotTime.Seconds(), 1, "20 runs of 50 ms a second")
	require.InDelta(t, 15*60, other.slotTime.Seconds(), 2, "and the rest for the other")

	require.NoError(t, s.queue.SetTenant("held", fair.Limits{Concurrency: 16, Weight: 1}, s.now))
	before := other.slotTime
	s.until(epoch.Add(61*time.Second), nil)
	require.GreaterOrEqual(t, (other.slotTime - before).Seconds(), 7.5)
}
