package agent

import (
	"context"
	"errors"
)

// Sentinels.
var (
	// ErrModelGarbage occurs when a model's answer cannot be read as a reply.
	ErrModelGarbage = errors.New("the model's answer cannot be read")
	// ErrModelRefused occurs when the model's operator refuses the request for
	// good: wrong key, unknown model, request too large.
	ErrModelRefused = errors.New("the model's operator refuses the request")
)

// CancelledError is the cause of a turn's context that ended because somebody
// ordered the turn's end. A stop leaves the turn to another worker; this ends it.
type CancelledError struct {
	// Detail is a sentence for people.
	Detail string
}

// Error implements error.
func (e *CancelledError) Error() string { return "the turn was cancelled: " + e.Detail }

// isCancelled reports whether the turn's end was ordered, and why.
func isCancelled(work context.Context) (*CancelledError, bool) {
	return errors.AsType[*CancelledError](context.Cause(work))
}
