package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
}

// settle is the one place where a verdict becomes an act. The broker is told
// even when the work's context has ended.
//
// A run that is released leaves RUNS while its request stays: the scheduler
// grants it anew, with a delivery count that begins again. That is how a
// release costs no attempt.
func (s *settler) settle(ctx context.Context, d *runDelivery, err error) {
	verdict := outcome.Of(ctx, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.bus.config.Timeout)
	defer cancel()
	if d.err != nil {
		s.report(ctx, d, "run cannot be read", s.discard(ctx, d))
		return
	}
	switch verdict.Action {
	case outcome.ActionDone:
		s.report(ctx, d, "run is done", s.end(ctx, d, false))
	case outcome.ActionRelease:
		s.config.Logger.InfoContext(ctx, "run is given back", s.fields(d, err)...)
		s.report(ctx, d, "run is given back", s.end(ctx, d, true))
	case outcome.ActionRetry:
		after := s.wait(d.deliveries)
		s.config.Logger.WarnContext(ctx, "run is tried again", append(s.fields(d, err), slog.Duration("after", after))...)
		s.report(ctx, d, "run is tried again", s.bus.nak(d.ackSubject, after))
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

// end takes the run out of RUNS, and then tells the scheduler, which may grant
// the place at once.
func (s *settler) end(ctx context.Context, d *runDelivery, released bool) error {
	if err := s.bus.confirm(ctx, d.ackSubject, wordAck); err != nil {
		return err
	}
	return s.bus.Hints().RunEnded(d.run.Tenant, events.RunEnded{Sequence: d.run.Sequence, Released: released})
}

// bury writes the letter first: a run that is neither here nor there would be
// lost.
func (s *settler) bury(ctx context.Context, d *runDelivery, cause error) error {
	if err := s.bus.Dead().Bury(ctx, d.run.Tenant, d.letter(reasonTerminal, cause)); err != nil {
		return errors.Join(err, s.bus.nak(d.ackSubject, s.wait(d.deliveries)))
	}
	return s.end(ctx, d, false)
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
