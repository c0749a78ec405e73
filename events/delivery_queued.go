package events

import (
	"encoding/json"
	"errors"
	"time"
)

// TypeDeliveryQueued names [DeliveryQueued].
const TypeDeliveryQueued Type = "feira.delivery.queued.v1"

// DeliveryQueued is an event that a tenant's trigger is to be told, as it waits
// in TRIGGERS. It leaves the stream when the endpoint has taken it, or when it
// has become a dead letter.
type DeliveryQueued struct {
	Trigger TriggerID `json:"trigger"`
	// ID is the webhook-id that every attempt carries, so that whoever gets two
	// of them knows it. It follows from the trigger and the fact.
	ID string `json:"id"`
	// Event is the normalised name, as in payment.confirmed.
	Event string `json:"event"`
	// Object is what the event is about. Events about one object arrive in order.
	Object string `json:"object"`
	// Cause is the sequence of the fact in SESSIONS; 0 where there is none, as for
	// a test.
	Cause      uint64    `json:"cause,omitempty"`
	OccurredAt time.Time `json:"occurred_at"`
	// Body is what is sent, byte for byte.
	Body json.RawMessage `json:"body"`
}

// EventType implements [Event].
func (*DeliveryQueued) EventType() Type { return TypeDeliveryQueued }

// Validate implements [Event].
func (e *DeliveryQueued) Validate() error {
	var faults []error
	if _, err := ParseTriggerID(string(e.Trigger)); err != nil {
		faults = append(faults, err)
	}
	for _, field := range []struct{ name, value string }{{"id", e.ID}, {"event", e.Event}, {"object", e.Object}} {
		if field.value == "" {
			faults = append(faults, errors.New(field.name+" is missing"))
		}
	}
	if len(e.Body) == 0 {
		faults = append(faults, errors.New("body is missing"))
	}
	return errors.Join(faults...)
}
