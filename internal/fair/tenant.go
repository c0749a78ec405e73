package fair

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gcra"
)

// MaxWeight is the largest weight that keeps virtual time exact.
const MaxWeight = 1_000_000

// Limits are what a tenant may use.
type Limits struct {
	// Concurrency is how many of its runs may go at one time.
	Concurrency int
	// Weight is its share of slot time beside other busy tenants.
	Weight int
	// Paused tenants start nothing; what runs goes on.
	Paused bool
	// Rate is how many of its runs may start in a Period in the long run; 0 sets
	// no limit, and then Burst and Period mean nothing.
	Rate int
	// Burst is how many may start at once after a quiet time.
	Burst int
	// Period is what Rate counts in: whole microseconds.
	Period time.Duration
	// Backlog is how many of its requests may be queued when one more is pushed;
	// 0 sets no limit. What is queued already stays when it is lowered, and what
	// is given back does not count as new.
	Backlog int
}

func (l Limits) validate() error {
	var faults []error
	if l.Concurrency < 1 || l.Concurrency > math.MaxInt32 {
		faults = append(faults, fmt.Errorf("%w: concurrency is %d, want 1 to %d", ErrInvalidLimits, l.Concurrency, math.MaxInt32))
	}
	if l.Weight < 1 || l.Weight > MaxWeight {
		faults = append(faults, fmt.Errorf("%w: weight is %d, want 1 to %d", ErrInvalidLimits, l.Weight, MaxWeight))
	}
	if l.Backlog < 0 || l.Backlog > math.MaxInt32 {
		faults = append(faults, fmt.Errorf("%w: backlog is %d, want 0 to %d", ErrInvalidLimits, l.Backlog, math.MaxInt32))
	}
	return errors.Join(append(faults, l.validateRate())...)
}

// tenant is a tenant's part of the queue.
type tenant struct {
	id     events.TenantID
	handle int32
	limits Limits
	// dropped tenants are remembered only for what still runs.
	dropped bool
	// held by its budget, on the word of who keeps the accounts.
	held bool

	queued  int32
	running int32
	// first and last are the ends of its queued requests, which are linked above
	// and below in the order of their sequences.
	first, last int32
	// ready are the requests that only the tenant's own rules hold back.
	ready heap[int32]

	account
	bucket bucket
	// lane and place are where the contest has it; no lane while it does not contend.
	lane  *lane
	place int
}

// SetTenant makes a tenant known or changes its limits, at once and whatever
// runs: a lower cap ends nothing, a new weight counts from now on. It makes a
// dropped tenant known again.
func (q *Queue) SetTenant(id events.TenantID, limits Limits, now time.Time) error {
	if err := limits.validate(); err != nil {
		return fmt.Errorf("tenant %q: %w", id, err)
	}
	q.advance(now)
	t, known := q.tenant(id)
	if !known {
		t = q.register(id, limits)
	}
	t.dropped = false
	if t.limits.Weight != limits.Weight {
		t.settle(q.now, t.slope())
		t.roundUp()
		if t.busy() {
			q.busyWeight += int64(limits.Weight - t.limits.Weight)
		}
	}
	t.meter(&limits, q.now)
	t.limits = limits
	q.reconsider(t)
	return nil
}

// DropTenant forgets a tenant that has left the registry. It returns the
// sequences that were queued, in order, for the caller to refuse; what runs is
// counted until it ends.
func (q *Queue) DropTenant(id events.TenantID, now time.Time) []uint64 {
	q.advance(now)
	t, known := q.tenant(id)
	if !known || t.dropped {
		return nil
	}
	sequences := make([]uint64, 0, t.queued)
	for t.first != none {
		handle := t.first
		sequences = append(sequences, q.items.at(handle).sequence)
		q.dequeue(handle)
		q.forget(handle)
	}
	slices.Sort(sequences)
	t.dropped = true
	q.reconsider(t)
	return sequences
}

func (q *Queue) tenant(id events.TenantID) (*tenant, bool) {
	handle, known := q.byTenant[id]
	if !known {
		return nil, false
	}
	return q.tenants[handle], true
}

func (q *Queue) register(id events.TenantID, limits Limits) *tenant {
	t := &tenant{id: events.TenantID(strings.Clone(string(id))), limits: limits, first: none, last: none}
	t.since = q.now
	t.bucket = bucket{Bucket: gcra.NewBucket(q.now, limits.gcra()), place: none}
	if last := len(q.freeTenants) - 1; last >= 0 {
		t.handle = q.freeTenants[last]
		q.freeTenants = q.freeTenants[:last]
		q.tenants[t.handle] = t
	} else {
		t.handle = int32(len(q.tenants)) //nolint:gosec // so many tenants do not fit in memory
		q.tenants = append(q.tenants, t)
	}
	q.byTenant[t.id] = t.handle
	return t
}

// count books requests and runs that come and go.
func (q *Queue) count(t *tenant, queued, running int32) {
	before := t.busy()
	t.queued += queued
	t.running += running
	q.queued += int(queued)
	q.running += int(running)
	switch after := t.busy(); {
	case after && !before:
		q.busyWeight += int64(t.limits.Weight)
	case before && !after:
		q.busyWeight -= int64(t.limits.Weight)
	}
}

func (t *tenant) busy() bool { return t.queued > 0 || t.running > 0 }

func (t *tenant) slope() slope {
	return slope{running: int64(t.running), weight: int64(t.limits.Weight)}
}

// reconsider puts a tenant where it belongs after anything about it may have
// changed: into the contest, to another place in it, out of it, or, dropped
// and with nothing running, out of memory.
func (q *Queue) reconsider(t *tenant) {
	if t.limits.Rate > 0 || t.bucket.place != none {
		q.await(t)
	}
	if !q.contends(t) {
		if t.lane != nil {
			q.contest.leave(t, q.now)
			hold(t)
		}
		if !t.busy() {
			t.grace = 0
		}
		if t.dropped && t.running == 0 {
			delete(q.byTenant, t.id)
			q.tenants[t.handle] = nil
			q.freeTenants = append(q.freeTenants, t.handle)
		}
		return
	}
	if t.lane == nil {
		q.lift(t)
	}
	q.contest.enter(t, q.items.at(t.ready.top()).sequence, q.now)
}
