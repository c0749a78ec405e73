package lifecycle

import (
	"errors"
	"fmt"
)

// Sentinels.
var (
	// ErrStopped occurs when a part is started after it has stopped, or stops
	// before it was serving.
	ErrStopped = errors.New("the part has stopped")
	// ErrPanic occurs when a part's loop panics; the error that wraps it is a
	// [PanicError].
	ErrPanic = errors.New("panic")
)

// PanicError is a panic of a part's loop. The stack is kept apart from the
// text, so that a log line stays a line.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("%v: %v", ErrPanic, e.Value) }

// Unwrap returns [ErrPanic] and, when the loop panicked with an error, that.
func (e *PanicError) Unwrap() []error {
	if err, ok := e.Value.(error); ok {
		return []error{ErrPanic, err}
	}
	return []error{ErrPanic}
}
