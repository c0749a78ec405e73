package gateway

import (
	"errors"
	"net/http"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/mock"
	"github.com/feira-dev/feira/internal/tenant"
)

// worded turns the errors of ports into problems; others stay as they are, and
// are told as internal. A port that is away has done nothing then: the error of
// one that was asked to write is [unsure].
func worded(err error) error {
	switch {
	case errors.Is(err, ErrUnknownKey):
		return unauthorized("Missing or invalid Bearer token")
	case errors.Is(err, ErrKeyConflict):
		return keyConflict()
	case errors.Is(err, ErrKeyBusy):
		made := problem(http.StatusConflict, CodeKeyBusy, "what the Idempotency-Key names is being done").at(headerKey)
		made.headers = http.Header{"Retry-After": {"1"}}
		return made
	case errors.Is(err, ErrBacklogFull):
		made := problem(http.StatusTooManyRequests, CodeBacklogFull, "%s", err.Error())
		made.headers = http.Header{"Retry-After": {"1"}}
		if full, ok := errors.AsType[*FullError](err); ok {
			made.Throttle = &Throttle{Limit: full.Limit, Depth: &full.Depth, RetryAfter: 1}
		}
		return made
	case errors.Is(err, ErrUnavailable):
		return unavailable("the broker cannot be reached; nothing was done")
	case errors.Is(err, events.ErrInvalidRequest), errors.Is(err, events.ErrTooLarge), errors.Is(err, events.ErrInvalidID), errors.Is(err, tenant.ErrInvalid):
		return problem(http.StatusBadRequest, CodeInvalidRequest, "%s", err.Error())
	default:
		return err
	}
}

// keyConflict is the answer to an idempotency key that has named something else.
func keyConflict() *APIError {
	return problem(http.StatusConflict, CodeKeyConflict, "the Idempotency-Key was used with another body").at(headerKey)
}

// sessionGone is the answer for a session that is not there, is closed, or is
// another's: they are not told apart.
func sessionGone() *APIError {
	return problem(http.StatusNotFound, CodeSessionNotFound, "Session not found or closed")
}

// mocksRefused is the answer to mocks that do not pass their gate: the code is
// that of test mode, the status tells whether the deployment, the tenant's
// environment or the mocks themselves are why.
func mocksRefused(err error) error {
	refused, ok := mock.As(err)
	if !ok {
		return err
	}
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, mock.ErrTestModeOff):
		status = http.StatusNotImplemented
	case errors.Is(err, mock.ErrLive):
		status = http.StatusForbidden
	case refused.Code == events.ReasonMocksTooLarge:
		status = http.StatusRequestEntityTooLarge
	}
	return problem(status, refused.Code, "%s", refused.Message).at(refused.Field)
}
