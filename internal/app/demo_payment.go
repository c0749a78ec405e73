package app

import (
	"context"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/tenant"
)

// DemoPayment is the act in which a customer pays, and what followed from it.
type DemoPayment struct {
	Tenant  tenant.ID        `json:"tenant"`
	Session events.SessionID `json:"session"`
	// Payment is the provider's id of the charge that the agent made.
	Payment string `json:"payment"`
	// Sent is how often the provider told of the payment, Recorded how often the
	// log tells of it, and Turns how many turns it started.
	Sent     int `json:"sent"`
	Recorded int `json:"recorded"`
	Turns    int `json:"turns"`
	// Shipments counts labels that were made, and Messages what reached the
	// customer: the code to pay with, and the news of the shipment.
	Shipments int `json:"shipments"`
	Messages  int `json:"messages"`
	// Webhooks counts all that the tenant's providers told in this act.
	Webhooks int `json:"webhooks"`
	// Deliveries are what the tenant's own endpoint was told, and could verify, in
	// the order in which it came; Missing are events that it was not told.
	Deliveries []DemoDelivery `json:"deliveries"`
	Missing    []string       `json:"missing"`
	Unverified int            `json:"unverified"`
	Repeated   int            `json:"repeated"`
}

// Heard reports whether the tenant's endpoint was told of an event.
func (p DemoPayment) Heard(event string) bool {
	return slices.ContainsFunc(p.Deliveries, func(one DemoDelivery) bool { return one.Event == event })
}

// names are those of the events that the endpoint was told of, once each.
func (p DemoPayment) names() []string {
	var names []string
	for _, one := range p.Deliveries {
		if !slices.Contains(names, one.Event) {
			names = append(names, one.Event)
		}
	}
	return names
}

func (p *payment) report(ctx context.Context) (DemoPayment, error) {
	s, err := p.look(ctx)
	if err != nil {
		return DemoPayment{}, err
	}
	report := DemoPayment{
		Tenant: paidTenant, Session: paidSession, Payment: s.payment, Recorded: s.recorded, Turns: s.turns(),
		Shipments: p.effects("label.generated") - p.before.labels, Messages: p.effects("message.sent") - p.before.messages,
		Webhooks: p.sent(p.customer.Servers...), Missing: p.ear.lacks(s.told),
	}
	if p.repeats > 0 {
		report.Sent = 1 + p.repeats
	}
	p.ear.report(&report)
	return report, nil
}

// effects counts what happened at the tenant's providers.
func (p *payment) effects(name string) int {
	return p.world.sandbox.Journal().Count(journal.Filter{Account: string(paidTenant), Effect: name})
}
