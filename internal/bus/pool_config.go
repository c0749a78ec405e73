package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/events"
)

// RunHandler works on a run. deliveries counts this delivery and those before
// it; the error is an instruction in the words of package outcome. ctx ends
// with the cause outcome.ErrStopping at a hard stop, and with
// outcome.ErrLeaseLost when the broker no longer counts the run as ours.
type RunHandler func(ctx context.Context, run events.Run, deliveries int) error

// RunMiddleware wraps a handler.
type RunMiddleware func(next RunHandler) RunHandler

// RunPoolConfig says how to work on runs.
type RunPoolConfig struct {
	// Name is for logs. Defaults to "runs".
	Name string
	// Slots is how many runs may be going at one time. Required.
	Slots int
	// Handler works on one run. Required.
	Handler RunHandler
	// Middleware wraps Handler, the first outermost, inside of the pool's own.
	Middleware []RunMiddleware
	// Correlate puts attributes into a context for the logs of the run.
	// Defaults to leaving it alone.
	Correlate func(ctx context.Context, attrs ...slog.Attr) context.Context
	// Trace begins a span under a W3C traceparent, which may be empty, and
	// returns how to end it. Defaults to none.
	Trace func(ctx context.Context, traceparent string) (context.Context, func(error))
	// Lease is how long a run stays ours without a word from the broker; at
	// most the AckWait of the consumer. Defaults to events.RunLease.
	Lease time.Duration
	// Refresh is how often a lease is extended. Defaults to
	// events.RunLeaseRefresh, or a third of a shorter Lease.
	Refresh time.Duration
	// PullExpiry is how long a pull waits for runs. A stop waits as long, so
	// that what the pull still brings can be given back. Defaults to 1 s.
	PullExpiry time.Duration
	// RetryBase is the wait before the second delivery of a failed run; it
	// doubles with each delivery up to RetryCap. Default to 250 ms and 10 s.
	RetryBase time.Duration
	RetryCap  time.Duration
	// Logger hears of verdicts, panics and lost leases. Defaults to the bus's.
	Logger *slog.Logger
}

func (c RunPoolConfig) withDefaults(logger *slog.Logger) RunPoolConfig {
	c.Name = cmp.Or(c.Name, "runs")
	c.Lease = cmp.Or(c.Lease, events.RunLease)
	c.Refresh = cmp.Or(c.Refresh, min(events.RunLeaseRefresh, c.Lease/3))
	c.PullExpiry = cmp.Or(c.PullExpiry, time.Second)
	c.RetryBase = cmp.Or(c.RetryBase, 250*time.Millisecond)
	c.RetryCap = cmp.Or(c.RetryCap, max(10*time.Second, c.RetryBase))
	if c.Correlate == nil {
		c.Correlate = func(ctx context.Context, _ ...slog.Attr) context.Context { return ctx }
	}
	if c.Trace == nil {
		c.Trace = func(ctx context.Context, _ string) (context.Context, func(error)) { return ctx, func(error) {} }
	}
	if c.Logger == nil {
		c.Logger = logger
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c RunPoolConfig) Validate() error {
	var faults []error
	fault := func(text string) { faults = append(faults, fmt.Errorf("%w: run pool: %s", ErrInvalidConfig, text)) }
	if c.Slots < 1 {
		fault("slots is less than 1")
	}
	if c.Handler == nil {
		fault("handler is missing")
	}
	if c.Lease <= 0 || c.Refresh <= 0 || c.Refresh > c.Lease/2 {
		fault("lease and refresh must be positive, and refresh at most half the lease")
	}
	if c.PullExpiry <= 0 {
		fault("pull_expiry is not positive")
	}
	if c.RetryBase <= 0 || c.RetryCap < c.RetryBase {
		fault("retry_base must be positive and not above retry_cap")
	}
	return errors.Join(faults...)
}
