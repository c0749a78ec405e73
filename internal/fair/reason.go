package fair

import (
	"time"

	"github.com/feira-dev/feira/events"
)

// Reason says why a queued request has not started.
type Reason string

// Reasons, in the order in which they are looked for: the first that applies is
// given, so that people hear first what they can change.
const (
	// ReasonPaused: its tenant is paused.
	ReasonPaused Reason = "paused"
	// ReasonNotBefore: it may not start yet.
	ReasonNotBefore Reason = "not_before"
	// ReasonSession: an earlier turn of its session runs or has yet to start.
	ReasonSession Reason = "session"
	// ReasonCap: its tenant runs as many as it may.
	ReasonCap Reason = "cap"
	// ReasonBudget: what its tenant has spent is not known, or the rest of its
	// budget is set aside for what runs.
	ReasonBudget Reason = "budget"
	// ReasonRate: its tenant has started as many of late as it may.
	ReasonRate Reason = "rate"
	// ReasonSlots: no slot of the pool is free.
	ReasonSlots Reason = "slots"
	// ReasonOthers: nothing holds it but those who go first. Of a request that
	// would go first itself, it means that nobody has called Next.
	ReasonOthers Reason = "others"
)

// Reason says why a queued request has not started, and its place among the
// queued of its tenant, from 1: by priority, then in stream order, each turn
// with the priority that it inherits. The place counts all that stand before
// it, those that may not start yet included. It is false for a request that is
// not queued. It takes time in the length of the tenant's queue.
func (q *Queue) Reason(sequence uint64, now time.Time) (reason Reason, place int, ok bool) {
	q.advance(now)
	handle, known := q.bySequence[sequence]
	if !known || q.items.at(handle).state == stateRunning {
		return "", 0, false
	}
	return q.reason(handle), q.place(handle), true
}

func (q *Queue) reason(handle int32) Reason {
	it := q.items.at(handle)
	t := q.tenants[q.sessions.at(it.session).tenant]
	if isPaused(t) {
		return ReasonPaused
	}
	if reason := q.holdRequest(it); reason != "" {
		return reason
	}
	if reason := q.holdTenant(t); reason != "" {
		return reason
	}
	if q.isFull() {
		return ReasonSlots
	}
	return ReasonOthers
}

func (q *Queue) place(handle int32) int {
	it := q.items.at(handle)
	t := q.tenants[q.sessions.at(it.session).tenant]
	rank := q.inherited(handle)
	place := 1
	count := func(other *item, otherRank events.Priority) {
		if otherRank < rank || otherRank == rank && other.sequence < it.sequence {
			place++
		}
	}
	for at := t.first; at != none; at = q.items.at(at).below {
		switch other := q.items.at(at); {
		case other.call:
			count(other, other.priority)
		case other.behind == none:
			// The last turn of a session stands for all of them: from it towards
			// the head, what is inherited is known at each step.
			q.eachTurn(at, count)
		}
	}
	return place
}

// eachTurn visits the turns of a session from this one to the head, each with
// the priority that it has or inherits from those visited before.
func (q *Queue) eachTurn(handle int32, visit func(it *item, rank events.Priority)) {
	lent := events.PriorityBulk
	for ; handle != none; handle = q.items.at(handle).ahead {
		it := q.items.at(handle)
		visit(it, min(it.priority, lent))
		if it.lends() {
			lent = min(lent, it.priority)
		}
	}
}

// inherited is the request's own priority, or a more urgent one from behind it.
func (q *Queue) inherited(handle int32) events.Priority {
	it := q.items.at(handle)
	rank := it.priority
	if it.call {
		return rank
	}
	for at := it.behind; at != none; at = q.items.at(at).behind {
		if other := q.items.at(at); other.lends() {
			rank = min(rank, other.priority)
		}
	}
	return rank
}
