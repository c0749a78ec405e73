package scheduling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// grant sends runs while there is a free slot and somebody who may have it.
//
// The clock is asked before each: a leader that was frozen hears at once of all
// that ended meanwhile, and each end lets it grant one more, expecting one more
// sequence than before: beyond what its successor has moved the stream on by (see
// space), it would come to expect one that the stream has by its successor's
// grants, and the broker would take what it sends.
func (l *leader) grant(ctx context.Context) {
	if !l.grants() || l.settling {
		return
	}
	now := l.cfg.Now()
	for refused := 0; l.inflight < l.window && refused < refusalsAtOnce && l.tenure.Valid(); {
		request, ok := l.queue.Next(now)
		if !ok {
			return
		}
		if a := l.books.accounts[request.Tenant]; a != nil && !l.admits(ctx, a, request, now) {
			refused++
			continue
		}
		run := events.Run{
			Tenant: request.Tenant, Session: request.Session, Kind: request.Kind,
			Sequence: request.Sequence, Granted: now,
		}
		waited := l.arrivals.waited(run.Sequence, now)
		l.running[run.Sequence] = &grant{place: run.Place(), session: run.Session, kind: run.Kind}
		err := l.cfg.Runs.Grant(run, l.expected, func(_ uint64, err error) {
			l.acks <- ack{sequence: run.Sequence, waited: waited, err: err}
		})
		if err != nil {
			l.cfg.Observer.Granted(waited, err)
			l.cfg.Logger.ErrorContext(ctx, "sending a grant", "tenant", run.Tenant, "sequence", run.Sequence, "error", err)
			l.withdraw(run.Tenant, run.Sequence)
			l.settling = true
			return
		}
		l.inflight++
		l.expected++
	}
}

// acknowledge takes in the broker's answer to a grant. A refusal spoils the
// sequence that all later grants in flight expect: they will be refused too,
// and granting goes on when RUNS has been read anew. An answer that was lost
// leaves the run in the picture until that reading.
func (l *leader) acknowledge(ctx context.Context, a ack) {
	l.inflight--
	l.cfg.Observer.Granted(a.waited, a.err)
	granted, ok := l.running[a.sequence]
	if a.err == nil {
		if ok {
			granted.stored, granted.epoch = true, l.epoch
		}
		return
	}
	if !l.settling {
		l.cfg.Logger.WarnContext(ctx, "a grant was refused", "sequence", a.sequence, "error", a.err)
	}
	l.settling = true
	if !ok {
		return
	}
	if errors.Is(a.err, events.ErrUncertainGrant) {
		granted.stored, granted.epoch = true, l.epoch
		return
	}
	l.withdraw(granted.place.Tenant, a.sequence)
}

// withdraw takes back a run that was not granted after all, and what was set
// aside for it.
func (l *leader) withdraw(id events.TenantID, sequence uint64) {
	l.forget(sequence, true)
	if a := l.books.accounts[id]; a != nil && a.Account != nil {
		a.Cancel(sequence)
	}
}

// settle reads RUNS anew once every grant in flight is answered.
func (l *leader) settle(ctx context.Context) error {
	if !l.settling || l.inflight > 0 {
		return nil
	}
	if err := l.space(ctx); err != nil {
		return err
	}
	if err := l.reread(ctx); err != nil {
		return err
	}
	l.settling = false
	l.doubt()
	return nil
}

// space keeps what a predecessor has sent, and has not heard of, from being taken:
// the broker takes a grant that expects the sequence which the stream has, and by
// this leader's own grants the stream would come to that sooner or later. So the
// first thing that a leadership does is to move the stream on by one more than
// any leader has in flight. Those that are on their way expect less, and whoever
// wakes later asks its lease's clock before it sends another.
func (l *leader) space(ctx context.Context) error {
	if l.spaced {
		return nil
	}
	if err := l.cfg.Runs.Space(ctx, l.cfg.InFlight+1); err != nil {
		return fmt.Errorf("moving runs on: %w", err)
	}
	l.spaced = true
	return nil
}

// drain waits for the answers in flight, so that a successor reads a RUNS that
// this leader adds nothing to.
func (l *leader) drain() {
	limit := time.NewTimer(handOver)
	defer limit.Stop()
	for l.inflight > 0 {
		select {
		case <-l.acks:
			l.inflight--
		case <-limit.C:
			return
		}
	}
}
