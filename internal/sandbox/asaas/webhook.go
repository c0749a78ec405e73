package asaas

import (
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// maxWebhooks is how many URLs an account may have.
const maxWebhooks = 10

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
	Events      []string `json:"events"`
}

// event is something that the account would be told of.
type event struct {
	ID          string   `json:"id"`
	Event       string   `json:"event"`
	DateCreated string   `json:"dateCreated"`
	Payment     *payment `json:"payment,omitempty"`
}

// tell keeps an event of a payment; nobody is called.
func (p *payment) tell(c *call, name string) {
	copied := *p
	made := event{ID: "evt_" + c.Token("", fake.Hex, 32) + "&" + c.Token("", fake.Decimal, 9), Event: name, DateCreated: c.Now.Format(time.DateTime), Payment: &copied}
	c.State.events.Put(made.ID, made)
}

func createWebhook(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	if missing := body.Missing("name", "url", "sendType", "events"); len(missing) > 0 {
		return invalid("invalid_"+missing[0], "O campo "+missing[0]+" deve ser informado.")
	}
	if !strings.HasPrefix(body.Text("url"), "https://") {
		return invalid("invalid_url", "A URL deve usar https.")
	}
	if len(c.State.webhooks.Newest(func(*webhook) bool { return true })) >= maxWebhooks {
		return invalid("invalid_action", "O limite de "+strconv.Itoa(maxWebhooks)+" webhooks foi atingido.")
	}
	enabled, _ := body["enabled"].(bool)
	interrupted, _ := body["interrupted"].(bool)
	made := &webhook{
		ID: c.UUID("webhook"), Name: body.Text("name"), URL: body.Text("url"), Email: body.Text("email"), Enabled: enabled, Interrupted: interrupted,
		APIVersion: 3, SendType: body.Text("sendType"), HasToken: body.Has("authToken"), Events: body.Texts("events"),
	}
	c.State.webhooks.Put(made.ID, made)
	c.Effect("webhook.created", made.ID, made.Name)
	return fake.OK(made)
}

func listWebhooks(c *call) fake.Answer {
	return listed(c, c.State.webhooks.Newest(func(*webhook) bool { return true }))
}

func listEvents(c *call) fake.Answer {
	wanted := c.Query().Get("event")
	return listed(c, c.State.events.Newest(func(one event) bool { return agree(wanted, one.Event) }))
}
