// Package outcome holds the words in which a handler tells its broker what to
// do with a message.
//
// It owns the vocabulary: nil is done, a plain error is retried by policy,
// [RetryAfter] waits first, [Terminal] becomes a dead letter, [Release] gives
// the message back at once and at no cost of an attempt.
//
// It promises that [Of] reads any error, wrapped or joined, to exactly one
// [Verdict]. It does not act: the one switch that obeys is in internal/bus.
package outcome

import (
	"context"
	"errors"
	"time"
)

// Sentinels.
var (
	// ErrStopping is the cause of a context that ended because its part is
	// stopping, which is no failure of the work.
	ErrStopping = errors.New("stopping")
	// ErrLeaseLost is the cause of a context that ended because the broker no
	// longer counts the work as ours.
	ErrLeaseLost = errors.New("lease lost")
	// ErrFenced occurs when a newer owner has taken the work over: stop, and
	// leave message and request to it.
	ErrFenced = errors.New("fenced off by a newer owner")
)

// Action is what is to be done with a message.
type Action int

// Actions.
const (
	// ActionDone acknowledges.
	ActionDone Action = iota
	// ActionRetry delivers again after the policy's wait.
	ActionRetry
	// ActionRetryAfter delivers again after the verdict's wait.
	ActionRetryAfter
	// ActionBury makes a dead letter.
	ActionBury
	// ActionRelease gives back at once, at no cost of an attempt.
	ActionRelease
	// ActionAbandon does nothing: somebody else owns the message now.
	ActionAbandon
)

// Verdict is an action with its wait.
type Verdict struct {
	Action Action
	After  time.Duration // for ActionRetryAfter
}

type instruction struct {
	err     error
	verdict Verdict
}

func (i *instruction) Error() string { return i.err.Error() }
func (i *instruction) Unwrap() error { return i.err }

// RetryAfter asks for another delivery after d.
func RetryAfter(err error, d time.Duration) error {
	return &instruction{err: err, verdict: Verdict{Action: ActionRetryAfter, After: d}}
}

// Terminal asks for a dead letter: another try cannot help.
func Terminal(err error) error {
	return &instruction{err: err, verdict: Verdict{Action: ActionBury}}
}

// Release asks to give the work back at once, at no cost of an attempt.
func Release(err error) error {
	return &instruction{err: err, verdict: Verdict{Action: ActionRelease}}
}

// Of reads a handler's error. The context is the handler's: an error after it
// ended by [ErrStopping] is a release, whatever its text.
func Of(ctx context.Context, err error) Verdict {
	if err == nil {
		return Verdict{Action: ActionDone}
	}
	if errors.Is(err, ErrFenced) || errors.Is(context.Cause(ctx), ErrLeaseLost) {
		return Verdict{Action: ActionAbandon}
	}
	if said, ok := errors.AsType[*instruction](err); ok {
		return said.verdict
	}
	if errors.Is(err, ErrStopping) || errors.Is(context.Cause(ctx), ErrStopping) {
		return Verdict{Action: ActionRelease}
	}
	return Verdict{Action: ActionRetry}
}
