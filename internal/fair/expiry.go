package fair

import (
	"math"
	"time"
)

// deadline is when a queued or running request expires. Few requests have one,
// so it is a record of its own: an item only has its handle, in four bytes that
// its alignment would waste.
type deadline struct {
	// moment is in ticks.
	moment int64
	item   int32
	// place is where the heap of deadlines has it; none while the request runs.
	place int32
}

// deadlines has in its heap those of the queued requests.
type deadlines struct {
	arena[deadline]
	heap[int32]
}

// expiryOrder sorts queued requests by when they expire.
type expiryOrder Queue

func (o *expiryOrder) before(a, b int32) bool {
	x, y := o.expiring.at(a), o.expiring.at(b)
	if x.moment != y.moment {
		return x.moment < y.moment
	}
	return o.items.at(x.item).sequence < o.items.at(y.item).sequence
}

func (o *expiryOrder) moved(handle int32, place int) {
	o.expiring.at(handle).place = int32(place) //nolint:gosec // a heap has no more places than there are handles, which are int32
}

// Expired picks a queued request whose time is over and takes it out of the
// queue, whatever else holds it back; false when there is none. The caller ends
// it. Whoever calls it until it is false, and Next after that at the same
// time, starts nothing that has expired.
func (q *Queue) Expired(now time.Time) (Request, bool) {
	q.advance(now)
	if q.expiring.len() == 0 {
		return Request{}, false
	}
	first := q.expiring.at(q.expiring.top())
	if first.moment > q.now {
		return Request{}, false
	}
	t := q.tenantOf(first.item)
	picked := q.describe(t, first.item)
	picked.Expires = time.UnixMicro(q.epoch + first.moment).UTC()
	q.dequeue(first.item)
	q.forget(first.item)
	q.reconsider(t)
	return picked, true
}

// expires gives a new item its deadline. The caller's time is rounded up, lest
// a request expire early.
func (q *Queue) expires(handle int32, at time.Time) {
	if at.IsZero() {
		return
	}
	made := q.expiring.take()
	*q.expiring.at(made) = deadline{moment: at.Add(tick-1).UnixMicro() - q.epoch, item: handle, place: none}
	q.items.at(handle).deadline = made
}

// arm lets the deadline of a request count that begins to queue.
func (q *Queue) arm(it *item) {
	if it.deadline != none {
		q.expiring.push((*expiryOrder)(q), it.deadline)
	}
}

// disarm undoes arm: what runs does not expire, but it may be given back.
func (q *Queue) disarm(it *item) {
	if it.deadline == none {
		return
	}
	at := q.expiring.at(it.deadline)
	q.expiring.remove((*expiryOrder)(q), int(at.place))
	at.place = none
}

// nextExpiry is when the next queued request expires, in ticks; the end of time
// when none does.
func (q *Queue) nextExpiry() int64 {
	if q.expiring.len() == 0 {
		return math.MaxInt64
	}
	return q.expiring.at(q.expiring.top()).moment
}
