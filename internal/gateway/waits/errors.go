package waits

import "errors"

// Sentinels.
var (
	// ErrInvalidConfig occurs when a configuration breaks a rule; the text names
	// the field.
	ErrInvalidConfig = errors.New("invalid configuration of waits")
	// ErrClosed occurs when a hub or a reader is used that has been closed.
	ErrClosed = errors.New("the wait is closed")
	// ErrNoDeltas occurs when text of the model is asked of a hub that hears none.
	ErrNoDeltas = errors.New("the hub hears no deltas")
)
