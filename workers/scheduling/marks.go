package scheduling

import (
	"context"
	"errors"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/session"
)

// announce writes the next mark of an account into the log, fenced by the mark
// before it: of two leaders one is refused, and finds the other's.
func (l *leader) announce(ctx context.Context, a *account) {
	if a.telling || !a.known || l.tenure == nil {
		return
	}
	due := a.Due()
	if len(due) == 0 {
		return
	}
	a.telling = true
	mark, id, last := due[0], a.customer.ID, a.LastTold()
	entry := session.Entry{Last: last, Event: reached(mark), Envelope: events.Envelope{
		ID: mark.ID, Source: events.SessionSource(id, events.BudgetSession), Type: events.TypeBudgetReached,
		Time: l.cfg.Now(), Tenant: id, Session: events.BudgetSession,
	}}
	l.report(ctx, func() func() {
		place, err := l.cfg.Budgets.Facts.Append(ctx, entry)
		var log []events.Record
		if errors.Is(err, session.ErrConflict) || errors.Is(err, session.ErrUncertain) {
			log, _ = l.cfg.Budgets.Facts.Read(ctx, id, events.BudgetSession, 0)
		}
		return func() {
			a.telling = false
			switch {
			case err == nil:
				a.Told(mark.ID, mark.From, place)
				a.dirty = true
				l.announce(ctx, a)
			case errors.Is(err, session.ErrConflict) || errors.Is(err, session.ErrUncertain):
				a.GoOn(log)
			default:
				l.cfg.Logger.WarnContext(ctx, "telling of a budget", "tenant", id, "error", err)
			}
		}
	})
}

func reached(mark budget.Reached) *events.BudgetReached {
	b := mark.Budget
	return &events.BudgetReached{
		Budget: b.Name, Percent: mark.Percent, Unit: string(b.Unit), Currency: b.Currency, Limit: b.Limit.String(), Spent: mark.Spent.String(),
		Soft: b.Soft, Period: string(b.Period), From: mark.From, To: mark.To, Session: mark.Session,
	}
}
