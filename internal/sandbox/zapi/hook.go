package zapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/outbox"
)

// Names of what an instance tells.
const (
	hookReceived = "received"
	hookDelivery = "delivery"
	hookStatus   = "message-status"
	hookLost     = "disconnected"
)

func hookNames() []string {
	return []string{hookReceived, hookDelivery, hookStatus, hookLost}
}

// maxRefusals is how often a callback is sent before it is given up.
const maxRefusals = 4

// hook is an address. What is told to one address is told in order, whatever it
// is told of.
type hook struct {
	url   string
	queue *outbox.Queue
}

// updateHooks sets the addresses of some names; an empty one takes them away.
func updateHooks(names ...string) fake.Handler[state] {
	return func(c *call) fake.Answer {
		body, err := c.Object()
		if err != nil {
			return refuse(http.StatusBadRequest, "Body must be a JSON object")
		}
		value := body.Text("value")
		if value != "" && !outbox.AddressOf(Server, value, "").Fits() {
			return refuse(http.StatusBadRequest, "Webhook must be HTTPS")
		}
		for _, name := range names {
			setHook(c, name, value)
		}
		c.Effect("webhook.updated", c.Fields["instance_id"], "")
		return fake.OK(fake.Map{"value": true})
	}
}

func setHook(c *call, name, url string) {
	old := c.State.hooks[name]
	delete(c.State.hooks, name)
	if url != "" {
		c.State.hooks[name] = hookAt(c, url, old)
	}
	for _, other := range c.State.hooks {
		if other == old {
			return
		}
	}
	if old != nil {
		old.queue.Close()
	}
}

// hookAt is the hook of an address, a new one where there is none.
func hookAt(c *call, url string, old *hook) *hook {
	for _, known := range append([]*hook{old}, values(c.State.hooks)...) {
		if known != nil && known.url == url {
			return known
		}
	}
	return &hook{url: url, queue: c.Queue(url, "", outbox.Rules{Taken: outbox.Success, Patience: maxRefusals})}
}

func values(hooks map[string]*hook) []*hook {
	var all []*hook
	for _, name := range hookNames() {
		if one, ok := hooks[name]; ok && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// tell tells something to the address of a name.
func tell(c *call, name, kind string, event fake.Map) {
	to, ok := c.State.hooks[name]
	if !ok {
		return
	}
	event["type"], event["instanceId"] = kind, c.Fields["instance_id"]
	to.queue.Put(fake.Letter("", kind, event))
}

// travel tells what becomes of a message that was sent: WhatsApp takes it, and
// the phone of whoever it is for, which is always on, gets it.
func (m *message) travel(c *call) {
	delivery := fake.Map{"phone": m.Phone, "zaapId": m.ZaapID, "messageId": m.ID}
	if !onWhatsApp(m.Phone) {
		m.Status = "FAILED"
		delivery["error"] = "Phone number does not exist"
		tell(c, hookDelivery, "DeliveryCallback", delivery)
		return
	}
	tell(c, hookDelivery, "DeliveryCallback", delivery)
	m.reach(c, "RECEIVED")
}

// reach moves a message's status on.
func (m *message) reach(c *call, status string) {
	m.Status = status
	tell(c, hookStatus, "MessageStatusCallback", fake.Map{
		"status": status, "ids": []string{m.ID}, "momment": c.Now.UnixMilli(), "phone": m.Phone, "isGroup": false,
	})
}

// onWhatsApp reports whether a number is one of WhatsApp's.
func onWhatsApp(phone string) bool { return !strings.HasSuffix(phone, "0000") }

// readByCustomer is whoever a message is for reading it.
func readByCustomer(c *call) (fake.Answer, bool) {
	found, ok := c.State.messages.Find(c.Path("id"))
	if !ok {
		return fake.Answer{}, false
	}
	if !found.FromMe || found.Status != "RECEIVED" {
		return refuse(http.StatusBadRequest, "The message is "+found.Status), true
	}
	found.reach(c, "READ")
	return fake.OK(fake.Map{"messageId": found.ID, "status": found.Status}), true
}

// writtenByCustomer is somebody who writes to the number of an instance.
func writtenByCustomer(c *call) (fake.Answer, bool) {
	if c.Path("instance") != c.Fields["instance_id"] {
		return fake.Answer{}, false
	}
	body, err := c.Object()
	if err != nil || !phonePattern.MatchString(body.Text("phone")) || !body.Has("message") {
		return refuse(http.StatusBadRequest, "phone and message are needed"), true
	}
	got := &message{
		ID: c.Token("", fake.HexUpper, 32), Phone: body.Text("phone"), Moment: c.Now.UnixMilli(), Status: "RECEIVED", Type: "received",
		Content: fake.Object{"message": body.Text("message")},
	}
	c.State.messages.Put(got.ID, got)
	if _, known := c.State.contacts.Find(got.Phone); !known {
		c.State.contacts.Put(got.Phone, contact{Phone: got.Phone, Name: got.Phone, Short: got.Phone})
	}
	tell(c, hookReceived, "ReceivedCallback", fake.Map{
		"messageId": got.ID, "phone": got.Phone, "fromMe": false, "momment": got.Moment, "status": got.Status, "isGroup": false, "isEdit": false,
		"text": fake.Map{"message": body.Text("message")},
	})
	return fake.OK(fake.Map{"messageId": got.ID}), true
}
