package session

import "github.com/feira-dev/feira/events"

// ID names a session.
type ID = events.SessionID

// Entry is one event on its way into a session's log.
type Entry struct {
	// Last is the sequence of the last event of this session that the writer
	// has seen, 0 for none: the broker refuses the entry unless it still is
	// the last. That is the session's lock.
	Last     uint64
	Envelope events.Envelope // with tenant and session
	Event    events.Event
}
