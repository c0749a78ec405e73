package fair_test

import (
	"container/heap"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// simulation runs a pool in virtual time: whoever is picked holds a slot for as
// long as its customer says, and things happen when they are due.
type simulation struct {
	t         require.TestingT
	queue     *fair.Queue
	now       time.Time
	sequence  uint64
	customers map[events.TenantID]*customer
	pending   happenings
	pushed    map[uint64]time.Time
	// started hears of every start.
	started func(r fair.Request, waited time.Duration)
}

type customer struct {
	weight int
	length func() time.Duration
	// slotTime is what its runs have had, kept apart from the queue's own books.
	slotTime time.Duration
	running  int
	since    time.Time
}

func (c *customer) settle(now time.Time) {
	c.slotTime += time.Duration(c.running) * now.Sub(c.since)
	c.since = now
}

type happening struct {
	at    time.Time
	order int
	do    func()
}

type happenings []happening

func (h happenings) Len() int { return len(h) }
func (h happenings) Less(i, j int) bool {
	return h[i].at.Before(h[j].at) || h[i].at.Equal(h[j].at) && h[i].order < h[j].order
}
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *happenings) Push(x any)   { *h = append(*h, x.(happening)) }
func (h *happenings) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func newSimulation(t require.TestingT, slots int) *simulation {
	s := &simulation{
		t: t, queue: fair.New(), now: epoch, customers: make(map[events.TenantID]*customer),
		pushed: make(map[uint64]time.Time), started: func(fair.Request, time.Duration) {},
	}
	s.queue.SetSlots(slots)
	return s
}

func (s *simulation) customer(id events.TenantID, limits fair.Limits, length func() time.Duration) *customer {
	c := &customer{weight: limits.Weight, length: length, since: s.now}
	s.customers[id] = c
	require.NoError(s.t, s.queue.SetTenant(id, limits, s.now))
	return c
}

func (s *simulation) push(id events.TenantID) {
	s.sequence++
	s.pushed[s.sequence] = s.now
	require.NoError(s.t, s.queue.Push(fair.Request{
		Tenant: id, Session: events.SessionID(strconv.FormatUint(s.sequence, 10)),
		Kind: events.KindTurn, Priority: events.PriorityNormal, Sequence: s.sequence,
	}, s.now))
}

func (s *simulation) at(at time.Time, do func()) {
	s.sequence++
	heap.Push(&s.pending, happening{at: at, order: int(s.sequence), do: do})
}

// until lets things happen up to a moment, granting after each of them.
func (s *simulation) until(end time.Time, observe func()) {
	s.grant()
	for {
		next, due := s.next(end)
		if !due {
			break
		}
		s.now = next.at
		next.do()
		s.grant()
		if observe != nil {
			observe()
		}
	}
	s.now = end
	for _, c := range s.customers {
		c.settle(end)
	}
}

// next is what happens next up to a moment: something planned, or the queue
// wakes by itself.
func (s *simulation) next(end time.Time) (happening, bool) {
	planned := len(s.pending) > 0 && !s.pending[0].at.After(end)
	at, waits := s.queue.Wake(s.now)
	if waits && !at.After(end) && (!planned || at.Before(s.pending[0].at)) {
		return happening{at: at, do: func() {}}, true
	}
	if !planned {
		return happening{}, false
	}
	return heap.Pop(&s.pending).(happening), true
}

func (s *simulation) grant() {
	for {
		r, ok := s.queue.Next(s.now)
		if !ok {
			return
		}
		c := s.customers[r.Tenant]
		c.settle(s.now)
		c.running++
		s.started(r, s.now.Sub(s.pushed[r.Sequence]))
		s.at(s.now.Add(c.length()), func() {
			c.settle(s.now)
			c.running--
			require.True(s.t, s.queue.Done(r.Sequence, s.now))
		})
	}
}

// flood keeps a customer's queue from ever running empty.
func (s *simulation) flood(id events.TenantID, depth int) {
	for range depth {
		s.push(id)
	}
	told := s.started
	s.started = func(r fair.Request, waited time.Duration) {
		told(r, waited)
		if r.Tenant == id {
			s.push(id)
		}
	}
}

// dice is a small generator of numbers that are the same in every run.
func dice(seed uint64) func(n int) int {
	return func(n int) int {
		seed = seed*6364136223846793005 + 1442695040888963407
		return int(seed >> 33 % uint64(n))
	}
}

// shares returns the largest relative error of the shares of slot time, and
// Jain's index of slot time by weight.
func (s *simulation) shares() (worst, jain float64) {
	var total, weights, sum, squares float64
	for _, c := range s.customers {
		total += c.slotTime.Seconds()
		weights += float64(c.weight)
		x := c.slotTime.Seconds() / float64(c.weight)
		sum += x
		squares += x * x
	}
	for _, c := range s.customers {
		got, want := c.slotTime.Seconds()/total, float64(c.weight)/weights
		worst = max(worst, math.Abs(got-want)/want)
	}
	return worst, sum * sum / (float64(len(s.customers)) * squares)
}

