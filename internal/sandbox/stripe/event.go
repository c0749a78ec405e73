package stripe

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/outbox"
)

// apiVersion is that of the objects in events.
const apiVersion = "2026-10-28.dahlia"

// event is something that the account is told of.
type event struct {
	ID              string       `json:"id"`
	Object          string       `json:"object"`
	APIVersion      string       `json:"api_version"`
	Created         int64        `json:"created"`
	Data            eventData    `json:"data"`
	Livemode        bool         `json:"livemode"`
	PendingWebhooks int          `json:"pending_webhooks"`
	Request         eventRequest `json:"request"`
	Type            string       `json:"type"`
}

// eventData holds the object as it was.
type eventData struct {
	Object json.RawMessage `json:"object"`
}

// eventRequest is the call that caused the event.
type eventRequest struct {
	ID             *string `json:"id"`
	IdempotencyKey *string `json:"idempotency_key"`
}

// tell keeps an event about an object as it is now, and puts it into the queue
// of each endpoint that wants it.
func tell(c *call, kind string, object any) {
	frozen, _ := fake.OK(object).Frozen().Body.(json.RawMessage)
	wanting := c.State.endpoints.Newest(func(one *endpoint) bool { return one.wants(kind) })
	made := event{
		ID: c.Token("evt_1", fake.Base62, 23), Object: "event", APIVersion: apiVersion, Created: c.Now.Unix(), Data: eventData{frozen},
		PendingWebhooks: len(wanting), Request: eventRequest{IdempotencyKey: optional(c.Header("Idempotency-Key"))}, Type: kind,
	}
	c.State.events.Put(made.ID, made)
	for _, one := range wanting {
		one.queue.Put(fake.Letter(made.ID, kind, made))
	}
}

func listEvents(c *call) fake.Answer {
	f, refusal := read(c, "type", "created", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.events.Newest(func(one event) bool { return agree(f.text("type"), one.Type) && f.within(one.Created) })
	return listed(c, f, found, func(one event) string { return one.ID })
}

func retrieveEvent(c *call) fake.Answer {
	found, ok := c.State.events.Find(c.Path("id"))
	if !ok {
		return absent(http.StatusNotFound, "event", "id", c.Path("id"))
	}
	return fake.OK(found)
}

// maxRefusals is how often an event is sent before it is given up, which takes
// Stripe three days.
const maxRefusals = 16

// endpoint is an address that is told of events.
type endpoint struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Created       int64             `json:"created"`
	Description   *string           `json:"description"`
	EnabledEvents []string          `json:"enabled_events"`
	Livemode      bool              `json:"livemode"`
	Metadata      map[string]string `json:"metadata"`
	// Secret is shown once, in the answer to the creation.
	Secret string `json:"secret,omitempty"`
	Status string `json:"status"`
	URL    string `json:"url"`

	queue *outbox.Queue
}

func (e *endpoint) wants(kind string) bool {
	return e.Status == "enabled" && (slices.Contains(e.EnabledEvents, "*") || slices.Contains(e.EnabledEvents, kind))
}

func createEndpoint(c *call) fake.Answer {
	f, refusal := read(c, "url", "enabled_events", "description", "metadata", "api_version")
	if refusal != nil {
		return *refusal
	}
	wanted := f.texts("enabled_events")
	switch {
	case f.text("url") == "":
		return *missing("url")
	case len(wanted) == 0:
		return *missing("enabled_events")
	case !outbox.AddressOf(Server, f.text("url"), "").Fits():
		return *invalid(fault{Code: "url_invalid", Param: "url", Message: "Invalid URL: it must begin with https, or be of this machine."})
	}
	secret := "whsec_" + c.Token("", fake.Base62, 32-len(fake.Mark)) + fake.Mark
	made := newEndpoint(c, f.text("url"), secret)
	made.EnabledEvents, made.Description, made.Metadata = wanted, optional(f.text("description")), f.pairs("metadata")
	c.Effect("webhook_endpoint.created", made.ID, reference(made.Metadata))
	shown := *made
	shown.Secret = secret
	return fake.OK(shown)
}

// newEndpoint makes one that is told of all events.
func newEndpoint(c *call, at, secret string) *endpoint {
	made := &endpoint{
		ID: c.Token("we_1", fake.Base62, 23), Object: "webhook_endpoint", Created: c.Now.Unix(), EnabledEvents: []string{"*"},
		Metadata: map[string]string{}, Status: "enabled", URL: at, queue: c.Queue(at, secret, outbox.Rules{Taken: outbox.Success, Patience: maxRefusals}),
	}
	c.State.endpoints.Put(made.ID, made)
	return made
}

func listEndpoints(c *call) fake.Answer {
	f, refusal := read(c, "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.endpoints.Newest(func(*endpoint) bool { return true })
	return listed(c, f, found, func(one *endpoint) string { return one.ID })
}

func deleteEndpoint(c *call) fake.Answer {
	found, ok := c.State.endpoints.Find(c.Path("id"))
	if !ok {
		return absent(http.StatusNotFound, "webhook endpoint", "id", c.Path("id"))
	}
	found.queue.Close()
	c.State.endpoints.Drop(found.ID)
	c.Effect("webhook_endpoint.deleted", found.ID, reference(found.Metadata))
	return fake.OK(fake.Map{"id": found.ID, "object": found.Object, "deleted": true})
}
