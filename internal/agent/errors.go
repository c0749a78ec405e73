package agent

import "errors"

// Sentinels.
var (
	// ErrModelGarbage occurs when a model's answer cannot be read as a reply.
	ErrModelGarbage = errors.New("the model's answer cannot be read")
	// ErrModelRefused occurs when the model's operator refuses the request for
	// good: wrong key, unknown model, request too large.
	ErrModelRefused = errors.New("the model's operator refuses the request")
)
