package app

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/tenant"
)

// burst is how many requests come at once from the tenant that is in a hurry.
const burst = 12

// order is one thing that a shop asks of its agent.
type order struct {
	session events.SessionID
	text    string
}

func cookbookOrders() map[tenant.ID][]order {
	return map[tenant.ID][]order{
		"tenant_acme": {
			{"order-1001", "Order 1001: charge R$ 150,00 to Maria Silva (CPF 529.982.247-25, maria@example.com), ship it from CEP 01001-000 to CEP 01310-100 and issue the invoice."},
			{"order-1002", "Order 1002: charge R$ 89,90 to Bruno Costa (CPF 111.444.777-35, bruno@example.com) and ship it from CEP 01001-000 to CEP 30140-071."},
			{"order-1001", "What is the balance now?"},
			{"order-1003", "Order 1003: charge R$ 42,00 to Rita Melo (CPF 390.533.447-05, rita@example.com) and issue the invoice."},
		},
		"tenant_loja": {
			{"pedido-77", "Order 77: charge R$ 230,50 by Pix to Ana Souza (CPF 529.982.247-25, ana@example.com, phone 5511987654321), ship it from CEP 01001-000 to CEP 20040-020 and notify her on WhatsApp."},
			{"pedido-78", "Order 78: charge R$ 19,90 by Pix to Caio Lima (CPF 111.444.777-35, caio@example.com, phone 5521976543210) and notify him on WhatsApp."},
			{"pedido-77", "What is the balance now?"},
		},
	}
}

// shop lets both tenants' systems publish: one of them a burst, and the other
// its orders behind it.
func (d *demo) shop(ctx context.Context) error {
	loja, err := d.producer(ctx, "tenant_loja")
	if err != nil {
		return err
	}
	defer loja.Close()
	acme, err := d.producer(ctx, "tenant_acme")
	if err != nil {
		return err
	}
	defer acme.Close()
	orders := cookbookOrders()
	d.Note(fmt.Sprintf("tenant_loja publishes a burst of %d requests, then both publish their orders.", burst))
	for n := range burst {
		params := events.RequestParams{Tenant: "tenant_loja", Session: events.SessionID("burst-" + strconv.Itoa(n)), Priority: events.PriorityBulk}
		if _, err := d.publish(ctx, loja, params, events.Request{Message: "What is the balance now?"}); err != nil {
			return err
		}
	}
	for id, producer := range map[tenant.ID]*bus.Bus{"tenant_acme": acme, "tenant_loja": loja} {
		for _, o := range orders[id] {
			params := events.RequestParams{Tenant: id, Session: o.session, Priority: events.PriorityNormal}
			if _, err := d.publish(ctx, producer, params, events.Request{Message: o.text, Metadata: map[string]string{"source": "demo"}}); err != nil {
				return err
			}
		}
	}
	if err := d.await(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Note(fmt.Sprintf("Beside the burst, no order of tenant_acme waited longer than %s for its start.", d.slowest["tenant_acme"].Round(time.Millisecond)))
	return nil
}
