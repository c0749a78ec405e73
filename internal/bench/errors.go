package bench

import "errors"

var (
	// ErrConfig occurs when a setting cannot be used; the text names it.
	ErrConfig = errors.New("bench: invalid configuration")
	// ErrInUse occurs when the outer broker holds requests or runs, or somebody
	// works on it: a measurement there would be wrong, and could do harm.
	ErrInUse = errors.New("bench: the broker is in use")
	// ErrUnserved occurs when what was accepted is not served within the
	// patience.
	ErrUnserved = errors.New("bench: not served in time")
	// ErrUnknown occurs when there is no bench of a name.
	ErrUnknown = errors.New("bench: unknown name")
)
