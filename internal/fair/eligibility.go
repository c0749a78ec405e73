package fair

// This file is the one place of the rules that decide whether a request may
// start. Each is a function and has its [Reason]; Next, through contends, and
// Reason ask the same functions, so that they cannot disagree.
//
// One rule of the design has its place here and is not built yet: budget, one
// more rule in holdTenant, after rate, for a tenant whose spend is unknown; a
// request whose own reservation is too large is for Next to hand back as
// refused, since that is an ending and not a wait.

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
