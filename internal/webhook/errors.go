package webhook

import "errors"

// Sentinels. Which of the first four occurred is for the log: a stranger is
// told one thing for all of them.
var (
	// ErrUnsigned occurs when a delivery lacks what its scheme asks for.
	ErrUnsigned = errors.New("unsigned webhook")
	// ErrMalformedSignature occurs when that cannot be read.
	ErrMalformedSignature = errors.New("malformed signature")
	// ErrSignature occurs when no active key made the signature.
	ErrSignature = errors.New("wrong signature")
	// ErrStale occurs when the signature is of too long ago, or of too far ahead.
	ErrStale = errors.New("stale signature")
	// ErrKey occurs when a key cannot be one of its scheme.
	ErrKey = errors.New("unfit webhook key")
	// ErrScheme occurs when there is no such scheme.
	ErrScheme = errors.New("unknown webhook scheme")
	// ErrUnreadable occurs when a body is not the JSON object that an event is.
	ErrUnreadable = errors.New("unreadable webhook")
)
