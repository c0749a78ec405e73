package scheduling

import (
	"context"

	"github.com/feira-dev/feira/internal/fair"
)

// A standby hears of endings by hints, and misses some: while its connection is
// away, for one. What it has missed would stay in its index for ever, so it
// looks now and then which request is the first that is still there, and forgets
// all before it.

// lookForFirst asks for the first request, away from the loop.
func (l *leader) lookForFirst(ctx context.Context) {
	if l.reading || !l.caughtUp || l.queue.Queued() == 0 {
		return
	}
	l.reading = true
	l.tasks.Go(func() {
		first, err := l.cfg.Requests.First(ctx)
		if err != nil && ctx.Err() == nil {
			l.cfg.Logger.WarnContext(ctx, "looking for the first request", "error", err)
		}
		l.firsts <- first // 0 where there is an error, and before it is nothing
	})
}

// prune forgets the requests before the first that is still there.
func (l *leader) prune(first uint64) {
	l.reading = false
	if l.tenure != nil {
		return // what runs is not queued, and RUNS tells the truth about it
	}
	now := l.cfg.Now()
	for from, more := 0, true; more; more = from > 0 {
		var gone []fair.Standing
		from = l.queue.Survey(from, surveyStep, now, func(s fair.Standing) {
			if s.Queued > 0 && s.Oldest < first {
				gone = append(gone, s)
			}
		})
		for _, standing := range gone {
			for oldest := standing.Oldest; oldest < first && l.queue.Remove(oldest, now); {
				next, _ := l.queue.Snapshot(standing.Tenant, now)
				oldest = next.Oldest
			}
		}
	}
}
