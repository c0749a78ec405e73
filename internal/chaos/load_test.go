package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/chaos"
	"github.com/feira-dev/feira/internal/tenant"
)

const (
	sessionsEach = 6
	callsIn      = 4  // one request in so many is a call
	twiceIn      = 20 // one in so many is published again, at once or later
	requestEvery = 70 * time.Millisecond
	ackPatience  = 10 * time.Second
)

// crowd publishes requests of several tenants, steadily, and notes what the
// broker acknowledged. It belongs to one goroutine.
type crowd struct {
	js      jetstream.JetStream
	chance  *rand.Rand
	tenants []tenant.Tenant
	seats   []int // indexes of tenants, each as often as its cap: more load where more may run

	asked  []chaos.Asked
	twice  int         // published a second time
	unsure int         // not acknowledged: stored, or not
	again  []*nats.Msg // to be published once more
	err    error
}

func newCrowd(js jetstream.JetStream, seed uint64, tenants []tenant.Tenant) *crowd {
	c := &crowd{js: js, chance: rand.New(rand.NewPCG(seed, 0)), tenants: tenants}
	for i, customer := range tenants {
		for range customer.Concurrency {
			c.seats = append(c.seats, i)
		}
	}
	return c
}

// run publishes until the storm is over.
func (c *crowd) run(ctx context.Context, length time.Duration) {
	over := time.NewTimer(length)
	defer over.Stop()
	tick := time.NewTicker(requestEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-over.C:
			return
		case <-tick.C:
		}
		if c.err = c.next(ctx, n); c.err != nil {
			return
		}
	}
}

func (c *crowd) next(ctx context.Context, n int) error {
	customer := c.tenants[c.seats[c.chance.IntN(len(c.seats))]]
	key := chaos.Key{
		Tenant: customer.ID, Session: events.SessionID(fmt.Sprintf("ses-%d", c.chance.IntN(sessionsEach))), ID: events.RequestID(fmt.Sprintf("req-%d", n)),
	}
	kind, request := c.request(n)
	message, err := plain(events.RequestParams{
		Tenant: key.Tenant, Session: key.Session, ID: key.ID, Kind: kind, Priority: events.Priority(c.chance.IntN(3)),
	}, request)
	if err != nil {
		return err
	}
	c.send(ctx, chaos.Asked{Key: key, Kind: kind}, message)
	if len(c.again) > 0 && c.chance.IntN(twiceIn/2) == 0 {
		message = c.again[0]
		c.again = c.again[1:]
		return c.repeat(ctx, message)
	}
	switch c.chance.IntN(2 * twiceIn) {
	case 0:
		return c.repeat(ctx, message)
	case 1:
		c.again = append(c.again, message)
	}
	return nil
}

// request makes a turn with or without a tool call, or a call. Each has its
// effect under a name of its own, so that an effect made twice shows.
func (c *crowd) request(n int) (events.Kind, events.Request) {
	wait := time.Duration(20+c.chance.IntN(480)) * time.Millisecond
	arguments := fmt.Sprintf(`{"email": "buyer-%d@example.com"}`, n)
	switch {
	case c.chance.IntN(callsIn) == 0:
		return events.KindCall, events.Request{Tool: "stripe__create_customer", Arguments: []byte(arguments)}
	case c.chance.IntN(2) == 0:
		return events.KindTurn, events.Request{Message: fmt.Sprintf("/wait %s\n/call stripe__create_customer %s", wait, arguments)}
	default:
		return events.KindTurn, events.Request{Message: fmt.Sprintf("/wait %s\n/say answer %d", wait, n)}
	}
}

func (c *crowd) send(ctx context.Context, asked chaos.Asked, message *nats.Msg) {
	ctx, cancel := context.WithTimeout(ctx, ackPatience)
	defer cancel()
	ack, err := c.js.PublishMsg(ctx, message)
	if err == nil {
		asked.Stored, asked.Sequence = true, ack.Sequence
	} else {
		c.unsure++
	}
	c.asked = append(c.asked, asked)
}

// repeat publishes the same request again: the same session and the same id.
func (c *crowd) repeat(ctx context.Context, message *nats.Msg) error {
	head, err := events.ParseRequestHead(events.Message{Subject: message.Subject, Header: events.Header(message.Header)}, len(message.Data))
	if err != nil {
		return err
	}
	c.twice++
	c.send(ctx, chaos.Asked{Key: chaos.Key{Tenant: head.Tenant, Session: head.Session, ID: head.ID}, Kind: head.Kind}, message)
	return nil
}
