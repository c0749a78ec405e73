package agent

import (
	"encoding/json"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// toldNote is what a model reads of a call whose own answer was lost.
const toldNote = "the answer of this call was lost; the provider told afterwards, by webhook, of what it made, so it had its effect: do not repeat it"

// told mends an outcome that nobody knew when the log says by now that the
// provider spoke of what the call made: that is proof that it had its effect.
// It is called as the outcome is written down, so that of an event and an
// outcome that come at one time, whichever is later sees the other.
func told(turn *session.Turn, intent session.Intent, returned *events.ToolReturned) *events.ToolReturned {
	if returned.Status != events.ToolUnknown {
		return returned
	}
	later := turn.Told(intent)
	if later == nil {
		return returned
	}
	mended := *returned
	mended.Status, mended.Error, mended.Output = events.ToolOK, nil, toldOutput(later)
	return &mended
}

// toldOutput is a provider's event in a call's answer's place. The object is
// what the event is of, which need not be what the call made: of a subscription,
// say, a payment. So it has no name here that an answer would have.
func toldOutput(event *events.WebhookReceived) string {
	output, err := json.Marshal(struct {
		Note       string      `json:"note"`
		Event      string      `json:"event"`
		Kind       string      `json:"kind,omitempty"`
		Fact       events.Fact `json:"fact,omitempty"`
		ObjectID   string      `json:"object_id,omitempty"`
		Status     string      `json:"status,omitempty"`
		OccurredAt time.Time   `json:"occurred_at,omitzero"`
	}{toldNote, event.Event, event.Kind, event.Fact, event.Object, event.Status, event.OccurredAt})
	if err != nil {
		return toldNote // a time beyond the year 9999
	}
	return string(output)
}
