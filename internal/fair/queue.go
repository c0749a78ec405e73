package fair

import (
	"fmt"
	"math"
	"time"

	"github.com/feira-dev/feira/events"
)

// Queue holds the queued and running requests of a pool. It is not safe for
// concurrent use. Its time is the latest that it was given: a clock that steps
// back stands still here until it has caught up.
type Queue struct {
	slots   int
	running int
	queued  int

	began bool
	epoch int64 // the first time given, in ticks since 1970
	now   int64 // ticks since epoch

	byTenant    map[events.TenantID]int32
	tenants     []*tenant // by handle; nil where free
	freeTenants []int32
	busyWeight  int64 // of tenants with requests queued or running

	sessions   directory
	items      arena[item]
	bySequence map[uint64]int32
	timed      heap[int32]
	held       heap[*tenant] // by nothing but their rate
	expiring   deadlines

	contest  contest
	floor    int64 // the highest level of any tenant that went next
	expected int64 // typical length of the pool's runs
}

// New returns a queue without slots and tenants.
func New() *Queue {
	return &Queue{
		byTenant:   make(map[events.TenantID]int32),
		sessions:   newDirectory(),
		bySequence: make(map[uint64]int32),
		contest:    contest{bySlope: make(map[slope]*lane)},
		expected:   firstExpected,
	}
}

// SetSlots says how many live slots the pool has in all. Fewer than run stop
// new starts and nothing else.
func (q *Queue) SetSlots(n int) { q.slots = n }

// Push queues a request. Pushing in stream order is the fast way, but any order
// is right as long as an earlier turn of the session comes before a later one
// has started.
func (q *Queue) Push(r Request, now time.Time) error {
	if err := r.validate(); err != nil {
		return fmt.Errorf("request %d: %w", r.Sequence, err)
	}
	q.advance(now)
	if _, known := q.bySequence[r.Sequence]; known {
		return fmt.Errorf("request %d: %w", r.Sequence, ErrDuplicate)
	}
	t, known := q.tenant(r.Tenant)
	if !known || t.dropped {
		return fmt.Errorf("request %d: %w: %q", r.Sequence, ErrUnknownTenant, r.Tenant)
	}
	if isBacklogged(t) {
		return fmt.Errorf("request %d: %w: tenant %q has %d queued", r.Sequence, ErrBacklogFull, r.Tenant, t.queued)
	}
	handle := q.admit(t, &r)
	q.items.at(handle).moment = q.notBefore(r.NotBefore)
	q.expires(handle, r.Expires)
	q.enqueue(handle)
	q.reconsider(t)
	return nil
}

// Next picks the request that starts now and counts it as running; false when
// no slot is free or nothing may start.
func (q *Queue) Next(now time.Time) (Request, bool) {
	q.advance(now)
	if q.isFull() {
		return Request{}, false
	}
	t := q.contest.first(q.now)
	if t == nil {
		return Request{}, false
	}
	q.raise(t)
	handle := t.ready.top()
	picked := q.describe(t, handle)
	q.start(t, handle, q.now)
	return picked, true
}

// Remove withdraws a queued request; false when it is not queued.
func (q *Queue) Remove(sequence uint64, now time.Time) bool {
	q.advance(now)
	handle, known := q.bySequence[sequence]
	if !known || q.items.at(handle).state == stateRunning {
		return false
	}
	t := q.tenantOf(handle)
	q.dequeue(handle)
	q.forget(handle)
	q.reconsider(t)
	return true
}

// Wake is when time alone will next let something start or expire: a request
// that only its NotBefore holds from being ready, a tenant that only its rate
// holds, a queued request with an expiry; false when there is none. It may have
// passed already where Expired was not asked. Nothing wakes of itself: the
// caller asks Expired and Next again at that time.
func (q *Queue) Wake(now time.Time) (time.Time, bool) {
	q.advance(now)
	due := q.nextExpiry()
	if q.timed.len() > 0 {
		due = min(due, q.items.at(q.timed.top()).moment)
	}
	if q.held.len() > 0 {
		t := q.held.top()
		due = min(due, t.due())
	}
	if due == math.MaxInt64 {
		return time.Time{}, false
	}
	return time.UnixMicro(q.epoch + due).UTC(), true
}

// Queues reports whether the request is queued.
func (q *Queue) Queues(sequence uint64) bool {
	handle, known := q.bySequence[sequence]
	return known && q.items.at(handle).state != stateRunning
}

// Running is how many requests run, of all tenants.
func (q *Queue) Running() int { return q.running }

// Queued is how many requests are queued, of all tenants.
func (q *Queue) Queued() int { return q.queued }

// advance moves time on, makes ready what has fallen due, and lets tenants
// contend whose rate holds them no more.
func (q *Queue) advance(now time.Time) {
	ticks := now.UnixMicro()
	if !q.began {
		q.epoch, q.began = ticks, true
	}
	q.now = max(q.now, ticks-q.epoch)
	for q.timed.len() > 0 {
		handle := q.timed.top()
		if q.items.at(handle).moment > q.now {
			break
		}
		q.hide(handle)
		q.show(handle)
		q.reconsider(q.tenantOf(handle))
	}
	for q.held.len() > 0 {
		t := q.held.top()
		if t.due() > q.now {
			break
		}
		q.reconsider(t)
	}
}

// notBefore is a caller's time in ticks, rounded up lest a request start early;
// zero when it has passed.
func (q *Queue) notBefore(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	moment := at.Add(tick-1).UnixMicro() - q.epoch
	if moment <= q.now {
		return 0
	}
	return moment
}

// admit makes a record of a request.
func (q *Queue) admit(t *tenant, r *Request) int32 {
	handle := q.items.take()
	*q.items.at(handle) = item{
		sequence: r.Sequence, priority: r.Priority, call: r.Kind == events.KindCall,
		session: q.sessions.acquire(t.handle, r.Session), ahead: none, behind: none, deadline: none,
	}
	q.bySequence[r.Sequence] = handle
	return handle
}

// forget drops the record of a request that is neither queued nor running.
func (q *Queue) forget(handle int32) {
	it := q.items.at(handle)
	delete(q.bySequence, it.sequence)
	q.sessions.release(it.session)
	if it.deadline != none {
		q.expiring.give(it.deadline)
	}
	q.items.give(handle)
	if len(q.bySequence) == 0 {
		q.shrink()
	}
}

// keptPages is how many pages of requests an empty queue keeps.
const keptPages = 16

// shrink gives the memory of a flood back once its last request has gone: maps
// and arenas grow, but never shrink of themselves.
func (q *Queue) shrink() {
	if len(q.items.pages) <= keptPages {
		return
	}
	q.items = arena[item]{}
	q.expiring = deadlines{}
	q.bySequence = make(map[uint64]int32)
	q.sessions.arena = arena[session]{}
	q.sessions.byHash = make(map[uint32]int32)
}

func (q *Queue) tenantOf(handle int32) *tenant {
	return q.tenants[q.sessions.at(q.items.at(handle).session).tenant]
}
