package natskv

import "errors"

// Sentinels.
var (
	// ErrConfig occurs when a configuration breaks a rule; the text names the
	// field, never its value.
	ErrConfig = errors.New("invalid NATS configuration")
	// ErrNoBucket occurs when a bucket has not been made; the text names it.
	ErrNoBucket = errors.New("the bucket does not exist")
	// ErrNoStream occurs when the audit's stream has not been made.
	ErrNoStream = errors.New("the stream does not exist")
	// ErrConflict occurs when an entry is not at the revision that a write
	// expects: somebody else has written it meanwhile.
	ErrConflict = errors.New("the entry has changed meanwhile")
	// ErrMalformed occurs when an entry cannot be read as what its bucket holds.
	ErrMalformed = errors.New("malformed entry")
	// ErrUnsure occurs when the broker does not say whether a key is good.
	// Nobody is let in meanwhile.
	ErrUnsure = errors.New("it cannot be known now whether the API key is good")
	// ErrUnmetered occurs when the broker does not say what a tenant has left of
	// its rate. Nothing is allowed meanwhile.
	ErrUnmetered = errors.New("it cannot be known now what the tenant has left of its rate")
	// ErrInvalid occurs when an argument breaks a rule; the text names it.
	ErrInvalid = errors.New("invalid argument")
	// ErrClaimLost occurs when a claim has run out or another has it: what is
	// said of it counts no more.
	ErrClaimLost = errors.New("the claim on the idempotency key has been lost")
	// ErrReplyTooLarge occurs when an answer is not kept, being too large. That it
	// was given is.
	ErrReplyTooLarge = errors.New("the answer is too large to be kept")
	// ErrClosed occurs when the client has been closed.
	ErrClosed = errors.New("the NATS connection is closed")
)
