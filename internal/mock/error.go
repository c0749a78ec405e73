package mock

import (
	"errors"

	"github.com/feira-dev/feira/events"
)

// Error says why mocks are refused. As JSON it is what CodeSpar's protocol
// answers with.
type Error struct {
	// Code is one of events.ReasonMocksNotPermitted, events.ReasonMocksTooLarge
	// and events.ReasonMocksInvalid.
	Code string `json:"code"`
	// Field is a JSON Pointer (RFC 6901) into the body that the mocks came in,
	// set for events.ReasonMocksInvalid.
	Field string `json:"field,omitempty"`
	// Message is for people. It repeats nothing of what the caller wrote.
	Message string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Why mocks are not permitted, or not those.
var (
	// ErrTestModeOff occurs when there are mocks though test mode is off.
	ErrTestModeOff = &Error{
		Code:    events.ReasonMocksNotPermitted,
		Message: "mocks are not permitted in this deployment; set FEIRA_TEST_MODE=true to enable them",
	}
	// ErrLive occurs when there are mocks for a session of environment live.
	ErrLive = &Error{
		Code:    events.ReasonMocksNotPermitted,
		Message: "mocks are not permitted in environment live; test mode is for environment test",
	}
	// ErrSessionOpen occurs when a request has other mocks than the session that
	// it is for: a session's mocks stand from its opening to its end.
	ErrSessionOpen = invalid(root, "the session is open and has other mocks; a session's mocks cannot be changed")
)

// As returns the refusal within an error; false when there is none.
func As(err error) (*Error, bool) { return errors.AsType[*Error](err) }

func invalid(field, message string) *Error {
	return &Error{Code: events.ReasonMocksInvalid, Field: field, Message: message}
}
