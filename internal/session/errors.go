package session

import "errors"

// Sentinels.
var (
	// ErrConflict occurs when an append was refused because the log has moved
	// on since it was last read: nothing was written.
	ErrConflict = errors.New("the session's log has moved on")
	// ErrUncertain occurs when the broker's answer to an append was lost: the
	// event may be stored or not. Reading the tail tells, by the event's id.
	ErrUncertain = errors.New("the outcome of the append is not known")
	// ErrStarted occurs when a request is to be ended without being run, but its
	// log says that it has started: only the worker that runs it may end it.
	ErrStarted = errors.New("the request has started")
	// ErrGap occurs when a fact cannot follow those already folded, which
	// means that the log was read with a hole.
	ErrGap = errors.New("a fact does not follow from the log")
)
