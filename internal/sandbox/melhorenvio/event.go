package melhorenvio

import (
	"net/http"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// maxRefusals is how often a webhook is sent before it is given up.
const maxRefusals = 8

// tell tells of an order as it is now. An event has no id of its own.
func (o *order) tell(c *call, event string) {
	data := fake.Map{
		"id": o.ID, "protocol": o.Protocol, "status": o.Status, "tracking": o.Tracking, "self_tracking": o.Tracking, "tags": o.Tags,
		"created_at": o.CreatedAt, "paid_at": o.PaidAt, "released_at": o.PaidAt, "generated_at": o.GeneratedAt, "posted_at": o.PostedAt,
		"delivered_at": o.DeliveredAt, "canceled_at": o.CanceledAt, "updated_at": stamp(c.Now),
	}
	letter := fake.Letter("", event, fake.Map{"event": event, "data": data})
	for _, queue := range c.State.hooks {
		queue.Put(letter)
	}
}

// carry is what the carrier does with a parcel that it knows by the code or the
// order on its label: it takes it in ("posted"), or hands it over ("delivered").
func carry(c *call) (fake.Answer, bool) {
	code := c.Path("code")
	found := c.State.orders.Newest(func(one *order) bool { return one.Tracking != nil && (*one.Tracking == code || one.ID == code) })
	if len(found) == 0 {
		return fake.Answer{}, false
	}
	body, err := c.Object()
	if err != nil {
		return unreadable(), true
	}
	parcel := found[0]
	parcel.travel(c)
	switch status := body.Text("status"); {
	case status == statusPosted && parcel.Status == statusGenerated:
		parcel.generated = c.Now.Add(-untilPosted)
	case status == statusDelivered && (parcel.Status == statusGenerated || parcel.Status == statusPosted):
		parcel.generated = c.Now.Add(-untilDelivered)
	default:
		return refuse(http.StatusUnprocessableEntity, "O envio está na situação "+parcel.Status+"."), true
	}
	parcel.travel(c)
	return fake.OK(parcel), true
}
