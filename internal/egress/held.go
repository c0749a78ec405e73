package egress

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/feira-dev/feira/events"
)

// HeldError says that a try was kept back: it has certainly not been sent.
type HeldError struct {
	// Code is the fault that a tool call ends with.
	Code string
	Why  string
	// Again is when another call may have better luck; 0 when nobody knows.
	Again time.Duration
}

// Error implements error.
func (e *HeldError) Error() string { return e.Why + "; nothing was sent" + TryAgain(e.Again) }

// TryAgain words a wait for the model.
func TryAgain(in time.Duration) string {
	if in <= 0 {
		return ""
	}
	seconds := int64((in + time.Second - 1) / time.Second)
	return "; try again in " + strconv.FormatInt(seconds, 10) + " s"
}

// Admit makes a try when the lane lets it pass. The try returns what it says of
// the server: nil for a sign of life, [ErrTrouble] or [ErrNoWord]. An error says
// that it was not made: a [HeldError], or that of ctx. name is what the server
// is called in messages.
func (l *Lane) Admit(ctx context.Context, name string, try func() error) error {
	within, cancel := context.WithTimeout(ctx, l.config.QueueWait)
	err := l.slots.Acquire(within, 1)
	cancel()
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &HeldError{
			Code: events.FaultProviderLimited, Again: time.Second,
			Why: strconv.Itoa(l.config.Concurrency) + " calls of this business to " + name + " are under way, which is the most at a time",
		}
	}
	defer l.slots.Release(1)
	_, err = l.breaker.Execute(func() (struct{}, error) { return struct{}{}, try() })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return &HeldError{
			Code: events.FaultProviderError, Again: l.opensIn(),
			Why: name + " has failed " + strconv.Itoa(l.config.BreakerFailures) + " times in a row or more, and is left alone for a while",
		}
	}
	return nil
}

// Pausing is the error of a call that a pause keeps back.
func Pausing(name string, left time.Duration) *HeldError {
	return &HeldError{Code: events.FaultProviderLimited, Why: name + " has asked to be left alone", Again: left}
}
