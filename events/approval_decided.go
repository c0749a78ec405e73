package events

import "errors"

// TypeApprovalDecided names [ApprovalDecided].
const TypeApprovalDecided Type = "feira.approval.decided.v1"

// ApprovalDecided is a person's word on an [ApprovalRequested].
type ApprovalDecided struct {
	ApprovalID string `json:"approval_id"`
	Approved   bool   `json:"approved"`
	DecidedBy  string `json:"decided_by"`
	Note       string `json:"note,omitempty"`
}

// EventType implements [Event].
func (*ApprovalDecided) EventType() Type { return TypeApprovalDecided }

// Validate implements [Event].
func (e *ApprovalDecided) Validate() error {
	var faults []error
	if e.ApprovalID == "" {
		faults = append(faults, errors.New("approval_id is missing"))
	}
	if e.DecidedBy == "" {
		faults = append(faults, errors.New("decided_by is missing"))
	}
	return errors.Join(faults...)
}
