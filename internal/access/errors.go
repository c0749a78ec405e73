package access

import "errors"

// Sentinels.
var (
	// ErrMalformed occurs when a text is no API key: another form, or a checksum
	// that does not fit. The text is never repeated.
	ErrMalformed = errors.New("malformed API key")
	// ErrInvalid occurs when a key or a scope breaks a rule; the text names the
	// field.
	ErrInvalid = errors.New("invalid API key")
	// ErrMismatch occurs when a secret is not the one that a key was made with.
	ErrMismatch = errors.New("the API key is another one")
	// ErrRevoked occurs when a key has been revoked.
	ErrRevoked = errors.New("the API key has been revoked")
	// ErrExpired occurs when a key has reached its end.
	ErrExpired = errors.New("the API key has expired")
	// ErrExceeds occurs when a caller would hand out more than it has; the text
	// says what.
	ErrExceeds = errors.New("the new key would reach further than the caller's own")
)
