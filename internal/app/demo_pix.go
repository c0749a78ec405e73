package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
)

// Who acts in the payment, and in which session.
const (
	paidTenant  tenant.ID        = "tenant_loja"
	paidSession events.SessionID = "pedido-79"
	paidOrder                    = "Order 79: charge R$ 64,90 by Pix to Davi Rocha (CPF 818.368.778-46, davi@example.com, phone 5551998761234) and notify him on WhatsApp. " +
		"It goes from CEP 01001-000 to CEP 90010-150 as soon as he has paid."
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

// payment is the act while it is played.
type payment struct {
	*demo
	customer tenant.Tenant
	ear      *ear
	trigger  trigger.Trigger
	before   struct{ labels, messages int }
	repeats  int
}

// pay lets a customer pay what an agent charged, and waits until all has been
// told that follows from it.
func (d *demo) pay(ctx context.Context) (report DemoPayment, err error) {
	p, closing, err := d.connect(ctx)
	if err != nil {
		return DemoPayment{}, err
	}
	defer func() { err = errors.Join(err, closing()) }()
	d.Note("The providers of " + string(paidTenant) + " now tell the gateway what happens, and its trigger tells the shop's own endpoint. One more order comes in.")
	if err := p.order(ctx); err != nil {
		return DemoPayment{}, err
	}
	charged, err := p.look(ctx)
	if err != nil {
		return DemoPayment{}, err
	}
	if charged.code == "" {
		d.Note("The agent has made no Pix: nobody can pay.") // a real model may do as it likes
		return p.report(ctx)
	}
	d.Note("The customer pays the Pix " + charged.payment + " in the app of the bank. Asaas tells the gateway, and, as providers do, once more.")
	if err := p.act(ctx, "asaas", "/pix", map[string]string{"payload": charged.code}); err != nil {
		return DemoPayment{}, err
	}
	if err := p.until(ctx, "the turn that the payment starts", p.served); err != nil {
		return DemoPayment{}, err
	}
	if now, err := p.look(ctx); err != nil {
		return DemoPayment{}, err
	} else if now.shipment != "" {
		d.Note("The carrier takes the parcel in.")
		if err := p.act(ctx, "melhor-envio", "/parcels/"+now.shipment, map[string]string{"status": "posted"}); err != nil {
			return DemoPayment{}, err
		}
	}
	if err := p.until(ctx, "what follows from the payment to be told", p.settled); err != nil {
		return DemoPayment{}, err
	}
	if report, err = p.report(ctx); err == nil {
		d.Note("The shop's own endpoint was told, each signed: " + strings.Join(report.names(), ", ") + ".")
	}
	return report, err
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

// connect gives the providers the gateway's addresses, and the gateway that of
// the shop.
func (d *demo) connect(ctx context.Context) (*payment, func() error, error) {
	customer, err := d.operator.Tenant(ctx, paidTenant)
	if err != nil {
		return nil, nil, err
	}
	if err := d.world.tellGateway(ctx, d.operator, d.http, []tenant.Tenant{customer}); err != nil {
		return nil, nil, err
	}
	triggers, err := d.operator.Triggers(ctx, paidTenant)
	if err != nil {
		return nil, nil, err
	}
	heard, err := newEar(ctx, d.operator.kit.now)
	if err != nil {
		return nil, nil, err
	}
	made, secret, err := triggers.Open(ctx, TriggerDraft{Name: "shop", Event: trigger.All, URL: heard.url()})
	if err != nil {
		return nil, nil, errors.Join(err, heard.close(ctx))
	}
	heard.trust(secret)
	closing := func() error { return errors.Join(triggers.Delete(ctx, made.ID), heard.close(ctx)) }
	p := &payment{demo: d, customer: customer, ear: heard, trigger: made}
	p.before.labels, p.before.messages = p.effects("label.generated"), p.effects("message.sent")
	return p, closing, nil
}

func (p *payment) order(ctx context.Context) error {
	producer, err := p.producer(ctx, paidTenant)
	if err != nil {
		return err
	}
	defer producer.Close()
	params := events.RequestParams{Tenant: paidTenant, Session: paidSession, Priority: events.PriorityNormal}
	if _, err := p.publish(ctx, producer, params, events.Request{Message: paidOrder}); err != nil {
		return err
	}
	return p.await(ctx)
}

// act does at a provider what somebody does who has no account there.
func (p *payment) act(ctx context.Context, server, path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.world.sandbox.ActURL(server)+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("acting at %s: %w", server, err)
	}
	defer func() { _ = answer.Body.Close() }()
	said, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %d: %s", answer.StatusCode, said)
	}
	if err != nil {
		return fmt.Errorf("acting at %s: %w", server, err)
	}
	return nil
}

// served reports whether the payment's turn has ended. The provider tells of the
// payment once more as soon as it was heard.
func (p *payment) served(ctx context.Context) (bool, error) {
	if p.repeats == 0 && p.drained("asaas") && p.world.sandbox.Repeat("asaas", string(paidTenant)) {
		p.repeats++
	}
	s, err := p.look(ctx)
	return p.repeats > 0 && s.turns() > 0, err
}

// settled reports whether all that the providers told has been recorded, has
// been served and was told to the shop. What came twice is recorded once.
func (p *payment) settled(ctx context.Context) (bool, error) {
	s, err := p.look(ctx)
	if err != nil || !p.drained(p.customer.Servers...) || s.facts < p.sent(p.customer.Servers...)-p.repeats { // more is for the report to tell
		return false, err
	}
	for _, endings := range s.asked {
		if endings == 0 {
			return false, nil
		}
	}
	return len(p.ear.lacks(s.told)) == 0, nil
}

// drained reports whether nothing waits to be sent by some of the providers.
func (p *payment) drained(servers ...string) bool {
	for _, one := range p.world.sandbox.Webhooks() {
		if one.Account == string(paidTenant) && slices.Contains(servers, one.Server) && one.Waiting > 0 {
			return false
		}
	}
	return true
}

// sent counts the webhooks of some of the providers that the gateway took.
func (p *payment) sent(servers ...string) int {
	all := 0
	for _, one := range p.world.sandbox.Webhooks() {
		if one.Account == string(paidTenant) && slices.Contains(servers, one.Server) {
			all += one.Sent
		}
	}
	return all
}

// paymentPace is how often the logs are looked at.
const paymentPace = 40 * time.Millisecond

// until looks until something is so. Nobody tells when a provider's webhook is
// on its way.
func (p *payment) until(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	look := time.NewTicker(paymentPace)
	defer look.Stop()
	for {
		if done, err := so(ctx); done || err != nil {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
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
