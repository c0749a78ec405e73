package fair

import "errors"

// Sentinels.
var (
	// ErrUnknownTenant occurs when a request names a tenant that was never set
	// or has been dropped.
	ErrUnknownTenant = errors.New("unknown tenant")
	// ErrDuplicate occurs when a request's sequence is already queued or running.
	ErrDuplicate = errors.New("duplicate sequence")
	// ErrBacklogFull occurs when a request comes while its tenant has as many
	// queued as it may.
	ErrBacklogFull = errors.New("backlog full")
	// ErrInvalidRequest occurs when a request's kind, priority or session cannot
	// be ordered by; the error that wraps it names the field.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrInvalidLimits occurs when limits break a rule; the error that wraps it
	// names the field.
	ErrInvalidLimits = errors.New("invalid limits")
)
