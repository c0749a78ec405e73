package natsd

import "errors"

// Sentinels.
var (
	// ErrInUse occurs when another process, or another part of this one, has
	// the data directory open.
	ErrInUse = errors.New("is in use by another feira")
	// ErrConfig occurs when a configuration breaks a rule; the text names the
	// field.
	ErrConfig = errors.New("invalid NATS server configuration")
	// ErrStart occurs when the server cannot start; the text is the server's.
	ErrStart = errors.New("the NATS server cannot start")
	// ErrNotHealthy occurs when the nodes of a cluster have not agreed on a
	// leader, or not caught up with it, before the context ended.
	ErrNotHealthy = errors.New("the NATS cluster is not healthy")
)
