package events

import (
	"errors"
	"fmt"
)

// TypeUsageRecorded names [UsageRecorded].
const TypeUsageRecorded Type = "feira.usage.recorded.v1"

// Meter is what was used; one token of a subject.
type Meter string

// Meters that Feira itself writes.
const (
	MeterToolCall   Meter = "tool_call"
	MeterModelReply Meter = "model_reply"
)

// Units of quantities.
const (
	UnitCall        = "call"
	UnitInputToken  = "input_token"
	UnitOutputToken = "output_token"
)

// UsageRecorded is one billable fact: exactly one for each tool.returned and
// each model.replied. Its envelope carries the session as source and the id of
// the fact that caused it. It holds no arguments and no secrets.
type UsageRecorded struct {
	Meter   Meter     `json:"meter"`
	Session SessionID `json:"session"`
	Request RequestID `json:"request"`
	Server  string    `json:"server,omitempty"`
	Tool    string    `json:"tool,omitempty"`
	Model   string    `json:"model,omitempty"`
	// Outcome is the tool's status, or "ok" for a model reply.
	Outcome string `json:"outcome"`
	// Billable is false for what was not sent: refused, or answered from the
	// session's mocks.
	Billable    bool        `json:"billable"`
	Environment Environment `json:"environment"`
	Quantities  []Quantity  `json:"quantities"`
	Attempts    int         `json:"attempts"`
	DurationMS  int64       `json:"duration_ms"`
	// Metadata is the session's, overlaid by the request's.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// Quantity is an amount of one unit, the amount as a decimal string.
type Quantity struct {
	Unit   string `json:"unit"`
	Amount string `json:"amount"`
}

// EventType implements [Event].
func (*UsageRecorded) EventType() Type { return TypeUsageRecorded }

// Validate implements [Event].
func (e *UsageRecorded) Validate() error {
	var faults []error
	if err := checkID("meter", string(e.Meter), MaxTenantID, "_-"); err != nil {
		faults = append(faults, err)
	}
	if len(e.Quantities) == 0 {
		faults = append(faults, errors.New("quantities is empty"))
	}
	for i, quantity := range e.Quantities {
		if quantity.Unit == "" || quantity.Amount == "" {
			faults = append(faults, fmt.Errorf("quantities[%d] has no unit or no amount", i))
		}
	}
	if e.Outcome == "" {
		faults = append(faults, errors.New("outcome is missing"))
	}
	return errors.Join(faults...)
}
