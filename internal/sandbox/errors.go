package sandbox

import "errors"

// Sentinels.
var (
	// ErrConfig occurs when a Config cannot be used; the text names the field.
	ErrConfig = errors.New("invalid sandbox config")
	// ErrUnknownServer occurs when a name is none of [Servers].
	ErrUnknownServer = errors.New("the sandbox has no such server")
)
