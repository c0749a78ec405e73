package gcra_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/gcra"
)

// shared is a bucket that replicas change by compare-and-set.
type shared struct {
	bucket   gcra.Bucket
	revision int
}

// replica is one process that leases from a shared bucket.
type replica struct {
	lag   int64 // how far its clock is behind
	lease gcra.Lease
	known shared // as it last read it
	// draft and next are a borrowing that is under way.
	draft *gcra.Lease
	next  gcra.Bucket
	trips int
}

// begin reads the bucket and prepares to borrow.
func (r *replica) begin(s *shared, now int64, limit gcra.Limit) {
	r.known = *s
	lease, bucket := r.lease, s.bucket
	lease.Borrow(&bucket, now-r.lag, limit)
	r.draft, r.next = &lease, bucket
	r.trips++
}

// commit ends a borrowing, which comes to nothing when another was faster.
func (r *replica) commit(s *shared) {
	if r.draft != nil && s.revision == r.known.revision {
		*s = shared{bucket: r.next, revision: s.revision + 1}
		r.lease = *r.draft
	}
	r.draft = nil
}

// ask does one thing as it is done for a request.
func (r *replica) ask(s *shared, now int64, limit gcra.Limit) bool {
	own := now - r.lag
	if r.lease.Spend(own) {
		return true
	}
	if r.lease.Closed(own, limit) {
		return false
	}
	r.begin(s, now, limit)
	r.commit(s)
	return r.lease.Spend(own)
}

// Whatever replicas do, whenever, in whatever order, with clocks that are
// behind, dying with a lease in hand, or beaten to the bucket: all of them
// together never spend more than the burst and what has come back.
func TestReplicasNeverExceedTheLimit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := perMinute(rapid.SampledFrom([]int{1, 60, 300, 6_000, 100_000}).Draw(t, "rate"), rapid.IntRange(1, 100).Draw(t, "burst"))
		replicas := make([]*replica, rapid.IntRange(1, 4).Draw(t, "replicas"))
		punctual := rapid.Bool().Draw(t, "clocks agree")
		for i := range replicas {
			replicas[i] = &replica{}
			if !punctual {
				replicas[i].lag = rapid.Int64Range(0, ticks(10*time.Second)).Draw(t, "lag")
			}
		}
		var now int64
		s := &shared{bucket: gcra.NewBucket(0, limit)}
		var spent []int64
		spend := func() {
			spent = append(spent, now)
			require.LessOrEqual(t, int64(len(spent))*limit.Token(), limit.Full()+now*int64(limit.Rate), "at %d, of all", now)
		}
		one := func(t *rapid.T) *replica { return rapid.SampledFrom(replicas).Draw(t, "replica") }
		t.Repeat(map[string]func(*rapid.T){
			"time passes": func(t *rapid.T) {
				most := rapid.SampledFrom([]time.Duration{gcra.Tick, 20 * time.Millisecond, 3 * time.Second, time.Minute}).Draw(t, "at most")
				now += rapid.Int64Range(0, ticks(most)).Draw(t, "passed")
			},
			"requests": func(t *rapid.T) {
				r := one(t)
				for range rapid.IntRange(1, 200).Draw(t, "requests") {
					if r.ask(s, now, limit) {
						spend()
					}
				}
			},
			"a borrowing begins": func(t *rapid.T) { one(t).begin(s, now, limit) },
			"it ends": func(t *rapid.T) {
				r := one(t)
				r.commit(s)
				if r.lease.Spend(now - r.lag) {
					spend()
				}
			},
			"a replica dies": func(t *rapid.T) {
				r := one(t)
				*r = replica{lag: r.lag}
			},
		})
		if !punctual {
			return
		}
		for i, from := range spent { // of each span
			for j := i; j < len(spent); j += 1 + len(spent)/50 {
				parts := int64(j-i+1) * limit.Token()
				require.LessOrEqual(t, parts, limit.Full()+(spent[j]-from+ticks(gcra.LeaseTime))*int64(limit.Rate))
			}
		}
	})
}

