package gateway

import (
	"net/http"

	"github.com/feira-dev/feira/events"
)

// unanswered is what a client is told of a request that ended without an answer.
func unanswered(end *events.TurnCompleted) *APIError {
	message := end.Detail
	if message == "" {
		message = "the request ended as " + string(end.Status)
	}
	return problem(statusOf(end), end.Reason, "%s", message)
}

// statusOf tells whose fault an ending is: the request's, a limit's, that of
// what stands behind Feira, or Feira's own.
func statusOf(end *events.TurnCompleted) int {
	switch end.Reason {
	case events.ReasonInvalidRequest:
		return http.StatusBadRequest
	case events.ReasonTooLarge:
		return http.StatusRequestEntityTooLarge
	case events.ReasonUnknownTenant, events.ReasonSessionClosed:
		return http.StatusNotFound
	case events.ReasonBudgetExceeded:
		return http.StatusForbidden
	case events.ReasonBacklogFull:
		return http.StatusTooManyRequests
	case events.ReasonCancelled, events.ReasonExpired:
		return http.StatusConflict
	case events.ReasonModelFailed, events.ReasonModelGarbage:
		return http.StatusBadGateway
	case events.ReasonIterations, events.ReasonTokens, events.ReasonToolCalls, events.ReasonWallTime:
		return http.StatusUnprocessableEntity
	}
	if end.Status == events.TurnRejected {
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}
