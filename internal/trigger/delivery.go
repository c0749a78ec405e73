package trigger

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// MaxBody is the largest body that is sent: what Standard Webhooks asks
// receivers to take.
const MaxBody = 20_000

// payload is the body: type, timestamp and data as Standard Webhooks has them,
// and beside them what an event is found by.
type payload struct {
	ID        string           `json:"id"`
	Type      string           `json:"type"`
	Timestamp time.Time        `json:"timestamp"`
	Tenant    events.TenantID  `json:"tenant_id"`
	Trigger   events.TriggerID `json:"trigger_id"`
	Session   events.SessionID `json:"session_id,omitempty"`
	Server    string           `json:"server_id,omitempty"`
	Object    string           `json:"object,omitempty"`
	ToolCall  string           `json:"tool_call_id,omitempty"`
	Data      map[string]any   `json:"data"`
}

// Delivery is the message that has a trigger told of an event. The same event
// makes the same message.
func Delivery(to Trigger, event Event) (events.Message, error) {
	id := MessageID(to.Tenant, to.ID, event.Source, event.ID)
	body, err := body(to, id, event)
	if err != nil {
		return events.Message{}, err
	}
	object := event.Object
	if event.Server != "" {
		object = event.Server + "/" + object
	}
	queued := &events.DeliveryQueued{
		Trigger: to.ID, ID: id, Event: event.Name, Object: object, Cause: event.Cause, OccurredAt: event.happened(), Body: body,
	}
	envelope := events.Envelope{
		ID: id, Source: events.TriggerSource(to.Tenant, to.ID), Type: events.TypeDeliveryQueued, Time: event.At,
		Tenant: to.Tenant, Session: event.Session,
	}
	message, err := events.Encode(events.TriggersSubject(to.Tenant, to.ID, events.LaneOf(object)), envelope, queued)
	if err != nil {
		return events.Message{}, fmt.Errorf("laying out a delivery to %s: %w", to.ID, err)
	}
	message.Header.Set(events.HeaderMsgID, string(to.Tenant)+"/"+id)
	return message, nil
}

// happened is the time that is told.
func (e Event) happened() time.Time {
	if e.Occurred.IsZero() {
		return e.At
	}
	return e.Occurred
}

// errLarge occurs when an event has so much to say that only its name fits.
var errLarge = errors.New("the body is too large")

func body(to Trigger, id string, event Event) (json.RawMessage, error) {
	told := payload{
		ID: id, Type: event.Name, Timestamp: event.happened(), Tenant: to.Tenant, Trigger: to.ID, Session: event.Session,
		Server: event.Server, Object: event.Object, ToolCall: event.ToolCall, Data: event.Data,
	}
	text, err := json.Marshal(told)
	if err == nil && len(text) > MaxBody {
		told.Data = map[string]any{"truncated": true}
		text, err = json.Marshal(told)
	}
	if err == nil && len(text) > MaxBody {
		err = errLarge
	}
	if err != nil {
		return nil, fmt.Errorf("laying out %s for %s: %w", event.Name, to.ID, err)
	}
	return text, nil
}
