package fair

import (
	"time"

	"github.com/feira-dev/feira/events"
)

// This file is the one place of the rules that decide whether a request may
// start. Each is a function and has its [Reason]; Next, through contends, and
// Reason ask the same functions, so that they cannot disagree.
//
// Budgets are not reckoned with here: who keeps the accounts holds a tenant
// whose spend is not known, or whose room others have set aside, and ends what
// does not fit, since that is no wait.

// contends reports whether the tenant wants a slot and may have one.
func (q *Queue) contends(t *tenant) bool {
	return t.ready.len() > 0 && q.holdTenant(t) == ""
}

// holdTenant says which rule of the tenant holds all its requests back; empty
// when none does.
func (q *Queue) holdTenant(t *tenant) Reason {
	switch {
	case isPaused(t):
		return ReasonPaused
	case isCapped(t):
		return ReasonCap
	case t.held:
		return ReasonBudget
	case q.isOverRate(t):
		return ReasonRate
	default:
		return ""
	}
}

// holdRequest says which rule of the request itself holds it back; empty when
// none does.
func (q *Queue) holdRequest(it *item) Reason {
	switch {
	case q.isEarly(it):
		return ReasonNotBefore
	case q.isBehindTurn(it):
		return ReasonSession
	default:
		return ""
	}
}

// Hold keeps a tenant from starting anything for want of budget, or lets it go
// again; what runs goes on. It is false when the tenant is not known.
func (q *Queue) Hold(id events.TenantID, held bool, now time.Time) bool {
	q.advance(now)
	t, known := q.tenant(id)
	if !known {
		return false
	}
	if t.held != held {
		t.held = held
		q.reconsider(t)
	}
	return true
}

func isPaused(t *tenant) bool { return t.limits.Paused }

func isCapped(t *tenant) bool { return int(t.running) >= t.limits.Concurrency }

func (q *Queue) isEarly(it *item) bool { return it.moment > q.now }

func (q *Queue) isBehindTurn(it *item) bool {
	if it.call {
		return false
	}
	return q.sessions.at(it.session).running > 0 || it.ahead != none
}

// isBacklogged reports whether the tenant may not queue one more.
func isBacklogged(t *tenant) bool {
	return t.limits.Backlog > 0 && int(t.queued) >= t.limits.Backlog
}

// isFull reports whether the pool has no slot to give.
func (q *Queue) isFull() bool { return q.running >= q.slots }
