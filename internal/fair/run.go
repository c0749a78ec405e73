package fair

import (
	"fmt"
	"time"
)

// Done ends a running request: its slot, its cap and its session are free. It
// is false when the request does not run.
func (q *Queue) Done(sequence uint64, now time.Time) bool {
	q.advance(now)
	handle, running := q.runOf(sequence)
	if !running {
		return false
	}
	t := q.tenantOf(handle)
	q.stop(t, handle)
	it := q.items.at(handle)
	if it.moment != restored {
		t.learn(q.now - it.moment)
		q.expected = blend(q.expected, q.now-it.moment)
	}
	q.expose(q.sessions.at(it.session))
	q.forget(handle)
	q.reconsider(t)
	return true
}

// Return ends a running request that was not finished: it goes back to its old
// place, with its session's later turns behind it, and the slot time that it
// has had stays charged. The token that it took of its tenant's rate is given
// back: started again, it costs no second one. Its expiry counts again. It is false when the request does not run, and also
// when its tenant was dropped meanwhile: then the run has ended here all the
// same and the request is gone; a push of it would say [ErrUnknownTenant].
func (q *Queue) Return(sequence uint64, now time.Time) bool {
	q.advance(now)
	handle, running := q.runOf(sequence)
	if !running {
		return false
	}
	t := q.tenantOf(handle)
	q.stop(t, handle)
	t.refund(q.now)
	if t.dropped {
		q.forget(handle)
		q.reconsider(t)
		return false
	}
	q.items.at(handle).moment = 0
	q.enqueue(handle)
	q.reconsider(t)
	return true
}

// Restore counts a request as running that somebody else has started, whatever
// the caps, the slots and its session say. One that is queued here leaves the
// queue. It takes a token of its tenant's rate if there is one. Its slot time counts from now, and its length teaches nothing. A tenant
// that is not known is taken in as one that was dropped: its run holds a slot
// until it ends. It is [ErrDuplicate] when the request runs.
func (q *Queue) Restore(r Request, now time.Time) error {
	if err := r.validate(); err != nil {
		return fmt.Errorf("run of request %d: %w", r.Sequence, err)
	}
	q.advance(now)
	handle, known := q.bySequence[r.Sequence]
	if known {
		if q.items.at(handle).state == stateRunning {
			return fmt.Errorf("run of request %d: %w", r.Sequence, ErrDuplicate)
		}
		q.start(q.tenantOf(handle), handle, restored)
		return nil
	}
	t, known := q.tenant(r.Tenant)
	if !known {
		t = q.register(r.Tenant, Limits{Concurrency: 1, Weight: 1})
		t.dropped = true
	}
	handle = q.admit(t, &r)
	q.enqueue(handle)
	q.start(t, handle, restored)
	return nil
}

func (q *Queue) runOf(sequence uint64) (int32, bool) {
	handle, known := q.bySequence[sequence]
	return handle, known && q.items.at(handle).state == stateRunning
}

// start moves a queued request among the running.
func (q *Queue) start(t *tenant, handle int32, moment int64) {
	it := q.items.at(handle)
	t.settle(q.now, t.slope())
	t.spend(q.now)
	if !it.call {
		s := q.sessions.at(it.session)
		s.running++
		if s.head != none {
			q.hide(s.head)
		}
	}
	q.dequeue(handle)
	it.state, it.moment = stateRunning, moment
	q.count(t, 0, 1)
	q.reconsider(t)
}

// stop takes a request from among the running.
func (q *Queue) stop(t *tenant, handle int32) {
	it := q.items.at(handle)
	t.settle(q.now, t.slope())
	q.count(t, 0, -1)
	it.state = stateWaiting
	if !it.call {
		q.sessions.at(it.session).running--
	}
}