// A replica that is alone gets all that there is: leasing costs nobody a request.
func TestALoneReplicaGetsItAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := perMinute(rapid.IntRange(1, 100_000).Draw(t, "rate"), rapid.IntRange(1, 5_000).Draw(t, "burst"))
		s := &shared{bucket: gcra.NewBucket(0, limit)}
		r := &replica{}
		for n := range limit.Burst {
			require.True(t, r.ask(s, 0, limit), "request %d of %d", n+1, limit.Burst)
		}
		require.False(t, r.ask(s, 0, limit))
		next := r.lease.Decide(false, 0)
		require.False(t, next.Allowed)
		require.Zero(t, next.Remaining)
		trips := r.trips
		require.False(t, r.ask(s, ticks(next.RetryAfter)-1, limit), "too early")
		require.Equal(t, trips, r.trips, "what is known to be in vain is not asked")
		require.True(t, r.ask(s, ticks(next.RetryAfter), limit), "just in time")
	})
}

// A tenant that is busy on three replicas costs a round trip for many requests,
// and one that has nothing left costs none.
func TestBusyReplicasSeldomAsk(t *testing.T) {
	t.Parallel()
	limit := perMinute(60_000, 1_000)
	s := &shared{bucket: gcra.NewBucket(0, limit)}
	replicas := []*replica{{}, {}, {}}
	allowed, asked := 0, 0
	for now := int64(0); now < ticks(10*time.Second); now += ticks(2 * time.Millisecond) { // 1 500/s, half as much again as is allowed
		for _, r := range replicas {
			asked++
			if r.ask(s, now, limit) {
				allowed++
			}
		}
	}
	trips := replicas[0].trips + replicas[1].trips + replicas[2].trips
	require.InDelta(t, 11_000, allowed, 300, "the burst, and ten seconds")
	require.Less(t, trips, asked/2)
	t.Logf("%d asked, %d allowed, %d round trips", asked, allowed, trips)
}

func TestDecisionsTellWhatIsLeft(t *testing.T) {
	t.Parallel()
	limit := perMinute(60, 10)
	s := &shared{bucket: gcra.NewBucket(0, limit)}
	r := &replica{}
	require.True(t, r.ask(s, 0, limit))
	require.Equal(t, gcra.Decision{Allowed: true, Limit: 10, Remaining: 9, Reset: time.Second}, r.lease.Decide(true, 0))
	for range 9 {
		require.True(t, r.ask(s, 0, limit))
	}
	require.Equal(t, gcra.Decision{Allowed: true, Limit: 10, Reset: 10 * time.Second}, r.lease.Decide(true, 0))
	half := ticks(500 * time.Millisecond)
	require.False(t, r.ask(s, half, limit))
	require.Equal(t, gcra.Decision{Limit: 10, Reset: 9500 * time.Millisecond, RetryAfter: 500 * time.Millisecond}, r.lease.Decide(false, half))
	require.Equal(t, gcra.Decision{Allowed: true, Limit: 10, Remaining: 10}, r.lease.Decide(true, ticks(time.Hour)))
}

// A new limit counts at once: a higher one opens what was closed, a lower one
// takes what is above it.
func TestLeasesFollowANewLimit(t *testing.T) {
	t.Parallel()
	low, high := perMinute(1, 1), perMinute(60, 100)
	s := &shared{bucket: gcra.NewBucket(0, low)}
	r := &replica{}
	require.True(t, r.ask(s, 0, low))
	require.False(t, r.ask(s, ticks(900*time.Millisecond), low))
	require.False(t, r.ask(s, ticks(900*time.Millisecond), high), "a higher burst makes no tokens")
	require.True(t, r.ask(s, ticks(2*time.Second), high), "a second brings one of sixty")
	require.True(t, r.ask(s, ticks(time.Hour), high))
	require.Equal(t, 99, r.lease.Decide(true, ticks(time.Hour)).Remaining)
	require.True(t, r.ask(s, ticks(time.Hour+2*time.Second), low))
	require.False(t, r.ask(s, ticks(time.Hour+2*time.Second), low))
}

// Tokens that were taken and not spent are lost after LeaseTime, so that a
// quiet replica does not let go at once what it took long ago.
func TestLeasesRunOut(t *testing.T) {
	t.Parallel()
	limit := perMinute(1, 100)
	s := &shared{bucket: gcra.NewBucket(0, limit)}
	r := &replica{}
	for range 9 { // of leases of 1, 2, 4 and 8
		require.True(t, r.ask(s, 0, limit))
	}
	require.Equal(t, 91, r.lease.Decide(true, 0).Remaining)
	last := r.lease
	require.True(t, last.Spend(ticks(gcra.LeaseTime)-1))
	require.False(t, r.lease.Spend(ticks(gcra.LeaseTime)))
	require.Equal(t, 85, r.lease.Decide(true, ticks(gcra.LeaseTime)).Remaining)
}
