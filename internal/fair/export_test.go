package fair

import (
	"fmt"

	"github.com/feira-dev/feira/events"
)

// Constants of the rule that the model states anew.
const (
	FirstExpected = firstExpected
	Learning      = learning
	Fading        = fading
	Graces        = graces
)

// Collide gives all sessions the same hash.
func (q *Queue) Collide() {
	q.sessions.hash = func(int32, events.SessionID) uint32 { return 7 }
}

// Footprint is how many records the queue holds, live and kept for reuse.
func (q *Queue) Footprint() (sessions, tenants, pages int) {
	return int(q.sessions.taken) - len(q.sessions.free), len(q.byTenant), len(q.items.pages)
}

// Audit checks every list, heap, count and index against the others.
func (q *Queue) Audit() error {
	audit := &audit{q: q, refs: make(map[int32]int32), turns: make(map[int32]int32)}
	audit.items()
	audit.sessions()
	audit.tenants()
	audit.lanes()
	audit.held()
	audit.expiring()
	return audit.err
}

type audit struct {
	q             *Queue
	refs, turns   map[int32]int32
	timed, queued int
	running       int
	err           error
}

func (a *audit) must(ok bool, format string, args ...any) {
	if !ok && a.err == nil {
		a.err = fmt.Errorf(format, args...)
	}
}

func (a *audit) items() {
	q := a.q
	for sequence, handle := range q.bySequence {
		it := q.items.at(handle)
		a.must(it.sequence == sequence, "sequence %d is indexed as %d", it.sequence, sequence)
		a.refs[it.session]++
		switch it.state {
		case stateRunning:
			a.running++
			if !it.call {
				a.turns[it.session]++
			}
			continue
		case stateTimed:
			a.timed++
			a.must(q.timed.list[it.place] == handle, "%d is not at its place among the timed", sequence)
			a.must(it.moment > q.now, "%d is due but timed", sequence)
		case stateReady:
			ready := q.tenantOf(handle).ready.list
			a.must(ready[it.place] == handle, "%d is not at its place among the ready", sequence)
			a.must(it.moment <= q.now, "%d is ready but not due", sequence)
		case stateWaiting:
		}
		a.queued++
		free := it.call || q.sessions.at(it.session).head == handle && q.sessions.at(it.session).running == 0
		a.must(free == (it.state != stateWaiting), "%d is free: %v, but in state %d", sequence, free, it.state)
	}
	a.must(a.timed == q.timed.len(), "%d timed, %d in the heap", a.timed, q.timed.len())
	a.must(a.queued == q.queued, "%d queued, counted %d", a.queued, q.queued)
	a.must(a.running == q.running, "%d running, counted %d", a.running, q.running)
	a.heap("timed", q.timed.len(), func(x, y int) bool {
		return (*timedOrder)(q).before(q.timed.list[x], q.timed.list[y])
	})
}

func (a *audit) sessions() {
	q := a.q
	a.must(int(q.sessions.taken)-len(q.sessions.free) == len(a.refs), "%d sessions live, %d have requests", int(q.sessions.taken)-len(q.sessions.free), len(a.refs))
	for handle, refs := range a.refs {
		s := q.sessions.at(handle)
		a.must(s.refs == refs, "session %q has %d requests, counted %d", s.id, refs, s.refs)
		a.must(s.running == a.turns[handle], "session %q has %d running, counted %d", s.id, a.turns[handle], s.running)
		var lent [2]uint32
		last, before := none, uint64(0)
		for at := s.head; at != none; at = q.items.at(at).behind {
			it := q.items.at(at)
			a.must(it.ahead == last, "turn %d has a wrong neighbour", it.sequence)
			a.must(last == none || it.sequence > before, "turn %d is out of order", it.sequence)
			if it.lends() && int(it.priority) < len(lent) {
				lent[it.priority]++
			}
			last, before = at, it.sequence
		}
		a.must(s.tail == last, "session %q has a wrong tail", s.id)
		a.must(s.lent == lent, "session %q lends %v, counted %v", s.id, lent, s.lent)
	}
}

