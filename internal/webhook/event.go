package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/hostile"
)

// Event is what a provider's webhook says.
type Event struct {
	// ID is the provider's id of the event, or "sha256:" and the hash of the body.
	ID     string
	Kind   string
	Fact   events.Fact
	Object string
	// Related are the ids of what the object belongs to, the nearest first: a
	// refund's charge, a charge's payment intent.
	Related []string
	// Reference is what our own call gave the provider to know the object by.
	Reference string
	Status    string
	// OccurredAt is zero where the provider gives no time.
	OccurredAt time.Time
}

// Objects are the ids by which a call of ours may be found that made the object.
func (e Event) Objects() []string {
	ids := append([]string{e.Object}, e.Related...)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
}

// Read says what a server's webhook tells. signed is the id that the proof
// holds; it wins over what stands in the body. A body that is no JSON object is
// [ErrUnreadable], and nothing else is: what is not understood has no fact.
func Read(server, signed string, body []byte) (Event, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil || fields == nil || decoder.More() {
		return Event{}, fmt.Errorf("%w: want one JSON object", ErrUnreadable)
	}
	event := reader(server)(document{fields})
	if signed != "" {
		event.ID = signed
	}
	event.ID = identity(event.ID, body)
	event.Kind, event.Status = word(event.Kind), word(event.Status)
	event.Object, event.Reference = word(event.Object), word(event.Reference)
	for i, id := range event.Related {
		event.Related[i] = word(id)
	}
	return event, nil
}

func reader(server string) func(document) Event {
	switch server {
	case "stripe":
		return readStripeEvent
	case "asaas":
		return readAsaas
	case "melhor-envio":
		return readMelhorEnvio
	case "z-api":
		return readZAPI
	default:
		return readGeneric
	}
}

// identity is the event's id where it has one that is fit to be kept.
func identity(id string, body []byte) string {
	plain := !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
	if id != "" && len(id) <= events.MaxWebhookEvent && plain && !strings.HasPrefix(id, bodyPrefix) {
		return id
	}
	sum := sha256.Sum256(body)
	return bodyPrefix + hex.EncodeToString(sum[:])
}

const bodyPrefix = "sha256:"

// word makes a stranger's text fit for an event.
func word(text string) string {
	return hostile.Clip(strings.Join(strings.Fields(hostile.Clean(text)), " "), events.MaxWebhookWord)
}

// document is a JSON object of which nothing is promised.
type document struct{ value any }

// at is what stands at a path; nothing where there is none.
func (d document) at(path ...string) document {
	for _, name := range path {
		fields, ok := d.value.(map[string]any)
		if !ok {
			return document{}
		}
		d.value = fields[name]
	}
	return d
}

// text is a text or a number, as it is written.
func (d document) text(path ...string) string {
	switch value := d.at(path...).value.(type) {
	case string:
		return value
	case json.Number:
		return value.String()
	}
	return ""
}

// first is the first text of several names that is not empty.
func (d document) first(names ...string) string {
	for _, name := range names {
		if text := d.text(name); text != "" {
			return text
		}
	}
	return ""
}

// unix is a time in seconds, or in milliseconds.
func (d document) unix(unit time.Duration, path ...string) time.Time {
	number, ok := d.at(path...).value.(json.Number)
	if !ok {
		return time.Time{}
	}
	count, err := number.Int64()
	limit := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC).Unix() * int64(time.Second/unit)
	if err != nil || count <= 0 || count > limit {
		return time.Time{}
	}
	if unit == time.Millisecond {
		return time.UnixMilli(count).UTC()
	}
	return time.Unix(count, 0).UTC()
}

// brasilia is the time of the providers that write none of their own. Brazil
// has had no summer time since 2019.
func brasilia() *time.Location { return time.FixedZone("-03", -3*60*60) }

// moment reads a time in the forms that providers write.
func moment(text string) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.UTC()
	}
	if at, err := time.ParseInLocation(time.DateTime, text, brasilia()); err == nil {
		return at.UTC()
	}
	return time.Time{}
}

// Value is what stands at a path of dots in a body, as a text; false where no
// text, number or truth value does. A tenant's conditions are held against it.
func Value(body []byte, path string) (string, bool) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return "", false
	}
	switch value := (document{fields}).at(strings.Split(path, ".")...).value.(type) {
	case string:
		return value, true
	case json.Number:
		return value.String(), true
	case bool:
		if value {
			return "true", true
		}
		return "false", true
	}
	return "", false
}
