package metering

import (
	"errors"
	"strings"
)

// errLogBehind occurs when a copy of a session's log does not hold the record
// that is being metered; trying again later helps.
var errLogBehind = errors.New("the log is behind")

const maxDetail = 512

// unfitError is why a message can never be metered.
type unfitError struct {
	reason string
	cause  error
}

func (e *unfitError) Error() string { return e.reason + ": " + e.cause.Error() }
func (e *unfitError) Unwrap() error { return e.cause }

// detail is the cause, cut: it may quote what a stranger wrote.
func (e *unfitError) detail() string {
	text := e.cause.Error()
	return strings.ToValidUTF8(text[:min(len(text), maxDetail)], "")
}
