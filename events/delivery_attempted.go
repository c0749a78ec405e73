package events

import (
	"errors"
	"fmt"
	"time"
)

// TypeDeliveryAttempted names [DeliveryAttempted].
const TypeDeliveryAttempted Type = "feira.delivery.attempted.v1"

// DeliveryOutcome is what came of an attempt to tell a trigger's endpoint.
type DeliveryOutcome string

// Delivery outcomes.
const (
	// DeliveryDone: the endpoint answered 2xx.
	DeliveryDone DeliveryOutcome = "delivered"
	// DeliveryFailed: it did not, and is tried again at NextAt.
	DeliveryFailed DeliveryOutcome = "failed"
	// DeliveryDead: it was given up, and lies in DEAD.
	DeliveryDead DeliveryOutcome = "dead"
)

// DeliveryAttempted is one attempt, for the tenant to look at.
type DeliveryAttempted struct {
	Trigger TriggerID       `json:"trigger"`
	ID      string          `json:"id"`
	Event   string          `json:"event"`
	Object  string          `json:"object"`
	Outcome DeliveryOutcome `json:"outcome"`
	// Cause is the sequence of the fact in SESSIONS; 0 where there is none.
	Cause uint64 `json:"cause,omitempty"`
	// Status is the endpoint's HTTP status; 0 when it gave none.
	Status int `json:"status,omitempty"`
	// Error is a code, unless it was delivered; what the endpoint wrote is not
	// repeated.
	Error      string `json:"error,omitempty"`
	DurationMS int64  `json:"duration_ms"`
	// NextAt is when it is tried again at the earliest.
	NextAt time.Time `json:"next_at,omitzero"`
}

// EventType implements [Event].
func (*DeliveryAttempted) EventType() Type { return TypeDeliveryAttempted }

// Validate implements [Event].
func (e *DeliveryAttempted) Validate() error {
	var faults []error
	if _, err := ParseTriggerID(string(e.Trigger)); err != nil {
		faults = append(faults, err)
	}
	if e.ID == "" {
		faults = append(faults, errors.New("id is missing"))
	}
	switch e.Outcome {
	case DeliveryDone:
	case DeliveryFailed, DeliveryDead:
		if e.Error == "" {
			faults = append(faults, fmt.Errorf("error is missing though outcome is %q", e.Outcome))
		}
	default:
		faults = append(faults, fmt.Errorf("outcome is %q", e.Outcome))
	}
	return errors.Join(faults...)
}
