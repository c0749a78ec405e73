package events

import "fmt"

// TypeTurnCompleted names [TurnCompleted].
const TypeTurnCompleted Type = "feira.turn.completed.v1"

// TurnStatus is how a request ended. There is exactly one for each request.
type TurnStatus string

// Turn statuses.
const (
	TurnCompletedOK TurnStatus = "completed"
	TurnFailed      TurnStatus = "failed"
	TurnRejected    TurnStatus = "rejected"
	TurnCancelled   TurnStatus = "cancelled"
	TurnExpired     TurnStatus = "expired"
)

// Reasons of an ending that is not completed.
const (
	ReasonInvalidRequest    = "invalid_request"
	ReasonTooLarge          = "too_large"
	ReasonUnknownTenant     = "unknown_tenant"
	ReasonSessionClosed     = "session_closed"
	ReasonExpired           = "expired"
	ReasonCancelled         = "cancelled"
	ReasonBacklogFull       = "backlog_full"
	ReasonBudgetExceeded    = "budget_exceeded"
	ReasonIterations        = "iteration_limit"
	ReasonTokens            = "token_limit"
	ReasonToolCalls         = "tool_call_limit"
	ReasonWallTime          = "wall_time_limit"
	ReasonModelFailed       = "model_failed"
	ReasonModelGarbage      = "model_garbage"
	ReasonTooManyDeliveries = "too_many_deliveries"
	ReasonLogUnreadable     = "log_unreadable"
	ReasonMocksNotPermitted = "mocks_not_permitted"
	ReasonMocksTooLarge     = "mocks_payload_too_large"
	ReasonMocksInvalid      = "mocks_invalid"
)

// TurnCompleted ends a request.
type TurnCompleted struct {
	RequestSequence uint64     `json:"request_sequence"`
	Status          TurnStatus `json:"status"`
	// Reason is a code, for every status but completed.
	Reason string `json:"reason,omitempty"`
	// Detail is a sentence for people, for every status but completed.
	Detail string `json:"detail,omitempty"`
	// Message is the agent's answer.
	Message    string     `json:"message,omitempty"`
	Iterations int        `json:"iterations"`
	ToolCalls  int        `json:"tool_calls"`
	Usage      TokenUsage `json:"usage"`
	DurationMS int64      `json:"duration_ms"`
}

// EventType implements [Event].
func (*TurnCompleted) EventType() Type { return TypeTurnCompleted }

// Validate implements [Event].
func (e *TurnCompleted) Validate() error {
	switch e.Status {
	case TurnCompletedOK:
		return nil
	case TurnFailed, TurnRejected, TurnCancelled, TurnExpired:
		if e.Reason == "" {
			return fmt.Errorf("reason is missing though status is %q", e.Status)
		}
		return nil
	default:
		return fmt.Errorf("status is %q", e.Status)
	}
}
