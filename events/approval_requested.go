package events

import (
	"errors"
	"time"
)

// TypeApprovalRequested names [ApprovalRequested].
const TypeApprovalRequested Type = "feira.approval.requested.v1"

// ApprovalRequested parks a turn until a person decides on its tool calls. The
// decision comes as a request of its own.
type ApprovalRequested struct {
	ApprovalID string     `json:"approval_id"`
	Iteration  int        `json:"iteration"`
	ToolCalls  []ToolCall `json:"tool_calls"`
	Reason     string     `json:"reason"`
	ExpiresAt  time.Time  `json:"expires_at"`
}

// EventType implements [Event].
func (*ApprovalRequested) EventType() Type { return TypeApprovalRequested }

// Validate implements [Event].
func (e *ApprovalRequested) Validate() error {
	var faults []error
	if e.ApprovalID == "" {
		faults = append(faults, errors.New("approval_id is missing"))
	}
	if len(e.ToolCalls) == 0 {
		faults = append(faults, errors.New("tool_calls is empty"))
	}
	return errors.Join(faults...)
}
