package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/outcome"
)

// Reasons of a dead letter that the bus itself writes.
const (
	reasonUnreadable = "unreadable"
	reasonTerminal   = "terminal"
)

// settler does to a run what its handler's error says. It is safe for
// concurrent use.
type settler struct {
	bus    *Bus
	config RunPoolConfig
	// endings are the runs whose request the broker has yet to remove.
	endings sync.WaitGroup
	// ended is the ack subject of a run that was ended.
	ended atomic.Pointer[string]
}

// settle is the one place where a verdict becomes an act, and where the
// delivery's lease ends: at once, or when the broker has confirmed. The broker
// is told even when the work's context has ended.
//
// A run that is released leaves RUNS while its request stays: the scheduler
// grants it anew, with a delivery count that begins again. That is how a
// release costs no attempt.
func (s *settler) settle(ctx context.Context, d *runDelivery, err error) {
	verdict := outcome.Of(ctx, err)
	ctx = context.WithoutCancel(ctx)
	if d.err == nil && verdict.Action == outcome.ActionDone {
		s.serve(ctx, d)
		return
	}
	defer d.release()
	ctx, cancel := context.WithTimeout(ctx, s.bus.config.Timeout)
	defer cancel()
	if d.err != nil {
		s.report(ctx, d, "run cannot be read", s.discard(ctx, d))
		return
	}
	switch verdict.Action {
	case outcome.ActionDone: // served above
	case outcome.ActionRelease:
		s.config.Logger.InfoContext(ctx, "run is given back", s.fields(d, err)...)
		s.report(ctx, d, "run is given back", s.end(d, true))
	case outcome.ActionRetry:
		s.retry(ctx, d, err)
	case outcome.ActionRetryAfter:
		s.config.Logger.InfoContext(ctx, "run is put off", append(s.fields(d, err), slog.Duration("after", verdict.After))...)
		s.report(ctx, d, "run is put off", s.bus.nak(d.ackSubject, verdict.After))
	case outcome.ActionBury:
		s.config.Logger.ErrorContext(ctx, "run is buried", s.fields(d, err)...)
		s.report(ctx, d, "run is buried", s.bury(ctx, d, err))
	case outcome.ActionAbandon:
		s.config.Logger.InfoContext(ctx, "run is left to its new owner", s.fields(d, err)...)
	}
}

// serve removes the request of a run that is done, and then ends the run. It
// does not wait: the slot is free for another run while the broker works, and
// only the lease is kept until it has confirmed.
func (s *settler) serve(ctx context.Context, d *runDelivery) {
	s.endings.Add(1)
	removed := func(err error) {
		defer s.endings.Done()
		defer d.release()
		if err != nil {
			s.retry(ctx, d, err)
			return
		}
		s.report(ctx, d, "run is done", s.end(d, false))
	}
	if err := s.bus.Requests().removeLater(ctx, d.run.Sequence, removed); err != nil {
		removed(err)
	}
}

// end takes the run out of RUNS. The broker's confirmation goes to the
// scheduler, which may grant the place from then on. A word that is lost costs
// the rest of the lease, and the next worker finds nothing left to do.
func (s *settler) end(d *runDelivery, released bool) error {
	ended := events.RunEnded{Tenant: d.run.Tenant, Sequence: d.run.Sequence, Released: released}
	err := s.bus.nc.PublishRequest(d.ackSubject, ended.Subject(), []byte(wordAck))
	if err == nil {
		s.ended.Store(&d.ackSubject)
	}
	return err
}

// finish waits until the broker has heard every word. It takes them in the order
// in which they were said, so it is asked to confirm one that was among the last
// once more, which means nothing else.
func (s *settler) finish(ctx context.Context) {
	s.endings.Wait() // the exchange bounds it: every question has an end
	last := s.ended.Load()
	if last == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.bus.config.Timeout)
	defer cancel()
	if err := s.bus.confirm(ctx, *last, wordAck); err != nil && s.bus.nc.IsConnected() {
		s.config.Logger.WarnContext(ctx, "the last runs may come again", slog.Any("error", err))
	}
}

func (s *settler) retry(ctx context.Context, d *runDelivery, err error) {
	after := s.wait(d.deliveries)
	s.config.Logger.WarnContext(ctx, "run is tried again", append(s.fields(d, err), slog.Duration("after", after))...)
	s.report(ctx, d, "run is tried again", s.bus.nak(d.ackSubject, after))
}

// bury writes the letter first: a run that is neither here nor there would be
// lost.
func (s *settler) bury(ctx context.Context, d *runDelivery, cause error) error {
	if err := s.bus.Dead().Bury(ctx, d.run.Tenant, d.letter(reasonTerminal, cause)); err != nil {
		return errors.Join(err, s.bus.nak(d.ackSubject, s.wait(d.deliveries)))
	}
	return s.end(d, false)
}

// discard buries a run that nobody can read. Its subject alone tells whose it
// was.
func (s *settler) discard(ctx context.Context, d *runDelivery) error {
	tenant, err := events.SubjectTenant(d.message.Subject)
	if err != nil {
		tenant = events.IllegalTenant
	}
	if err := s.bus.Dead().Bury(ctx, tenant, d.letter(reasonUnreadable, d.err)); err != nil {
		return errors.Join(err, s.bus.nak(d.ackSubject, s.wait(d.deliveries)))
	}
	return s.bus.confirm(ctx, d.ackSubject, wordTerm)
}

// wait doubles with every delivery.
func (s *settler) wait(deliveries int) time.Duration {
	wait := s.config.RetryBase
	for range deliveries - 1 {
		if wait *= 2; wait >= s.config.RetryCap {
			return s.config.RetryCap
		}
	}
	return wait
}

// report logs that the broker could not be told. The run then comes back when
// its lease has run out.
func (s *settler) report(ctx context.Context, d *runDelivery, act string, err error) {
	if err == nil {
		return
	}
	s.config.Logger.WarnContext(ctx, "settling a run", append(s.fields(d, err), slog.String("act", act))...)
}

func (s *settler) fields(d *runDelivery, err error) []any {
	return []any{
		slog.String("tenant", string(d.run.Tenant)), slog.String("session", string(d.run.Session)),
		slog.Uint64("request_sequence", d.run.Sequence),
		slog.Int("deliveries", d.deliveries), slog.Any("error", err),
	}
}

func (d *runDelivery) letter(reason string, cause error) events.LetterDied {
	return events.LetterDied{
		Stream: events.StreamRuns, Sequence: d.message.Sequence, Subject: d.message.Subject,
		Reason: reason, Detail: fmt.Sprint(cause), Header: d.message.Header, Data: d.message.Data,
		Size: len(d.message.Data), Deliveries: d.deliveries,
	}
}
