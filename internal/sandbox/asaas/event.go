package asaas

import (
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// event is something that the account is told of.
type event struct {
	ID          string    `json:"id"`
	Event       string    `json:"event"`
	DateCreated string    `json:"dateCreated"`
	Payment     *payment  `json:"payment,omitempty"`
	Transfer    *transfer `json:"transfer,omitempty"`
}

// tell tells of a payment as it is now.
func (p *payment) tell(c *call, name string) {
	copied := *p
	tell(c, event{Event: name, Payment: &copied})
}

// tell tells of a transfer as it is now.
func (t *transfer) tell(c *call, name string) {
	copied := *t
	tell(c, event{Event: name, Transfer: &copied})
}

// tell keeps an event, and puts it into the queue of each webhook that wants it.
func tell(c *call, made event) {
	made.ID = "evt_" + c.Token("", fake.Hex, 32) + "&" + c.Token("", fake.Decimal, 9)
	made.DateCreated = c.Now.In(brazil.Zone()).Format(time.DateTime)
	c.State.events.Put(made.ID, made)
	for _, one := range c.State.webhooks.Newest(func(w *webhook) bool { return w.wants(made.Event) }) {
		one.queue.Put(fake.Letter(made.ID, made.Event, made))
	}
}

func listEvents(c *call) fake.Answer {
	wanted := c.Query().Get("event")
	return listed(c, c.State.events.Newest(func(one event) bool { return agree(wanted, one.Event) }))
}
