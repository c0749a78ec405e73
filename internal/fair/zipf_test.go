package fair_test

import (
	"maps"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// A hundred thousand tenants whose load and weights follow Zipf's law: the few
// first never run out of work, the many others ask now and then, some of them
// under a rate. The first share what the others leave by weight; the others
// hardly wait.
func TestSharesAndWaitsOfAHundredThousandTenants(t *testing.T) {
	t.Parallel()
	const (
		tenants, backlogged = 100_000, 64
		slots, window       = 256, 30 * time.Second
	)
	s := newSimulation(t, slots)
	ids := tenantIDs(tenants)
	roll := dice(5)
	length := func() time.Duration { return time.Duration(20+roll(60)) * time.Millisecond }
	rank := make(map[events.TenantID]int, tenants)
	for i, id := range ids {
		limits := fair.Limits{Concurrency: slots, Weight: 1 + backlogged/(i+1)}
		if i >= backlogged && i%5 == 0 {
			limits.Rate, limits.Burst, limits.Period = 2, 8, time.Second
		}
		rank[id] = i
		s.customer(id, limits, length)
	}
	var longest, longestFirst time.Duration
	first := make(map[uint64]bool) // its tenant had never asked before
	asked, served := 0, 0
	s.started = func(r fair.Request, waited time.Duration) {
		delete(s.pushed, r.Sequence)
		switch i := rank[r.Tenant]; {
		case i < backlogged:
			s.push(r.Tenant)
		case i%5 == 0:
			served++ // its rate may hold it
		default:
			served++
			longest = max(longest, waited)
			if first[r.Sequence] {
				longestFirst = max(longestFirst, waited)
			}
		}
	}
	for _, id := range ids[:backlogged] {
		for range slots {
			s.push(id)
		}
	}
	var ask func()
	ask = func() {
		// The logarithm of the rank is uniform: the load is as 1/rank.
		u := float64(roll(1<<20)) / (1 << 20)
		i := int(backlogged * math.Pow(tenants/backlogged, u))
		before, _ := s.queue.Snapshot(ids[i], s.now)
		s.push(ids[i])
		first[s.sequence] = before.SlotSeconds == 0 && before.Queued+before.Running == 0
		asked++
		if next := s.now.Add(time.Duration(roll(2000)) * time.Microsecond); next.Before(epoch.Add(window - time.Second)) {
			s.at(next, ask)
		}
	}
	s.at(epoch.Add(time.Second), ask) // by then the slots do not fall free all at once
	s.until(epoch.Add(window), nil)

	var used time.Duration
	for _, c := range s.customers {
		used += c.slotTime
	}
	require.Equal(t, slots*window, used, "a slot was idle while somebody had work")
	require.Equal(t, asked, served, "%d were lost or starved", asked-served)
	maps.DeleteFunc(s.customers, func(id events.TenantID, _ *customer) bool { return rank[id] >= backlogged })
	worst, jain := s.shares()
	t.Logf("%d of the others served, waited at most %s, for a first one %s; share error %.3f %%, Jain %.6f", served, longest, longestFirst, 100*worst, jain)
	require.LessOrEqual(t, worst, 0.02)
	require.GreaterOrEqual(t, jain, 0.99)
	// A slot falls free every fifth of a millisecond, and who has had nothing takes
	// the next; who runs, or has just run, waits for its turn.
	require.LessOrEqual(t, longestFirst, 10*time.Millisecond)
	require.LessOrEqual(t, longest, 500*time.Millisecond)
}
