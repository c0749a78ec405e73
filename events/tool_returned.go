package events

import (
	"errors"
	"fmt"
)

// TypeToolReturned names [ToolReturned].
const TypeToolReturned Type = "feira.tool.returned.v1"

// ToolStatus is how a tool call ended.
type ToolStatus string

// Tool statuses.
const (
	// ToolOK: the provider did it.
	ToolOK ToolStatus = "ok"
	// ToolError: the provider, or the way to it, said no; there was no effect.
	ToolError ToolStatus = "error"
	// ToolRefused: Feira did not send it: a wall, a schema or a limit.
	ToolRefused ToolStatus = "refused"
	// ToolUnknown: it was sent, perhaps, and may not be sent again; nobody
	// knows whether it had its effect.
	ToolUnknown ToolStatus = "unknown"
)

// ToolReturned is the one outcome of one tool call.
type ToolReturned struct {
	// Iteration is that of the model reply which asked for it; 0 for a call request.
	Iteration int `json:"iteration"`
	// Index is the call's place among the reply's tool calls, from 0.
	Index  int    `json:"index"`
	CallID string `json:"call_id"`
	Name   string `json:"name"`
	Server string `json:"server,omitempty"`
	Tool   string `json:"tool,omitempty"`
	// ServedBy is the server at which one of Feira's own tools had its effect, or
	// may have had it; absent for all other tools, whose server it is.
	ServedBy string     `json:"served_by,omitempty"`
	Status   ToolStatus `json:"status"`
	// Output is the provider's answer as text, scrubbed and capped; empty
	// unless the status is ok.
	Output string `json:"output,omitempty"`
	// Error says, unless the status is ok, what the model and the caller may know.
	Error *ToolFault `json:"error,omitempty"`
	// Mock is set when the session's mocks answered, or would have: nothing was
	// sent then.
	Mock *MockAnswer `json:"mock,omitempty"`
	// Key is the idempotency key that was sent, or would have been.
	Key        string `json:"key,omitempty"`
	Attempts   int    `json:"attempts"`
	DurationMS int64  `json:"duration_ms"`
}

// MockAnswer says which of a session's mocks a tool call was answered from.
type MockAnswer struct {
	// Tool is its name there: server/tool, or that of a meta-tool.
	Tool string `json:"tool"`
	// Index is the answer's place, from 1, in the tool's list; no two calls of a
	// session have the same one. It is left out where the tool has no list, or
	// nothing in it any more.
	Index int `json:"index,omitempty"`
}

// ToolFault is an error of a tool call, safe to show.
type ToolFault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Codes of tool faults.
const (
	FaultServerNotInSession = "server_not_in_session"
	FaultUnknownTool        = "unknown_tool"
	FaultInvalidArguments   = "invalid_arguments"
	FaultNoCredential       = "no_credential"
	FaultProviderError      = "provider_error"
	FaultProviderTimeout    = "provider_timeout"
	FaultProviderLimited    = "provider_rate_limited"
	FaultOutcomeUnknown     = "outcome_unknown"
	FaultResultTooLarge     = "result_too_large"
	FaultPanic              = "panic"
	FaultLimit              = "limit_reached"
	// The session's mocks have no answer: none for the tool, none any more, or
	// they cannot be read.
	FaultToolNotMocked  = "tool_not_mocked"
	FaultMocksExhausted = "mocks_exhausted"
	FaultMocksEngine    = "mocks_engine_error"
)

// EventType implements [Event].
func (*ToolReturned) EventType() Type { return TypeToolReturned }

// Validate implements [Event].
func (e *ToolReturned) Validate() error {
	var faults []error
	switch e.Status {
	case ToolOK:
		if e.Error != nil {
			faults = append(faults, errors.New("error is set though status is ok"))
		}
	case ToolError, ToolRefused, ToolUnknown:
		if e.Error == nil {
			faults = append(faults, fmt.Errorf("error is missing though status is %q", e.Status))
		}
	default:
		faults = append(faults, fmt.Errorf("status is %q", e.Status))
	}
	if e.Iteration < 0 || e.Index < 0 {
		faults = append(faults, errors.New("iteration or index is negative"))
	}
	if e.Mock != nil && (e.Mock.Index < 0 || e.Mock.Index > 0 && e.Status != ToolOK) {
		faults = append(faults, fmt.Errorf("mock.index is %d though status is %q", e.Mock.Index, e.Status))
	}
	return errors.Join(faults...)
}
