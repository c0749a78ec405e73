package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// TypeSessionOpened names [SessionOpened].
const TypeSessionOpened Type = "feira.session.opened.v1"

// Environment says whether a tenant's calls reach real money.
type Environment string

// Environments.
const (
	EnvironmentLive Environment = "live"
	EnvironmentTest Environment = "test"
)

// SessionOpened begins a session's log and fixes what the session may reach.
type SessionOpened struct {
	// Servers are the only providers that tools of this session may reach.
	Servers     []string    `json:"servers"`
	Environment Environment `json:"environment"`
	// Routes name the server of each thing that several can do, as the tenant had
	// it then: a tool made of others, begun by one worker and gone on with by
	// another, is to go to the same one. By "charge.pix" and its like.
	Routes map[string]string `json:"routes,omitempty"`
	// Metadata is stamped on every usage row of the session.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Mocks are the answers that the session's tools give, by server/tool or the
	// name of a meta-tool: an object is given each time, the objects of a list
	// one after the other. A session that has them reaches no provider.
	Mocks json.RawMessage `json:"mocks,omitempty"`
	// User is the customer's own name for who speaks, as the opener gave it.
	User string `json:"user,omitempty"`
	// IdleSeconds is after how long without an event the session may be closed by
	// whoever comes upon it; 0 keeps it open.
	IdleSeconds int `json:"idle_seconds,omitempty"`
}

// EventType implements [Event].
func (*SessionOpened) EventType() Type { return TypeSessionOpened }

// Validate implements [Event].
func (e *SessionOpened) Validate() error {
	var faults []error
	if e.Servers == nil {
		faults = append(faults, errors.New("servers is missing"))
	}
	if e.IdleSeconds < 0 {
		faults = append(faults, errors.New("idle_seconds is negative"))
	}
	if e.Environment != EnvironmentLive && e.Environment != EnvironmentTest {
		faults = append(faults, fmt.Errorf("environment is %q, want %q or %q", e.Environment, EnvironmentLive, EnvironmentTest))
	}
	if e.Mocks != nil {
		faults = append(faults, e.validateMocks())
	}
	return errors.Join(faults...)
}

// validateMocks looks at what every reader relies on; the rest of their form is
// the business of whoever takes them from a caller.
func (e *SessionOpened) validateMocks() error {
	switch {
	case e.Environment == EnvironmentLive:
		return errors.New("mocks are set though environment is live")
	case len(e.Mocks) > MaxMocksBytes:
		return fmt.Errorf("mocks has %d bytes, at most %d are allowed", len(e.Mocks), MaxMocksBytes)
	case !bytes.HasPrefix(bytes.TrimSpace(e.Mocks), []byte("{")) || !json.Valid(e.Mocks):
		return errors.New("mocks is no object")
	}
	return nil
}