func (a *audit) tenants() {
	q := a.q
	var queued, running int
	var weight int64
	for id, handle := range q.byTenant {
		t := q.tenants[handle]
		a.must(t.id == id, "tenant %q is indexed as %q", t.id, id)
		queued += int(t.queued)
		running += int(t.running)
		if t.busy() {
			weight += int64(t.limits.Weight)
		}
		var listed int32
		last := none
		for at := t.first; at != none; at = q.items.at(at).below {
			listed++
			a.must(q.items.at(at).above == last, "%d has a wrong neighbour among the queued of %q", q.items.at(at).sequence, id)
			a.must(last == none || q.items.at(last).sequence < q.items.at(at).sequence, "%d is out of order among the queued of %q", q.items.at(at).sequence, id)
			last = at
		}
		a.must(t.last == last, "tenant %q has a wrong last request", id)
		a.must(listed == t.queued, "tenant %q has %d queued, counted %d", id, listed, t.queued)
		a.must(q.contends(t) == (t.lane != nil), "tenant %q contends: %v", id, q.contends(t))
		a.must(t.queued > 0 || t.running > 0 || !t.dropped, "tenant %q is dropped but kept", id)
		a.must(t.part >= 0 && t.part < int64(t.limits.Weight), "tenant %q has a part of %d", id, t.part)
		a.heap("ready", t.ready.len(), func(x, y int) bool {
			return (*readyOrder)(q).before(t.ready.list[x], t.ready.list[y])
		})
	}
	a.must(queued == q.queued && running == q.running, "tenants have %d queued and %d running", queued, running)
	a.must(weight == q.busyWeight, "busy tenants weigh %d, counted %d", weight, q.busyWeight)
}

func (a *audit) held() {
	q := a.q
	held := 0
	for id, handle := range q.byTenant {
		t := q.tenants[handle]
		waits := t.ready.len() > 0 && q.holdTenant(t) == ReasonRate
		a.must(waits == (t.bucket.place != none), "tenant %q waits for its rate: %v", id, waits)
		if !waits {
			continue
		}
		held++
		a.must(q.held.list[t.bucket.place] == t, "tenant %q is not at its place among the held", id)
		a.must(t.due() > q.now, "tenant %q is held beyond its time", id)
	}
	a.must(held == q.held.len(), "%d tenants are held, %d in the heap", held, q.held.len())
	a.heap("held", q.held.len(), func(x, y int) bool { return heldOrder{}.before(q.held.list[x], q.held.list[y]) })
}

func (a *audit) expiring() {
	q := a.q
	live, armed := 0, 0
	for sequence, handle := range q.bySequence {
		it := q.items.at(handle)
		if it.deadline == none {
			continue
		}
		live++
		at := q.expiring.at(it.deadline)
		a.must(at.item == handle, "the deadline of %d is another's", sequence)
		if it.state == stateRunning {
			a.must(at.place == none, "%d runs and would expire", sequence)
			continue
		}
		armed++
		a.must(q.expiring.list[at.place] == it.deadline, "%d is not at its place among those that expire", sequence)
	}
	a.must(live == int(q.expiring.taken)-len(q.expiring.free), "%d deadlines are used, %d kept", live, int(q.expiring.taken)-len(q.expiring.free))
	a.must(armed == q.expiring.len(), "%d deadlines count, %d in the heap", armed, q.expiring.len())
	a.heap("expiring", q.expiring.len(), func(x, y int) bool {
		return (*expiryOrder)(q).before(q.expiring.list[x], q.expiring.list[y])
	})
}

func (a *audit) lanes() {
	c := &a.q.contest
	a.must(len(c.bySlope) == c.lanes.len(), "%d lanes are known, %d sorted", len(c.bySlope), c.lanes.len())
	a.heap("lanes", c.lanes.len(), func(x, y int) bool { return c.before(c.lanes.list[x], c.lanes.list[y]) })
	for i, l := range c.lanes.list {
		a.must(l.place == i && c.bySlope[l.slope] == l && l.tenants.len() > 0, "lane %v is astray", l.slope)
		for place, e := range l.tenants.list {
			t := e.tenant
			a.must(t.lane == l && t.place == place && t.slope() == l.slope, "tenant %q is in a wrong lane", t.id)
			whole, part := t.origin(l.slope)
			a.must(e == entry{whole, part, a.q.items.at(t.ready.top()).sequence, t}, "tenant %q has a stale entry", t.id)
		}
		a.heap("lane", l.tenants.len(), func(x, y int) bool { return l.before(l.tenants.list[x], l.tenants.list[y]) })
	}
}

func (a *audit) heap(name string, n int, before func(x, y int) bool) {
	for i := 1; i < n; i++ {
		a.must(!before(i, (i-1)/arity), "heap %s is out of order at %d", name, i)
	}
}
