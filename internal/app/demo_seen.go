package app

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/trigger"
)

// seen is what the tenant's logs say of the act.
type seen struct {
	payment, code, shipment string

	recorded int // facts of the payment
	facts    int // of providers
	asked    map[events.RequestID]int
	told     []string // webhook-ids of what the trigger is to tell
}

// look reads the tenant's logs, all that is stored of them.
func (p *payment) look(ctx context.Context) (seen, error) {
	s := seen{asked: map[events.RequestID]int{}}
	err := p.operator.Follow(ctx, bus.FollowParams{Tenant: paidTenant, Stored: true}, func(record events.Record) {
		if event, ok := trigger.FromRecord(record); ok && p.trigger.Hears(event) {
			s.told = append(s.told, trigger.MessageID(paidTenant, p.trigger.ID, event.Source, event.ID))
		}
		if fact, ok := record.Event.(*events.WebhookReceived); ok {
			s.fact(fact)
		}
		if record.Session == paidSession {
			s.step(record)
		}
	})
	if err != nil {
		return s, fmt.Errorf("reading the logs of %s: %w", paidTenant, err)
	}
	return s, nil
}

func (s *seen) fact(fact *events.WebhookReceived) {
	s.facts++
	if fact.Fact == events.FactPaymentConfirmed && fact.Object == s.payment {
		s.recorded++
	}
	if fact.Request != "" {
		s.asked[fact.Request] += 0
	}
}

// step reads what the agent's calls made, and which of the turns ended that
// webhooks asked for.
func (s *seen) step(record events.Record) {
	switch event := record.Event.(type) {
	case *events.ToolReturned:
		var made struct{ ID, Payload string }
		if event.Status != events.ToolOK || json.Unmarshal([]byte(event.Output), &made) != nil {
			return
		}
		switch event.Tool {
		case "create_payment":
			s.payment = made.ID
		case "get_pix_qrcode":
			s.code = made.Payload
		case "create_shipment":
			s.shipment = made.ID
		}
	case *events.TurnCompleted:
		if _, ok := s.asked[record.Request]; ok {
			s.asked[record.Request]++
		}
	}
}

// turns counts the endings of what webhooks asked for.
func (s *seen) turns() int {
	all := 0
	for _, endings := range s.asked {
		all += endings
	}
	return all
}