func TestSharesOfTenFloodingTenants(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]func(tenant, roll int) time.Duration{
		"alike":      func(_, roll int) time.Duration { return time.Duration(10+roll%40) * time.Millisecond },
		"unlike":     func(tenant, roll int) time.Duration { return time.Duration((tenant+1)*(10+roll%20)) * time.Millisecond },
		"heavy":      func(_, roll int) time.Duration { return time.Duration(5+roll%100/99*900) * time.Millisecond },
		"very short": func(_, roll int) time.Duration { return time.Duration(roll%3) * time.Microsecond },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t, 128)
			for i := range 10 {
				id := events.TenantID("flood-" + strconv.Itoa(i))
				roll := dice(uint64(i))
				s.customer(id, fair.Limits{Concurrency: 128, Weight: 1 + i%4}, func() time.Duration { return length(i, roll(1000)) })
				s.flood(id, 300)
			}
			window := 20 * time.Second
			if name == "very short" {
				window = time.Millisecond
			}
			s.until(epoch.Add(window), nil)
			worst, jain := s.shares()
			t.Logf("share error %.3f %%, Jain %.6f", 100*worst, jain)
			require.LessOrEqual(t, worst, 0.02)
			require.GreaterOrEqual(t, jain, 0.99)
		})
	}
}

func TestACapAboveTheFairShareCostsLittleOfIt(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 128)
	for i := range 10 {
		id := events.TenantID("flood-" + strconv.Itoa(i))
		limits := fair.Limits{Concurrency: 128, Weight: 1}
		if i == 0 {
			limits.Concurrency = 14 // beside a fair share of 12.8
		}
		roll := dice(uint64(i))
		s.customer(id, limits, func() time.Duration { return time.Duration(5+roll(100)/95*900) * time.Millisecond })
		s.flood(id, 300)
	}
	s.until(epoch.Add(60*time.Second), nil)
	got := s.customers["flood-0"].slotTime.Seconds() / (60 * 12.8)
	t.Logf("%.4f of the fair share", got)
	require.Greater(t, got, 0.96)
}

func TestACapBelowTheFairShareHoardsNoCredit(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 16)
	length := func() time.Duration { return 50 * time.Millisecond }
	capped := s.customer("capped", fair.Limits{Concurrency: 2, Weight: 1}, length)
	other := s.customer("other", fair.Limits{Concurrency: 16, Weight: 1}, length)
	s.flood("capped", 40)
	s.flood("other", 40)
	s.until(epoch.Add(60*time.Second), nil)
	require.InDelta(t, 2*60, capped.slotTime.Seconds(), 1, "it has its cap and no more")

	require.NoError(t, s.queue.SetTenant("capped", fair.Limits{Concurrency: 16, Weight: 1}, s.now))
	before := other.slotTime
	s.until(epoch.Add(61*time.Second), nil)
	// Its fair share is 8 slot-seconds; the grace is 4 times 2 runs of 50 ms.
	require.GreaterOrEqual(t, (other.slotTime - before).Seconds(), 7.5)
}

func TestAQuietTenantWaitsForNoMoreThanASlotToFallFree(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 128)
	roll := dice(1)
	s.customer("flood", fair.Limits{Concurrency: 128, Weight: 1}, func() time.Duration { return time.Duration(5+roll(20)) * time.Millisecond })
	s.customer("quiet", fair.Limits{Concurrency: 4, Weight: 1}, func() time.Duration { return 5 * time.Millisecond })
	for range 20_000 {
		s.push("flood")
	}
	var ask func()
	asked, waits, worst := 0, 0, time.Duration(0)
	ask = func() {
		s.push("quiet")
		asked++
		s.at(s.now.Add(20*time.Millisecond), ask)
	}
	s.at(epoch.Add(time.Millisecond), ask)
	s.started = func(r fair.Request, waited time.Duration) {
		if r.Tenant == "flood" {
			require.Equal(t, asked, waits, "a slot that fell free went to the flood")
			return
		}
		waits++
		worst = max(worst, waited)
	}
	s.until(epoch.Add(1500*time.Millisecond), nil)
	t.Logf("%d quiet requests waited at most %s", waits, worst)
	require.Positive(t, s.queue.Queued(), "the flood has passed too soon")
	require.Equal(t, 75, waits)
	require.LessOrEqual(t, worst, 5*time.Millisecond)
}

func TestNoTenantIsStarvedAndServiceGapsStayBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const slots = 8
		const longest = 200 * time.Millisecond
		s := newSimulation(t, slots)
		for i := range rapid.IntRange(2, 6).Draw(t, "tenants") {
			id := events.TenantID("tenant-" + strconv.Itoa(i))
			roll := dice(rapid.Uint64().Draw(t, "seed"))
			least := rapid.IntRange(0, 199).Draw(t, "least")
			s.customer(id, fair.Limits{Concurrency: slots, Weight: rapid.IntRange(1, 9).Draw(t, "weight")},
				func() time.Duration { return time.Duration(least+roll(200-least)+1) * time.Millisecond })
			s.flood(id, 2*slots)
		}
		// A tenant is only picked while it stands lowest. From then on it gains at
		// most what its runs can still take, and the other may have had as much as
		// its own forecast in flight; the pool's first forecast is a second.
		gap := func(a, b *customer) float64 {
			return ((slots+1)*longest.Seconds())/float64(a.weight) + slots*time.Second.Seconds()/float64(b.weight)
		}
		s.until(epoch.Add(5*time.Second), func() {
			for _, a := range s.customers {
				a.settle(s.now)
			}
			for _, a := range s.customers {
				for _, b := range s.customers {
					ahead := a.slotTime.Seconds()/float64(a.weight) - b.slotTime.Seconds()/float64(b.weight)
					require.LessOrEqual(t, ahead, gap(a, b))
				}
			}
		})
		for _, c := range s.customers {
			require.Positive(t, c.slotTime)
		}
	})
}
