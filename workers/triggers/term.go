package triggers

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/outcome"
)

// term is work that one of several processes does, as long as it holds a lease.
type term struct {
	what   string // for the log
	id     string
	lease  Lease
	retry  time.Duration
	within time.Duration // for giving the lease back
	logger *slog.Logger
	// serve works for one tenure: until taking ends it begins things, and until
	// working ends it may go on with what is begun. Both end when the lease is lost.
	serve func(taking, working context.Context, tenure Tenure) error
}

// run serves one tenure after the other. Standing by is as good as started.
func (t term) run(fetch, work context.Context, ready func()) error {
	ready()
	for fetch.Err() == nil {
		tenure, err := t.lease.Acquire(fetch, t.id)
		if err != nil {
			if fetch.Err() != nil {
				return nil
			}
			return fmt.Errorf("acquiring the lease: %w", err)
		}
		if err := t.hold(fetch, work, tenure); err != nil && fetch.Err() == nil {
			t.logger.WarnContext(work, "work is begun anew", slog.String("work", t.what), slog.Any("error", err))
			lifecycle.Pause(fetch, t.retry)
		}
	}
	return nil
}

func (t term) hold(fetch, work context.Context, tenure Tenure) error {
	working, end := context.WithCancelCause(work)
	defer end(outcome.ErrStopping)
	taking, stop := context.WithCancelCause(fetch)
	defer stop(outcome.ErrStopping)
	over := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-tenure.Lost():
			end(outcome.ErrLeaseLost)
			stop(outcome.ErrLeaseLost)
		case <-over:
		}
	}()
	err := t.serve(taking, working, tenure)
	close(over)
	<-watched
	releasing, cancel := context.WithTimeout(context.WithoutCancel(work), t.within)
	defer cancel()
	if err := tenure.Release(releasing); err != nil {
		t.logger.WarnContext(releasing, "the lease runs out by itself", slog.Any("error", err))
	}
	return err
}
