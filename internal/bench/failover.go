package bench

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

const (
	failTenants  = 5
	failCap      = 6
	failSessions = 20 // of each tenant
	failSlots    = 24 // less than all caps together, so that both bind
	failJob      = 5 * time.Millisecond
	failRequests = 4000
	paceBucket   = 100 * time.Millisecond
)

// witness sees every start and end and notes what should not be. It is safe
// for concurrent use.
type witness struct {
	mu      sync.Mutex
	running map[events.TenantID]int
	busy    map[events.Place]bool
	served  map[uint64]int
	over    int
	starts  []time.Time
	cut     time.Time // after it, the first leader can grant nothing
	next    time.Time // of the first grant after the cut
	granted chan struct{}
}

func newWitness() *witness {
	return &witness{running: map[events.TenantID]int{}, busy: map[events.Place]bool{}, served: map[uint64]int{}, granted: make(chan struct{})}
}

func (w *witness) enter(run events.Run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starts = append(w.starts, time.Now())
	w.running[run.Tenant]++
	if w.running[run.Tenant] > failCap || w.busy[run.Place()] {
		w.over++
	}
	w.busy[run.Place()] = true
	if !w.cut.IsZero() && run.Granted.After(w.cut) && (w.next.IsZero() || run.Granted.Before(w.next)) {
		if w.next.IsZero() {
			close(w.granted)
		}
		w.next = run.Granted
	}
}

func (w *witness) leave(run events.Run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running[run.Tenant]--
	delete(w.busy, run.Place())
	w.served[run.Sequence]++
}

// failover cuts the leading scheduler off with runs under way, as a crash
// would: it can neither grant nor give its lease back.
func failover(ctx context.Context, w *world, report *Report) error {
	w.settle(failTenants, failCap)
	seen := newWitness()
	served, quarter := newTally(failRequests), newTally(failRequests/4)
	var first *candidate
	err := w.mute(func() (err error) {
		first, _, err = w.lead(ctx, "first")
		return err
	})
	if err != nil {
		return err
	}
	second, err := w.scheduler(ctx, "second")
	if err != nil {
		return err
	}
	if err := w.start(ctx, second); err != nil {
		return err
	}
	if _, err := w.fill(ctx, failRequests, crowd); err != nil {
		return err
	}
	b, err := w.connect(ctx)
	if err != nil {
		return err
	}
	err = w.pool(ctx, b, failSlots, counting(watched(b, seen, served), quarter))
	if err != nil {
		return err
	}
	if _, err := w.wait(ctx, quarter); err != nil {
		return err
	}
	seen.crash(first)
	w.say("the leader is cut off after %d of %d", served.count(), failRequests)
	if err := w.await(ctx, seen.granted, "the next grant"); err != nil {
		return err
	}
	_, err = w.wait(ctx, served)
	report.Failover, report.traces.starts = seen.sum(), seen.pace()
	w.say("next grant after %.2f s, %d over-grants, %d lost, %d duplicated",
		report.Failover.Seconds, report.Failover.OverGrants, report.Failover.Lost, report.Failover.Duplicated)
	return err
}

// crash ends all that the leader says to the world. Its lease is first, so
// that nothing of its orderly end is heard.
func (w *witness) crash(leader *candidate) {
	leader.buckets.Close()
	leader.bus.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = time.Now()
}

func (w *witness) sum() *Failover {
	w.mu.Lock()
	defer w.mu.Unlock()
	result := &Failover{Seconds: round(w.next.Sub(w.cut).Seconds()), OverGrants: w.over, Requests: failRequests}
	result.Lost = failRequests - len(w.served)
	for _, times := range w.served {
		result.Duplicated += times - 1
	}
	return result
}

// pace is starts a second over the time since the leader was cut off.
func (w *witness) pace() []point {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.starts) == 0 {
		return nil
	}
	begun := w.starts[0]
	counts := make([]int, w.starts[len(w.starts)-1].Sub(begun)/paceBucket+1)
	for _, start := range w.starts {
		counts[start.Sub(begun)/paceBucket]++
	}
	var points []point
	for i, count := range counts {
		at := begun.Add(time.Duration(i)*paceBucket + paceBucket/2).Sub(w.cut)
		points = append(points, point{at.Seconds(), float64(count) / paceBucket.Seconds()})
	}
	return points
}

// watched does as a worker does: a request that is gone has been served.
func watched(b *bus.Bus, seen *witness, served *tally) bus.RunHandler {
	return func(ctx context.Context, run events.Run, _ int) error {
		if _, found, err := b.Requests().Read(ctx, run.Sequence); err != nil || !found {
			return err
		}
		seen.enter(run)
		if err := work(ctx, failJob); err != nil {
			return err
		}
		seen.leave(run)
		served.add(1)
		return nil
	}
}

// crowd deals requests out to sessions that have several each.
func crowd(i int) (events.TenantID, events.SessionID) {
	return tenantID(i % failTenants), events.SessionID("s" + strconv.Itoa(i/failTenants%failSessions))
}
