package scheduling

import (
	"context"
	"time"
)

// election is the end of a campaign: a tenure, or why there will be none.
type election struct {
	tenure Tenure
	err    error
}

// campaign competes for the lease, after a pause, away from the loop.
func (l *leader) campaign(ctx context.Context, after time.Duration) {
	l.tasks.Go(func() {
		if !wait(ctx, after) {
			return
		}
		tenure, err := l.cfg.Lease.Acquire(ctx, l.cfg.ID)
		if err != nil && ctx.Err() != nil {
			return
		}
		l.elections <- election{tenure: tenure, err: err}
	})
}

// wait is false when ctx has ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// lost is closed when the tenure is; nobody waits for it while there is none.
func (l *leader) lost() <-chan struct{} {
	if l.tenure == nil {
		return nil
	}
	return l.tenure.Lost()
}

// lead begins a leadership. Nothing is granted until RUNS has been read, and
// that only when every grant of an earlier leadership has its answer.
func (l *leader) lead(ctx context.Context, tenure Tenure) {
	l.cfg.Logger.InfoContext(ctx, "leading", "holder", l.cfg.ID)
	l.cfg.Observer.Leads(true)
	l.tenure, l.settling, l.spaced = tenure, true, false
	l.holdToBacklogs(ctx)
	var leading context.Context
	leading, l.resign = context.WithCancel(ctx)
	if err := l.listenToQuestions(leading); err != nil {
		l.cfg.Logger.ErrorContext(ctx, "nobody can ask about the queue", "error", err)
	}
}

// stepDown ends a leadership but not the scheduler: it stands by again, and
// competes for the lease after a pause. What runs is queued to a standby.
func (l *leader) stepDown(ctx context.Context, after time.Duration) {
	l.release(ctx)
	for sequence := range l.running {
		l.forget(sequence, true)
	}
	l.strangers, l.status.survey = nil, nil
	l.shut(ctx)
	l.campaign(ctx, after)
}

// retire gives back what the leader holds at its end, a lease that came too late
// for the loop included.
func (l *leader) retire(ctx context.Context) {
	l.release(ctx)
	select {
	case late := <-l.elections:
		l.tenure = late.tenure
		l.release(ctx)
	default:
	}
}

func (l *leader) release(ctx context.Context) {
	if l.tenure == nil {
		return
	}
	l.resign()
	l.cfg.Observer.Leads(false)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handOver)
	defer cancel()
	if err := l.tenure.Release(ctx); err != nil {
		l.cfg.Logger.WarnContext(ctx, "releasing the lease", "error", err)
	}
	l.tenure = nil
}
