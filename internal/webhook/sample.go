package webhook

import (
	"encoding/json"
	"time"
)

// SampleParams say what a sample is to tell.
type SampleParams struct {
	// ID is the event's, where the provider's events have one.
	ID     string
	Kind   string
	Object string
	Status string
	At     time.Time
}

// Sample is a body as the server sends it, which [Read] reads as what was asked
// for. It is for trying out rules; a provider's own has more in it.
func Sample(server string, params SampleParams) ([]byte, error) {
	type fields = map[string]any
	object := fields{"id": params.Object, "status": params.Status}
	var body fields
	switch server {
	case "stripe":
		object["object"] = "payment_intent"
		body = fields{"id": params.ID, "object": "event", "type": params.Kind, "created": params.At.Unix(), "livemode": false, "data": fields{"object": object}}
	case "asaas":
		object["object"] = "payment"
		body = fields{"id": params.ID, "event": params.Kind, "dateCreated": params.At.In(brasilia()).Format(time.DateTime), "payment": object}
	case "melhor-envio":
		object["updated_at"] = params.At.In(brasilia()).Format(time.DateTime)
		body = fields{"event": params.Kind, "data": object}
	case "z-api":
		body = fields{
			"type": params.Kind, "instanceId": "simulated", "messageId": params.ID, "phone": params.Object, "status": params.Status,
			"momment": params.At.UnixMilli(), "text": fields{"message": "simulated"},
		}
		if params.Kind != "ReceivedCallback" {
			body["messageId"], body["ids"] = params.Object, []string{params.Object}
		}
	default:
		body = fields{"id": params.ID, "type": params.Kind, "timestamp": params.At.UTC().Format(time.RFC3339), "data": object}
	}
	return json.Marshal(body)
}
