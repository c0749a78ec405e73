package scheduling

import (
	"context"
	"errors"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
)

type checkpoint struct {
	state    budget.State
	revision uint64
	found    bool
}

func (l *leader) load(ctx context.Context, missing []tenant.ID) {
	l.books.loading = true
	fresh := make(map[tenant.ID]*account, len(missing))
	for _, id := range missing {
		fresh[id] = l.books.accounts[id]
	}
	l.report(ctx, func() func() {
		read := map[tenant.ID]checkpoint{}
		born, failed := l.cfg.Budgets.Facts.Born(ctx)
		for _, id := range missing {
			if failed != nil {
				break
			}
			state, revision, found, err := l.cfg.Budgets.Spend.Load(ctx, id)
			if err != nil {
				failed = err
				break // the broker is away, or will be asked again anyway
			}
			read[id] = checkpoint{state: state, revision: revision, found: found}
		}
		return func() {
			l.books.loading = false
			l.books.look = failed == nil // else with the next second
			if failed != nil {
				l.cfg.Logger.WarnContext(ctx, "what tenants have spent is not known, and nothing of theirs is granted", "error", failed)
			}
			if failed == nil || len(read) > 0 {
				l.dated(ctx, born)
			}
			for id, kept := range read {
				if a := l.books.accounts[id]; a == fresh[id] {
					a.loaded, a.revision = true, kept.revision
					if kept.found {
						l.revive(ctx, a, kept.state)
					}
				}
			}
		}
	})
}

// openTail reads the log from where the first account needs it.
func (l *leader) openTail(ctx context.Context) {
	l.advance()
	l.books.end()
	l.books.tail++
	l.books.caught = false
	tail, tenants := l.books.tail, make([]tenant.ID, 0, len(l.books.accounts))
	after, first := uint64(0), true
	for id, a := range l.books.accounts {
		if a.Account == nil {
			continue
		}
		a.tail = tail
		tenants = append(tenants, id)
		if position := a.Position(); first || position < after {
			after, first = position, false
		}
	}
	for sequence, granted := range l.running {
		if a := l.books.accounts[granted.place.Tenant]; a != nil && a.Account != nil {
			a.Hold(granted.budgeted(sequence))
		}
	}
	l.books.through = after
	reading, end := context.WithCancel(ctx)
	l.books.end = end
	l.tasks.Go(func() {
		err := l.cfg.Budgets.Facts.Watch(reading, tenants, after, func(batch []events.Record, through uint64, caughtUp bool) error {
			l.pass(reading, func() { l.hear(ctx, tail, batch, through, caughtUp) })
			return reading.Err()
		})
		if reading.Err() == nil {
			l.pass(reading, func() { l.lose(ctx, tail, err) })
		}
	})
}

// budgeted is the run as an account knows it.
func (g *grant) budgeted(sequence uint64) budget.Run {
	return budget.Run{Request: sequence, Session: g.session, Kind: g.kind}
}

// lose takes in that a tail has ended. What is set aside stays so until another
// tells what became of it.
func (l *leader) lose(ctx context.Context, tail int, err error) {
	if tail != l.books.tail {
		return
	}
	l.cfg.Logger.ErrorContext(ctx, "the log of what is spent cannot be read", "error", err)
	l.advance()
	l.books.tail++
}

// hear takes in what the log tells.
func (l *leader) hear(ctx context.Context, tail int, batch []events.Record, through uint64, caughtUp bool) {
	if tail != l.books.tail {
		return
	}
	touched := map[*account]struct{}{}
	for _, record := range batch {
		if a := l.books.accounts[record.Tenant]; a != nil && a.tail == tail {
			a.hear(record)
			touched[a] = struct{}{}
		}
	}
	l.books.through = max(l.books.through, through)
	for a := range touched {
		a.Advance(through)
		a.dirty, a.waits = true, false
		l.balance(a)
	}
	if caughtUp && !l.books.caught {
		l.books.caught = true
		for _, a := range l.books.accounts {
			if a.tail == tail {
				a.known = true
				l.balance(a)
				touched[a] = struct{}{}
			}
		}
	}
	for a := range touched {
		l.announce(ctx, a)
	}
}

func (a *account) hear(record events.Record) {
	switch event := record.Event.(type) {
	case *events.TurnStarted:
		a.Begin(record.Sequence, budget.Run{Request: event.RequestSequence, Session: record.Session, Kind: event.Kind})
	case *events.TurnCompleted:
		delete(a.ended, event.RequestSequence)
		a.Settle(budget.Fact{
			Sequence: record.Sequence, Request: event.RequestSequence, Session: record.Session, At: record.Time,
			Use: budget.Use{Calls: int64(event.ToolCalls), InputTokens: event.Usage.InputTokens, OutputTokens: event.Usage.OutputTokens},
		})
	case *events.BudgetReached:
		a.Told(record.ID, event.From, record.Sequence)
	}
}

// advance tells the accounts how far the tail has looked.
func (l *leader) advance() {
	for _, a := range l.books.accounts {
		if a.tail != 0 && a.tail == l.books.tail {
			a.Advance(l.books.through)
		}
	}
}

// errCaughtUp ends a reading of what is stored.
var errCaughtUp = errors.New("caught up")

// CatchUp brings an account to the end of the log, for whoever only wants to
// know. Nothing is set aside in it but for turns that the log says have begun.
func CatchUp(ctx context.Context, needs *Budgeting, id tenant.ID, into *budget.Account) error {
	born, err := needs.Facts.Born(ctx)
	if err != nil {
		return err
	}
	state, _, found, err := needs.Spend.Load(ctx, id)
	if err != nil {
		return err
	}
	if found {
		into.Restore(state)
		if anew(state, born) {
			into.Anew()
		}
	}
	a := &account{Account: into}
	err = needs.Facts.Watch(ctx, []tenant.ID{id}, into.Position(), func(batch []events.Record, through uint64, caughtUp bool) error {
		for _, record := range batch {
			a.hear(record)
		}
		a.Advance(through)
		if caughtUp {
			return errCaughtUp
		}
		return nil
	})
	if errors.Is(err, errCaughtUp) {
		return nil
	}
	if err == nil {
		return context.Cause(ctx)
	}
	return err
}
