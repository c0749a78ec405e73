package events

import "errors"

// TypeSessionClosed names [SessionClosed].
const TypeSessionClosed Type = "feira.session.closed.v1"

// Reasons of a session's end.
const (
	ClosedByCaller = "closed_by_caller"
	ClosedIdle     = "idle"
)

// SessionClosed ends a session: requests that come later are rejected.
type SessionClosed struct {
	Reason string `json:"reason"`
}

// EventType implements [Event].
func (*SessionClosed) EventType() Type { return TypeSessionClosed }

// Validate implements [Event].
func (e *SessionClosed) Validate() error {
	if e.Reason == "" {
		return errors.New("reason is missing")
	}
	return nil
}
