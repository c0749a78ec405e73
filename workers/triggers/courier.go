package triggers

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/outcome"
)

// Courier makes the deliveries while it holds the lease. It is a
// [lifecycle.Part]; one that stands by is as good as started.
//
// A soft stop begins nothing more, lets what is under way end, and gives the
// lease back, so that a standby goes on at once. What was cut off is told again
// under the same id.
type Courier struct {
	*lifecycle.Runner

	config Config
}

// NewCourier returns an idle courier.
func NewCourier(config Config) (*Courier, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	c := &Courier{config: config}
	c.Runner = lifecycle.NewRunner("triggers", c.run)
	return c, nil
}

func (c *Courier) run(fetch, work context.Context, ready func()) error {
	ready()
	for fetch.Err() == nil {
		tenure, err := c.config.Lease.Acquire(fetch, c.config.ID)
		if err != nil {
			if fetch.Err() != nil {
				return nil
			}
			return fmt.Errorf("acquiring the lease: %w", err)
		}
		if err := c.serve(fetch, work, tenure); err != nil && fetch.Err() == nil {
			c.config.Logger.WarnContext(work, "delivering is begun anew", slog.Any("error", err))
			lifecycle.Pause(fetch, c.config.Retry)
		}
	}
	return nil
}

// serve delivers for one tenure.
func (c *Courier) serve(fetch, work context.Context, tenure Tenure) error {
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
	err := newRound(c.config).run(taking, working)
	close(over)
	<-watched
	releasing, cancel := context.WithTimeout(context.WithoutCancel(work), c.config.Timeout)
	defer cancel()
	if err := tenure.Release(releasing); err != nil {
		c.config.Logger.WarnContext(releasing, "the lease runs out by itself", slog.Any("error", err))
	}
	return err
}
