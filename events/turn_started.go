package events

import (
	"encoding/json"
	"errors"
	"fmt"
)

// TypeTurnStarted names [TurnStarted].
const TypeTurnStarted Type = "feira.turn.started.v1"

// Kind is what a request asks for.
type Kind string

// Kinds of request.
const (
	// KindTurn runs the agent loop on a message; one at a time in a session.
	KindTurn Kind = "turn"
	// KindCall dispatches one tool; it takes no session turn.
	KindCall Kind = "call"
)

// TurnStarted says that a worker has begun a request, or has taken over one
// that another worker left unfinished. The latest one of a request owns it:
// workers of earlier attempts may write no more.
type TurnStarted struct {
	// RequestSequence is the request's sequence in REQUESTS.
	RequestSequence uint64 `json:"request_sequence"`
	Kind            Kind   `json:"kind"`
	// Attempt counts from 1; above 1 it is a take-over.
	Attempt int    `json:"attempt"`
	Worker  string `json:"worker"`
	// Message is the caller's text, on the first attempt of a turn.
	Message string `json:"message,omitempty"`
	// Call is the tool asked for, on the first attempt of a call.
	Call *CallRequested `json:"call,omitempty"`
	// Metadata of the request, stamped on its usage rows over the session's.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// CallRequested is one tool with its arguments.
type CallRequested struct {
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
}

// EventType implements [Event].
func (*TurnStarted) EventType() Type { return TypeTurnStarted }

// Validate implements [Event].
func (e *TurnStarted) Validate() error {
	var faults []error
	if e.Kind != KindTurn && e.Kind != KindCall {
		faults = append(faults, fmt.Errorf("kind is %q, want %q or %q", e.Kind, KindTurn, KindCall))
	}
	if e.Attempt < 1 {
		faults = append(faults, fmt.Errorf("attempt is %d, want 1 or more", e.Attempt))
	}
	if e.Kind == KindCall && e.Attempt == 1 && e.Call == nil {
		faults = append(faults, errors.New("call is missing"))
	}
	return errors.Join(faults...)
}
