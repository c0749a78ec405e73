package exporting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/cenkalti/backoff/v4"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/outcome"
)

// Exporter tells one system while it holds the lease. It is a [lifecycle.Part];
// one that stands by is as good as started, and one whose system cannot be told
// never ends of itself, so that it stops no other part.
//
// A soft stop lets the batch that is under way end, and gives the lease back.
type Exporter struct {
	*lifecycle.Runner

	config Config
	// unlisted is what was last warned of, so that it is once. The loop's own.
	unlisted []string
}

// New returns an idle exporter.
func New(config Config) (*Exporter, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config.Logger = config.Logger.With(slog.String("export", config.Destination))
	e := &Exporter{config: config}
	e.Runner = lifecycle.NewRunner("export "+config.Destination, e.run)
	return e, nil
}

func (e *Exporter) run(fetch, work context.Context, ready func()) error {
	ready()
	for fetch.Err() == nil {
		tenure, err := e.config.Lease.Acquire(fetch, e.config.ID)
		if err != nil {
			if fetch.Err() == nil {
				e.config.Logger.WarnContext(fetch, "the lease cannot be contended for", slog.Any("error", err))
				lifecycle.Pause(fetch, e.config.Retry)
			}
			continue
		}
		e.serve(fetch, work, tenure)
	}
	return nil
}

// serve tells for one tenure.
func (e *Exporter) serve(fetch, work context.Context, tenure Tenure) {
	working, end := context.WithCancelCause(work)
	defer end(outcome.ErrStopping)
	taking, stop := context.WithCancelCause(fetch)
	defer stop(outcome.ErrStopping)
	over, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-tenure.Lost():
			stop(outcome.ErrLeaseLost)
			end(outcome.ErrLeaseLost)
		case <-over:
		}
	}()
	e.config.Observer.Leads(e.config.Destination, true)
	e.rounds(taking, working)
	e.config.Observer.Leads(e.config.Destination, false)
	close(over)
	<-watched
	releasing, cancel := context.WithTimeout(context.WithoutCancel(work), e.config.Timeout)
	defer cancel()
	if err := tenure.Release(releasing); err != nil {
		e.config.Logger.WarnContext(releasing, "the lease runs out by itself", slog.Any("error", err))
	}
}

// rounds tells again and again until taking has ended. After n failures in a row
// the pause is Retry x 2^n, Longest at the most, give or take a half.
func (e *Exporter) rounds(taking, working context.Context) {
	pauses := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(e.config.Retry), backoff.WithMultiplier(2), backoff.WithMaxInterval(e.config.Longest), backoff.WithMaxElapsedTime(0),
	)
	for taking.Err() == nil {
		pause := e.config.Every
		if err := e.round(taking, working); err != nil {
			pause = pauses.NextBackOff()
		} else {
			pauses.Reset()
		}
		lifecycle.Pause(taking, pause)
	}
}

func (e *Exporter) round(taking, working context.Context) error {
	told, err := e.tell(taking, working)
	if err != nil && taking.Err() != nil {
		return err // it was called off, which says nothing of the other side
	}
	e.config.Observer.Told(e.config.Destination, told, err)
	if err != nil {
		e.config.Logger.WarnContext(working, "the other side could not be told of everything; it will be told again",
			slog.Any("error", err), slog.Int64("behind", told.Behind))
	}
	if err == nil && !slices.Equal(told.Unlisted, e.unlisted) {
		e.unlisted = told.Unlisted
		e.warn(working)
	}
	if told.Items > 0 {
		e.config.Logger.InfoContext(working, "told of usage", slog.Int64("items", told.Items), slog.Int64("behind", told.Behind))
	}
	return err
}

func (e *Exporter) warn(ctx context.Context) {
	if len(e.unlisted) > 0 {
		e.config.Logger.WarnContext(ctx, "usage waits that the settings do not name", slog.Any("unlisted", e.unlisted))
	}
}

// errPanic occurs when a round panics: the fault of one destination is to stop
// no other's.
var errPanic = errors.New("telling panicked")

func (e *Exporter) tell(taking, working context.Context) (told Told, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %v", errPanic, fault)
		}
	}()
	return e.config.Teller.Tell(taking, working)
}
