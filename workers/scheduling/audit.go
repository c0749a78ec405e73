package scheduling

import (
	"context"
	"errors"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
)

// audit is what the books need once a second: tenants that wait are looked at
// again, what is set aside for nobody is looked for, marks are told that could
// not be, what has changed is saved, and the log is looked at whether it still is
// the one that is read.
func (l *leader) audit(ctx context.Context) {
	if len(l.books.accounts) == 0 || l.cfg.Budgets == nil {
		return
	}
	l.books.look = true
	l.date(ctx)
	l.advance()
	for _, a := range l.books.accounts {
		if a.Account == nil || !a.known {
			continue
		}
		if a.waits {
			a.waits = false
			l.balance(a)
		}
		l.announce(ctx, a)
	}
	l.probe(ctx)
	l.save(ctx)
}

type saved struct {
	revision uint64
	position uint64
	err      error
}

// save writes checkpoints. One that another leader has written meanwhile is as
// true as ours, each for its own place in the log, so ours replaces it.
func (l *leader) save(ctx context.Context) {
	if l.books.saving {
		return
	}
	type draft struct {
		account  *account
		state    budget.State
		position uint64
		revision uint64
	}
	drafts := map[tenant.ID]draft{}
	for id, a := range l.books.accounts {
		if a.known && (a.dirty || a.Position() > a.saved+checkpointAge) {
			state := a.Snapshot()
			state.Log = l.books.born
			drafts[id] = draft{account: a, state: state, position: a.Position(), revision: a.revision}
			a.dirty = false
		}
	}
	if len(drafts) == 0 {
		return
	}
	l.books.saving = true
	l.report(ctx, func() func() {
		results := make(map[tenant.ID]saved, len(drafts))
		for id, d := range drafts {
			revision, err := l.cfg.Budgets.Spend.Save(ctx, id, d.state, d.revision)
			if errors.Is(err, budget.ErrMoved) {
				_, revision, _, _ = l.cfg.Budgets.Spend.Load(ctx, id)
			}
			results[id] = saved{revision: revision, position: d.position, err: err}
		}
		return func() {
			l.books.saving = false
			for id, result := range results {
				a := drafts[id].account
				if result.revision > 0 {
					a.revision = result.revision
				}
				if result.err == nil {
					a.saved = result.position
					continue
				}
				a.dirty = true
				l.cfg.Logger.WarnContext(ctx, "saving what a tenant has spent", "tenant", id, "error", result.err)
			}
		}
	})
}

// orphan is something set aside for a run that is nowhere.
type orphan struct {
	account *account
	id      tenant.ID
	run     budget.Run
	settled bool
	err     error
}

// probe looks for the endings of runs that are neither in RUNS nor queued and
// have not been settled: of a request that had ended under another sequence,
// for one, the log never tells. Where the log has the ending, the tail will tell.
func (l *leader) probe(ctx context.Context) {
	if l.books.probing || !l.caughtUp || l.settling {
		return
	}
	lost := l.orphans(l.cfg.Now())
	if len(lost) == 0 {
		return
	}
	l.books.probing = true
	l.report(ctx, func() func() {
		for i, o := range lost {
			lost[i].settled, lost[i].err = l.hasEnded(ctx, o)
		}
		return func() {
			l.books.probing = false
			for _, o := range lost {
				delete(o.account.ended, o.run.Request)
				switch {
				case o.err != nil:
					l.cfg.Logger.WarnContext(ctx, "looking for the ending of a run", "tenant", o.id, "sequence", o.run.Request, "error", o.err)
				case l.books.accounts[o.id] == o.account && !o.settled && l.isLost(o.run.Request) && o.account.Release(o.run.Request):
					o.account.dirty, o.account.waits = true, false
					l.balance(o.account)
					l.cfg.Logger.DebugContext(ctx, "a run has gone without an ending of its own", "tenant", o.id, "sequence", o.run.Request)
				}
			}
		}
	})
}

func (l *leader) orphans(now time.Time) []orphan {
	var lost []orphan
	for id, a := range l.books.accounts {
		if !a.known {
			continue
		}
		for _, run := range a.Held() {
			if !l.isLost(run.Request) {
				delete(a.ended, run.Request)
				continue
			}
			since, seen := a.ended[run.Request]
			switch {
			case !seen:
				a.ended[run.Request] = now
			case now.Sub(since) >= orphanAge && len(lost) < orphansAtOnce:
				lost = append(lost, orphan{account: a, id: id, run: run})
			}
		}
	}
	return lost
}

func (l *leader) isLost(request uint64) bool {
	_, running := l.running[request]
	return !running && !l.queue.Queues(request)
}

func (l *leader) hasEnded(ctx context.Context, o orphan) (bool, error) {
	records, err := l.cfg.Budgets.Facts.Read(ctx, o.id, o.run.Session, 0)
	if err != nil {
		return false, err
	}
	for _, record := range records {
		if end, ok := record.Event.(*events.TurnCompleted); ok && end.RequestSequence == o.run.Request {
			return true, nil
		}
	}
	return false, nil
}
