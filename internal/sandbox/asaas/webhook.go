package asaas

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/outbox"
)

const (
	// maxWebhooks is how many URLs an account may have.
	maxWebhooks = 10
	// maxRefusals is how many refusals in a row interrupt a queue.
	maxRefusals = 15

	sendInOrder = "SEQUENTIALLY"
)

type webhook struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	URL         string   `json:"url"`
	Email       string   `json:"email,omitempty"`
	Enabled     bool     `json:"enabled"`
	Interrupted bool     `json:"interrupted"`
	APIVersion  int      `json:"apiVersion"`
	SendType    string   `json:"sendType"`
	HasToken    bool     `json:"hasAuthToken"`
	Penalized   int      `json:"penalizedRequestsCount"`
	Events      []string `json:"events"`

	token string
	queue *outbox.Queue
}

// shown is the webhook with how its queue does.
func (w *webhook) shown() webhook {
	told := *w
	standing := w.queue.Standing()
	told.Interrupted, told.Penalized, told.HasToken = standing.Interrupted, standing.Refused, w.token != ""
	return told
}

// wants reports whether the webhook is told of an event; one without a list is
// told of all.
func (w *webhook) wants(event string) bool {
	return w.Enabled && (len(w.Events) == 0 || slices.Contains(w.Events, event))
}

func createWebhook(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	if missing := body.Missing("name", "url", "sendType", "events"); len(missing) > 0 {
		return invalid("invalid_"+missing[0], "O campo "+missing[0]+" deve ser informado.")
	}
	if refusal := checkWebhook(body); refusal != nil {
		return *refusal
	}
	if len(c.State.webhooks.Newest(func(*webhook) bool { return true })) >= maxWebhooks {
		return invalid("invalid_action", "O limite de "+strconv.Itoa(maxWebhooks)+" webhooks foi atingido.")
	}
	made := newWebhook(c, body)
	c.Effect("webhook.created", made.ID, made.Name)
	return fake.OK(made.shown())
}

// checkWebhook looks at what is there; an update need not say all.
func checkWebhook(body fake.Object) *fake.Answer {
	address := outbox.AddressOf(Server, body.Text("url"), body.Text("authToken"))
	var answer fake.Answer
	switch {
	case body.Has("url") && !address.Fits():
		answer = invalid("invalid_url", "A URL deve usar https.")
	case body.Has("sendType") && body.Text("sendType") != sendInOrder && body.Text("sendType") != "NON_SEQUENTIALLY":
		answer = invalid("invalid_sendType", "O tipo de envio informado é inválido.")
	case address.Check() != nil:
		answer = invalid("invalid_authToken", "O token de autenticação informado é inválido.")
	default:
		return nil
	}
	return &answer
}

// newWebhook makes one of a body that has been checked.
func newWebhook(c *call, body fake.Object) *webhook {
	made := &webhook{ID: c.UUID("webhook"), APIVersion: 3, URL: body.Text("url"), token: body.Text("authToken")}
	made.queue = c.Queue(made.URL, made.token, outbox.Rules{
		Taken: func(status int) bool { return status == http.StatusOK }, Patience: maxRefusals, Interrupts: true,
	})
	made.change(body)
	c.State.webhooks.Put(made.ID, made)
	return made
}

// change takes over what a body says.
func (w *webhook) change(body fake.Object) {
	for name, field := range map[string]*string{"name": &w.Name, "url": &w.URL, "email": &w.Email, "sendType": &w.SendType, "authToken": &w.token} {
		if body.Has(name) {
			*field = body.Text(name)
		}
	}
	if body.Has("events") {
		w.Events = body.Texts("events")
	}
	if enabled, said := body["enabled"].(bool); said {
		w.Enabled = enabled
	}
	w.queue.Loosen(w.SendType != sendInOrder)
	w.queue.Move(outbox.AddressOf(Server, w.URL, w.token))
	if interrupted, said := body["interrupted"].(bool); said && interrupted {
		w.queue.Interrupt()
	} else if said {
		w.queue.Resume()
	}
}

func updateWebhook(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	found, ok := c.State.webhooks.Find(c.Path("id"))
	if !ok {
		return absent()
	}
	if refusal := checkWebhook(body); refusal != nil {
		return *refusal
	}
	found.change(body)
	c.Effect("webhook.updated", found.ID, found.Name)
	return fake.OK(found.shown())
}

func deleteWebhook(c *call) fake.Answer {
	found, ok := c.State.webhooks.Find(c.Path("id"))
	if !ok {
		return absent()
	}
	found.queue.Close()
	c.State.webhooks.Drop(found.ID)
	c.Effect("webhook.deleted", found.ID, found.Name)
	return fake.OK(fake.Map{"deleted": true, "id": found.ID})
}

func getWebhook(c *call) fake.Answer {
	found, ok := c.State.webhooks.Find(c.Path("id"))
	if !ok {
		return absent()
	}
	return fake.OK(found.shown())
}

func listWebhooks(c *call) fake.Answer {
	found := c.State.webhooks.Newest(func(*webhook) bool { return true })
	shown := make([]webhook, len(found))
	for i, one := range found {
		shown[i] = one.shown()
	}
	return listed(c, shown)
}
