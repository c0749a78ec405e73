package scheduling

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/fair"
	"github.com/feira-dev/feira/internal/session"
)

const (
	// endingsAtOnce is how many endings are under way at one time.
	endingsAtOnce = 32
	// expiriesAtOnce is how many expired requests one pass of the loop takes out
	// of the queue; the next pass comes at once.
	expiriesAtOnce = 4096
	// firstRetry is how long an ending that failed waits at least; it waits twice
	// as long each time, up to lastRetry.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// verdict is a request that is to be ended without being run, or looked for.
type verdict struct {
	request fair.Request
	cause   cause
	detail  string // of an ending; that of an expiry is made when it is needed
	tries   int
	due     time.Time // of the next try
}

// cause is why there is a verdict.
type cause uint8

const (
	// causeExpired: its time is over.
	causeExpired cause = iota
	// causeBacklog: its tenant had as many queued as it may when it came.
	causeBacklog
	// causeBudget: it does not fit into its tenant's budget.
	causeBudget
	// causeOrder: somebody says that it was cancelled. It stays queued until it
	// is known to be gone from REQUESTS.
	causeOrder
)

// concluded is what became of a verdict.
type concluded struct {
	verdict

	gone bool // from REQUESTS; of causeOrder
	err  error
}

// endings are the verdicts that are being carried out. All fields belong to the
// leader's goroutine. A verdict that is lost with the leader loses nothing: the
// request stays in REQUESTS, for the next leader or a worker to end.
type endings struct {
	waiting []verdict
	first   int // of those that wait
	failed  []verdict
	busy    int
	done    chan concluded
}

func newEndings() endings { return endings{done: make(chan concluded, endingsAtOnce)} }

func (e *endings) add(v verdict) { e.waiting = append(e.waiting, v) }

func (e *endings) next() (verdict, bool) {
	if e.first == len(e.waiting) {
		e.waiting, e.first = nil, 0
		return verdict{}, false
	}
	v := e.waiting[e.first]
	e.waiting[e.first] = verdict{}
	e.first++
	return v, true
}

// retry lets endings that failed wait their turn again, once they are due.
func (e *endings) retry(now time.Time) {
	kept := e.failed[:0]
	for _, v := range e.failed {
		if now.Before(v.due) {
			kept = append(kept, v)
			continue
		}
		e.add(v)
	}
	e.failed = kept
}

// expire takes what has expired out of the queue. It asks for no slot, so a cap,
// a pause or a lack of workers holds up no ending.
func (l *leader) expire() {
	now := l.cfg.Now()
	for range expiriesAtOnce {
		request, ok := l.queue.Expired(now)
		if !ok {
			break
		}
		l.endings.add(verdict{request: request, cause: causeExpired})
	}
}

// carryOutVerdicts begins as many as there is room for. A standby has only
// orders, and what it had begun when it led: who ends a request twice changes
// nothing.
func (l *leader) carryOutVerdicts(ctx context.Context) {
	for l.endings.busy < endingsAtOnce {
		v, ok := l.endings.next()
		if !ok {
			return
		}
		l.endings.busy++
		l.tasks.Go(func() { l.endings.done <- l.carryOut(ctx, v) })
	}
}

// overflow is told of a request that its tenant has no room for.
func (l *leader) overflow(request fair.Request) {
	standing, _ := l.queue.Snapshot(request.Tenant, l.cfg.Now())
	l.endings.add(verdict{request: request, cause: causeBacklog, detail: "tenant " + string(request.Tenant) + " had " +
		strconv.Itoa(standing.Queued) + " requests queued, its limit is " + strconv.Itoa(standing.Limits.Backlog)})
}

// heed takes in an order to cancel, which is a hint and not the truth: what is
// queued here is looked for before it is forgotten.
func (l *leader) heed(order events.Control) {
	if order.Action == events.ActionCancel && l.queue.Queues(order.Sequence) {
		l.endings.add(verdict{request: fair.Request{Sequence: order.Sequence}, cause: causeOrder})
	}
}

// carryOut runs away from the leader's goroutine.
func (l *leader) carryOut(ctx context.Context, v verdict) concluded {
	c := concluded{verdict: v}
	if v.cause == causeOrder {
		waiting, err := l.cfg.Requests.Waiting(ctx, v.request.Sequence)
		c.gone, c.err = !waiting, err
		return c
	}
	_, c.err = l.cfg.Endings.End(ctx, v.request.Sequence, v.ending())
	return c
}

func (v *verdict) ending() events.TurnCompleted {
	switch v.cause {
	case causeBudget:
		return events.TurnCompleted{Status: events.TurnRejected, Reason: events.ReasonBudgetExceeded, Detail: v.detail}
	case causeBacklog:
		return events.TurnCompleted{Status: events.TurnRejected, Reason: events.ReasonBacklogFull, Detail: v.detail}
	case causeExpired, causeOrder:
	}
	return events.TurnCompleted{
		Status: events.TurnExpired, Reason: events.ReasonExpired,
		Detail: "the request expired at " + v.request.Expires.Format(time.RFC3339),
	}
}

// keep holds what a request needs that has begun, lest it be refused for ever.
func (l *leader) keep(c concluded) {
	if a := l.books.accounts[c.request.Tenant]; a != nil && a.Account != nil {
		a.Keep(budget.Run{Request: c.request.Sequence, Session: c.request.Session, Kind: c.request.Kind})
	}
}

// conclude takes in what became of a verdict. A request that has started
// without the queue's knowledge, by a run that was given back, goes back into
// it: it is run to its end whatever its expiry and its tenant's backlog.
func (l *leader) conclude(ctx context.Context, c concluded) {
	l.endings.busy--
	sequence, now := c.request.Sequence, l.cfg.Now()
	switch {
	case ctx.Err() != nil:
	case c.cause == causeOrder:
		switch {
		case c.err != nil:
			l.cfg.Logger.WarnContext(ctx, "looking for a request that is said to be cancelled", "sequence", sequence, "error", c.err)
		case !c.gone:
			l.cfg.Logger.DebugContext(ctx, "a request that is to be cancelled has not ended", "sequence", sequence)
		case l.queue.Remove(sequence, now):
			l.cfg.Logger.DebugContext(ctx, "a cancelled request has left the queue", "sequence", sequence)
		}
	case c.err == nil:
		// A standby that does not hear it grants the request some day, in vain.
		_ = l.cfg.Hints.RunEnded(events.RunEnded{Tenant: c.request.Tenant, Sequence: sequence})
		l.cfg.Logger.DebugContext(ctx, "a request was ended", "tenant", c.request.Tenant, "sequence", sequence, "reason", c.verdict.ending().Reason)
	case errors.Is(c.err, session.ErrStarted):
		l.keep(c)
		// Restored, it needs no room; one that runs again by now is no matter.
		if l.queue.Restore(c.request, now) == nil {
			l.queue.Return(sequence, now)
		}
	default:
		c.due = now.Add(min(firstRetry<<min(c.tries, 8), lastRetry))
		c.tries++
		l.endings.failed = append(l.endings.failed, c.verdict)
		l.cfg.Logger.WarnContext(ctx, "ending a request", "tenant", c.request.Tenant, "sequence", sequence, "tries", c.tries, "error", c.err)
	}
}
