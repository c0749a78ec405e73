package scheduling

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// reread makes the picture equal to RUNS: what is outstanding there and not
// known here is counted as running, what is known here and gone there is
// looked up among the requests. Nothing may be in flight.
func (l *leader) reread(ctx context.Context) error {
	runs, last, err := l.cfg.Runs.Outstanding(ctx)
	if err != nil {
		return fmt.Errorf("reading runs: %w", err)
	}
	there := make(map[uint64]bool, len(runs))
	for _, run := range runs {
		there[run.Sequence] = true
		if known, ok := l.running[run.Sequence]; ok {
			known.stored, known.epoch = true, l.epoch
			continue
		}
		l.restore(ctx, run)
	}
	for sequence := range l.running {
		if there[sequence] {
			continue
		}
		if err := l.resolve(ctx, sequence); err != nil {
			return err
		}
	}
	l.expected = last
	l.hearOut()
	return nil
}

// hearOut takes in the hints that came while RUNS was read. To a scheduler that
// begins to lead they tell which of its requests were served a moment ago.
func (l *leader) hearOut() {
	for {
		select {
		case ended := <-l.ended:
			l.finish(ended)
		default:
			return
		}
	}
}

func (l *leader) restore(ctx context.Context, run events.Run) {
	now := l.cfg.Now()
	if _, known := l.known[run.Tenant]; !known {
		l.limit(ctx, run.Tenant, unknownLimits)
	}
	request := fair.Request{Tenant: run.Tenant, Session: run.Session, Kind: run.Kind, Priority: events.PriorityNormal, Sequence: run.Sequence}
	if err := l.queue.Restore(request, now); err != nil {
		// Nobody but a scheduler writes RUNS, so this one was made by a fault; it
		// must not keep every other run from being counted.
		l.cfg.Logger.ErrorContext(ctx, "a run cannot be counted", "tenant", run.Tenant, "sequence", run.Sequence, "error", err)
		return
	}
	l.running[run.Sequence] = &grant{place: run.Place(), session: run.Session, kind: run.Kind, stored: true, epoch: l.epoch}
}

// resolve decides on a run that has left RUNS without a word: its request is
// still there when it was given back, and gone when it was served.
func (l *leader) resolve(ctx context.Context, sequence uint64) error {
	waiting, err := l.cfg.Requests.Waiting(ctx, sequence)
	if err != nil {
		return fmt.Errorf("looking for request %d: %w", sequence, err)
	}
	l.forget(sequence, waiting)
	return nil
}

// snapshot asks for the places in RUNS, away from the loop.
func (l *leader) snapshot(ctx context.Context) {
	if l.reading || l.settling {
		return
	}
	l.reading = true
	l.epoch++
	epoch := l.epoch
	l.tasks.Go(func() {
		places, err := l.cfg.Runs.Places(ctx)
		l.places <- snapshot{epoch: epoch, places: places, err: err}
	})
}

// compare holds the picture against a snapshot. Only runs that were known to
// be stored before the snapshot was asked for can be missed in it.
func (l *leader) compare(ctx context.Context, s snapshot) {
	l.reading = false
	if l.tenure == nil {
		return // it was asked for by a leadership that is over
	}
	if s.err != nil {
		if ctx.Err() == nil {
			l.cfg.Logger.WarnContext(ctx, "reading the places of runs", "error", s.err)
		}
		return
	}
	mine := make(map[events.Place]bool, len(l.running))
	for sequence, granted := range l.running {
		mine[granted.place] = true
		if _, there := s.places[granted.place]; there || !granted.stored || granted.epoch >= s.epoch {
			continue
		}
		if err := l.resolve(ctx, sequence); err != nil {
			l.cfg.Logger.WarnContext(ctx, "resolving a run", "error", err)
		}
	}
	l.meet(ctx, s.places, mine)
}

// meet looks for runs that this leader did not grant. A run whose ending was
// told after the snapshot was taken looks like one, so a stranger counts only
// when the snapshot before had it too. RUNS is then read anew.
func (l *leader) meet(ctx context.Context, places map[events.Place]struct{}, mine map[events.Place]bool) {
	strangers := make(map[events.Place]bool)
	for place := range places {
		if mine[place] {
			continue
		}
		strangers[place] = true
		if l.strangers[place] {
			l.cfg.Logger.WarnContext(ctx, "a run is not in the picture", "tenant", place.Tenant, "run", place.Key)
			l.settling = true
		}
	}
	l.strangers = strangers
}
