package events

import (
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
	// Metadata is stamped on every usage row of the session.
	Metadata map[string]string `json:"metadata,omitempty"`
}

// EventType implements [Event].
func (*SessionOpened) EventType() Type { return TypeSessionOpened }

// Validate implements [Event].
func (e *SessionOpened) Validate() error {
	var faults []error
	if e.Servers == nil {
		faults = append(faults, errors.New("servers is missing"))
	}
	if e.Environment != EnvironmentLive && e.Environment != EnvironmentTest {
		faults = append(faults, fmt.Errorf("environment is %q, want %q or %q", e.Environment, EnvironmentLive, EnvironmentTest))
	}
	return errors.Join(faults...)
}
