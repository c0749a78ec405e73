package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/feira-dev/feira/events"
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
