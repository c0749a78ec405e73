package scheduling

import (
	"context"
	"time"

	"github.com/feira-dev/feira/internal/budget"
)

// A checkpoint is true for a place of one log. Where the stream was lost and made
// anew its places begin again, and what ends at a place that the old log had
// passed would never be counted. So a checkpoint says whose places it means, and
// a leader looks once a second whether the log is still the one that it reads.
// What had been spent stays spent; what the lost log alone knew, at most a second
// of it, nobody can tell, and the scheduler says so aloud.

// anew reports whether a checkpoint is of another log than the one that is there.
func anew(state budget.State, born time.Time) bool {
	return !state.Log.IsZero() && !state.Log.Equal(born)
}

// revive has an account go on from its checkpoint.
func (l *leader) revive(ctx context.Context, a *account, state budget.State) {
	a.Restore(state)
	if anew(state, l.books.born) {
		l.cfg.Logger.ErrorContext(ctx, "the log was made anew since a tenant's spending was saved: it goes on from what was saved",
			"tenant", a.customer.ID, "saved", state.Now, "log", l.books.born)
		a.Anew()
		a.dirty = true
	}
	a.saved = a.Position()
}

// date looks whether the log is still the one that is read.
func (l *leader) date(ctx context.Context) {
	if l.books.dating || l.tenure == nil {
		return
	}
	l.books.dating = true
	l.report(ctx, func() func() {
		born, err := l.cfg.Budgets.Facts.Born(ctx)
		return func() {
			l.books.dating = false
			if err == nil { // else the broker is away, or the log is being made
				l.dated(ctx, born)
			}
		}
	})
}

// dated takes in when the log was made. Where it is another, all accounts count
// it from its beginning, and nothing is granted until they have.
func (l *leader) dated(ctx context.Context, born time.Time) {
	before := l.books.born
	l.books.born = born
	if before.IsZero() || before.Equal(born) {
		return
	}
	l.cfg.Logger.ErrorContext(ctx, "the log was lost and made anew: what its last second knew of spending is lost", "was", before, "log", born)
	for _, a := range l.books.accounts {
		if a.Account != nil && a.loaded {
			a.Anew()
			a.dirty, a.saved = true, 0
		}
	}
	l.doubt()
}
