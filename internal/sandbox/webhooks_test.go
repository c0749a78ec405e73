package sandbox_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// hookKey is one that every scheme takes.
const hookKey = "whsec_a-key-of-the-tests-and-nobody-else"

const debtorBody = `{"name":"Maria","cpfCnpj":"52998224725"}`

// act is what somebody outside does.
func (b *bundle) act(t *testing.T, server, path, body string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.ActURL(server)+path, strings.NewReader(body))
	require.NoError(t, err)
	return b.do(t, request)
}

// charge makes a Pix charge, and returns its id and the text to pay it with.
func (p *peer) charge(t *testing.T, customer string) (id, code string) {
	t.Helper()
	id = p.ok(t, "POST", "/payments", `{"customer":"`+customer+`","billingType":"PIX","value":230.50,"dueDate":"2026-03-09","externalReference":"order-77"}`).text("id")
	return id, p.ok(t, "GET", "/payments/"+id+"/pixQrCode", "").text("payload")
}

// What has an effect at a provider is told as the provider tells it, in order,
// and passes what Feira holds webhooks against.
func TestEffectsAreTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, server string
		do           func(t *testing.T, b *bundle, p *peer) (object string)
		want         []string
		fact         events.Fact // of the last
	}{
		{"a Pix is paid", "asaas", func(t *testing.T, b *bundle, p *peer) string {
			t.Helper()
			id, code := p.charge(t, p.ok(t, "POST", "/customers", debtorBody).text("id"))
			paid := b.act(t, "asaas", "/pix", `{"payload":"`+code+`"}`)
			require.Equal(t, id, paid.text("payment"), paid.raw)
			require.Equal(t, "230.50", p.ok(t, "GET", "/finance/balance", "").text("balance"))
			return id
		}, []string{"PAYMENT_CREATED", "PAYMENT_RECEIVED"}, events.FactPaymentConfirmed},
		{"a card pays and is refunded", "asaas", func(t *testing.T, _ *bundle, p *peer) string {
			t.Helper()
			customer := p.ok(t, "POST", "/customers", debtorBody).text("id")
			id := p.ok(t, "POST", "/payments", `{"customer":"`+customer+`","billingType":"CREDIT_CARD","creditCardToken":"x","value":9,"dueDate":"2026-03-09"}`).text("id")
			p.ok(t, "POST", "/payments/"+id+"/refund", `{"value":4}`)
			p.ok(t, "POST", "/payments/"+id+"/refund", "")
			return id
		}, []string{"PAYMENT_CREATED", "PAYMENT_CONFIRMED", "PAYMENT_PARTIALLY_REFUNDED", "PAYMENT_REFUNDED"}, events.FactPaymentRefunded},
		{"a payment is changed and deleted", "asaas", func(t *testing.T, _ *bundle, p *peer) string {
			t.Helper()
			id, _ := p.charge(t, p.ok(t, "POST", "/customers", debtorBody).text("id"))
			p.ok(t, "PUT", "/payments/"+id, `{"value":3}`)
			p.ok(t, "DELETE", "/payments/"+id, "")
			return id
		}, []string{"PAYMENT_CREATED", "PAYMENT_UPDATED", "PAYMENT_DELETED"}, events.FactPaymentFailed},
		{"money leaves", "asaas", func(t *testing.T, _ *bundle, p *peer) string {
			t.Helper()
			customer := p.ok(t, "POST", "/customers", debtorBody).text("id")
			p.ok(t, "POST", "/payments", `{"customer":"`+customer+`","billingType":"CREDIT_CARD","creditCardToken":"x","value":9,"dueDate":"2026-03-09"}`)
			return p.ok(t, "POST", "/transfers", `{"value":5,"pixAddressKey":"x"}`).text("id")
		}, []string{"PAYMENT_CREATED", "PAYMENT_CONFIRMED", "TRANSFER_CREATED", "TRANSFER_DONE"}, ""},
		{"a card pays", "stripe", func(t *testing.T, _ *bundle, p *peer) string {
			t.Helper()
			p.ok(t, "POST", "/payment_intents", "amount=15000&currency=brl&payment_method=pm_card_visa&confirm=true")
			return ""
		}, []string{"payment_intent.created", "payment_intent.succeeded"}, events.FactPaymentConfirmed},
		{"a card is declined and the payment canceled", "stripe", func(t *testing.T, _ *bundle, p *peer) string {
			t.Helper()
			id := p.ok(t, "POST", "/payment_intents", "amount=15000&currency=brl").text("id")
			p.call(t, "POST", "/payment_intents/"+id+"/confirm", "payment_method=pm_card_chargeDeclined")
			p.ok(t, "POST", "/payment_intents/"+id+"/cancel", "")
			return id
		}, []string{"payment_intent.created", "payment_intent.payment_failed", "payment_intent.canceled"}, events.FactPaymentFailed},
		{"a charge is disputed, another refunded", "stripe", func(t *testing.T, _ *bundle, p *peer) string {
			t.Helper()
			p.ok(t, "POST", "/payment_intents", "amount=100&currency=brl&confirm=true&payment_method=pm_card_createDispute")
			good := p.ok(t, "POST", "/payment_intents", "amount=100&currency=brl&confirm=true&payment_method=pm_card_visa")
			p.ok(t, "POST", "/refunds", "payment_intent="+good.text("id"))
			return good.text("latest_charge")
		}, []string{
			"payment_intent.created", "payment_intent.succeeded", "charge.dispute.created", "payment_intent.created", "payment_intent.succeeded", "charge.refunded",
		}, events.FactPaymentRefunded},
		{"a customer pays at checkout", "stripe", func(t *testing.T, b *bundle, p *peer) string {
			t.Helper()
			id := p.ok(t, "POST", "/checkout/sessions",
				"mode=payment&success_url=https://x&line_items[0][quantity]=2&line_items[0][price_data][currency]=brl&line_items[0][price_data][unit_amount]=500&line_items[0][price_data][product_data][name]=Tea").text("id")
			require.Equal(t, "paid", b.act(t, "stripe", "/checkout/"+id, "").text("payment_status"))
			require.Equal(t, 400, b.act(t, "stripe", "/checkout/"+id, "").status, "once")
			require.Contains(t, p.ok(t, "GET", "/balance", "").raw, `"amount":1000`)
			return id
		}, []string{"checkout.session.completed"}, events.FactPaymentConfirmed},
		{"a subscription is billed", "stripe", func(t *testing.T, _ *bundle, p *peer) string {
			t.Helper()
			customer := p.ok(t, "POST", "/customers", "name=Maria").text("id")
			price := p.ok(t, "POST", "/prices", "currency=brl&unit_amount=4990&product_data[name]=Club&recurring[interval]=month").text("id")
			made := p.ok(t, "POST", "/subscriptions", "customer="+customer+"&items[0][price]="+price+"&default_payment_method=pm_card_visa")
			p.ok(t, "DELETE", "/subscriptions/"+made.text("id"), "")
			return made.text("id")
		}, []string{"invoice.finalized", "invoice.paid", "customer.subscription.created", "customer.subscription.deleted"}, ""},
		{"an order travels", "melhor-envio", func(t *testing.T, b *bundle, p *peer) string {
			t.Helper()
			id := p.ok(t, "POST", "/me/cart", shipment).text("id")
			p.ok(t, "POST", "/me/shipment/checkout", `{"orders":["`+id+`"]}`)
			p.ok(t, "POST", "/me/shipment/generate", `{"orders":["`+id+`"]}`)
			label := p.ok(t, "GET", "/me/orders/"+id, "").text("tracking")
			require.Equal(t, 422, b.act(t, "melhor-envio", "/parcels/"+label, `{"status":"lost"}`).status)
			require.Equal(t, "posted", b.act(t, "melhor-envio", "/parcels/"+label, `{"status":"posted"}`).text("status"))
			b.clock.advance(72 * time.Hour)
			require.Equal(t, "delivered", p.ok(t, "GET", "/me/orders/"+id, "").text("status"))
			p.ok(t, "GET", "/me/orders/"+id, "")
			return id
		}, []string{"order.created", "order.released", "order.generated", "order.posted", "order.delivered"}, events.FactShipmentDelivered},
		{"an order is canceled", "melhor-envio", func(t *testing.T, _ *bundle, p *peer) string {
			t.Helper()
			id := p.ok(t, "POST", "/me/cart", shipment).text("id")
			p.ok(t, "POST", "/me/shipment/checkout", `{"orders":["`+id+`"]}`)
			p.ok(t, "POST", "/me/shipment/cancel", `{"order":{"id":"`+id+`","reason_id":"2"}}`)
			return id
		}, []string{"order.created", "order.released", "order.cancelled"}, events.FactShipmentFailed},
		{"a message is read", "z-api", func(t *testing.T, b *bundle, p *peer) string {
			t.Helper()
			id := p.ok(t, "POST", "/send-text", `{"phone":"5511987654321","message":"Olá"}`).text("messageId")
			require.Equal(t, "READ", b.act(t, "z-api", "/messages/"+id, "").text("status"))
			return id
		}, []string{"DeliveryCallback", "MessageStatusCallback RECEIVED", "MessageStatusCallback READ"}, events.FactMessageRead},
		{"a number is not on WhatsApp", "z-api", func(t *testing.T, _ *bundle, p *peer) string {
			t.Helper()
			return p.ok(t, "POST", "/send-text", `{"phone":"5511987650000","message":"Olá"}`).text("messageId")
		}, []string{"DeliveryCallback"}, events.FactMessageFailed},
		{"a customer writes", "z-api", func(t *testing.T, b *bundle, _ *peer) string {
			t.Helper()
			instance := b.credential(t, "z-api", loja)["instance_id"]
			require.Equal(t, 404, b.act(t, "z-api", "/instances/of-nobody/messages", `{"phone":"5511987654321","message":"x"}`).status)
			require.NotEmpty(t, b.act(t, "z-api", "/instances/"+instance+"/messages", `{"phone":"5511987654321","message":"Cadê meu pedido?"}`).text("messageId"))
			return "5511987654321"
		}, []string{"ReceivedCallback"}, events.FactMessageReceived},
	} {
		t.Run(test.server+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			mine, others := newReceiver(t, nil), newReceiver(t, nil)
			require.NoError(t, b.Subscribe(test.server, loja, sandbox.Webhook{URL: mine.URL + "/in/" + hookKey, Key: hookKey}))
			require.NoError(t, b.Subscribe(test.server, acme, sandbox.Webhook{URL: others.URL + "/in/" + hookKey, Key: hookKey}))
			object := test.do(t, b, b.peer(t, test.server, loja))
			got := read(t, test.server, hookKey, b.clock.Now(), mine.await(t, len(test.want)))
			require.Empty(t, cmp.Diff(test.want, kinds(got)))
			last := got[len(got)-1]
			require.Equal(t, test.fact, last.Fact)
			if object != "" {
				require.Equal(t, object, last.Object)
			}
			if last.Kind != "DeliveryCallback" { // it has no time
				require.WithinRange(t, last.OccurredAt, b.clock.Now().Add(-24*time.Hour), b.clock.Now(), "the provider's own time is Brasília's")
			}
			require.Empty(t, others.got, "another account hears nothing of it")
		})
	}
}

// A provider's own calls set where webhooks go, and what they are signed with.
func TestWebhooksAreSetByTheProvidersOwnCalls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t, nil)
	asaas, stripe, zapi := b.peer(t, "asaas", loja), b.peer(t, "stripe", loja), b.peer(t, "z-api", loja)

	made := asaas.ok(t, "POST", "/webhooks", `{"name":"n","url":"`+r.URL+`/in","sendType":"SEQUENTIALLY","events":["PAYMENT_RECEIVED"],"enabled":true,"authToken":"`+hookKey+`"}`)
	require.NotContains(t, made.raw, hookKey)
	require.Contains(t, made.raw, `"hasAuthToken":true`)
	_, code := asaas.charge(t, asaas.ok(t, "POST", "/customers", debtorBody).text("id"))
	b.act(t, "asaas", "/pix", `{"payload":"`+code+`"}`)
	require.Equal(t, []string{"PAYMENT_RECEIVED"}, kinds(read(t, "asaas", hookKey, b.clock.Now(), r.await(t, 1))), "only what was asked for")
	require.Equal(t, 400, b.act(t, "asaas", "/pix", `{"payload":"`+code+`"}`).status, "it is paid")
	require.Equal(t, 404, b.act(t, "asaas", "/pix", `{"payload":"nonsense"}`).status)
	require.Equal(t, 400, asaas.call(t, "PUT", "/webhooks/"+made.text("id"), `{"authToken":"two\nlines-of-text"}`).status)
	asaas.ok(t, "DELETE", "/webhooks/"+made.text("id"), "")
	require.Equal(t, 404, asaas.call(t, "GET", "/webhooks/"+made.text("id"), "").status)

	endpoint := stripe.ok(t, "POST", "/webhook_endpoints", "url="+r.URL+"/in&enabled_events[]=payment_intent.succeeded")
	secret := endpoint.text("secret")
	require.Contains(t, secret, sandbox.Mark, "as every secret of the sandbox")
	require.NotContains(t, stripe.ok(t, "GET", "/webhook_endpoints", "").raw, "whsec_", "it is shown once")
	paid := "amount=15000&currency=brl&payment_method=pm_card_visa&confirm=true"
	stripe.ok(t, "POST", "/payment_intents", paid, "Idempotency-Key", "k1")
	stripe.ok(t, "POST", "/payment_intents", paid, "Idempotency-Key", "k1")
	got := read(t, "stripe", secret, b.clock.Now(), r.await(t, 2)[1:])
	require.Equal(t, []string{"payment_intent.succeeded"}, kinds(got))
	require.Equal(t, got[0].ID, stripe.ok(t, "GET", "/events/"+got[0].ID, "").text("id"))
	require.Contains(t, stripe.ok(t, "GET", "/events?type=payment_intent.succeeded", "").raw, `"idempotency_key":"k1"`)
	require.Equal(t, 400, stripe.call(t, "POST", "/webhook_endpoints", "url=http://example.com&enabled_events[]=*").status)
	stripe.ok(t, "DELETE", "/webhook_endpoints/"+endpoint.text("id"), "")
	stripe.ok(t, "POST", "/payment_intents", paid)

	zapi.ok(t, "PUT", "/update-webhook-message-status", `{"value":"`+r.URL+`/in/`+hookKey+`"}`)
	require.Equal(t, 400, zapi.call(t, "PUT", "/update-every-webhooks", `{"value":"http://example.com"}`).status)
	zapi.ok(t, "POST", "/send-text", `{"phone":"5511987654321","message":"Olá"}`)
	require.Equal(t, []string{"MessageStatusCallback RECEIVED"}, kinds(read(t, "z-api", hookKey, b.clock.Now(), r.await(t, 3)[2:])))
	zapi.ok(t, "PUT", "/update-every-webhooks", `{"value":""}`)
	require.Empty(t, b.Webhooks(), "nobody is told any more")

	require.Error(t, b.Subscribe("correios", loja, sandbox.Webhook{URL: r.URL}), "it sends none")
	require.Error(t, b.Subscribe("asaas", "nobody", sandbox.Webhook{URL: r.URL}))
	require.ErrorContains(t, b.Subscribe("asaas", loja, sandbox.Webhook{URL: "http://example.com"}), "url")
	require.ErrorContains(t, b.Subscribe("asaas", loja, sandbox.Webhook{URL: r.URL, Key: "short"}), "key")
	require.ErrorIs(t, b.Subscribe("paypal", loja, sandbox.Webhook{URL: r.URL}), sandbox.ErrUnknownServer)
}

// Asaas takes nothing but 200 for a yes: after fifteen refusals the queue stands,
// with all that happens meanwhile in it, until somebody lets it go on.
func TestAsaasInterruptsAQueue(t *testing.T) {
	t.Parallel()
	var logged lockedBuffer
	b := setup(t, func(c *sandbox.Config) {
		c.WebhookPause = time.Millisecond
		c.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	})
	r := newReceiver(t, func(n int, _ []byte) int {
		if n < 15 {
			return http.StatusAccepted
		}
		return http.StatusOK
	})
	p := b.peer(t, "asaas", loja)
	hook := p.ok(t, "POST", "/webhooks", `{"name":"n","url":"`+r.URL+`/in","sendType":"SEQUENTIALLY","events":["PAYMENT_CREATED","PAYMENT_RECEIVED"],"enabled":true,"authToken":"`+hookKey+`"}`).text("id")
	_, code := p.charge(t, p.ok(t, "POST", "/customers", debtorBody).text("id"))
	for n, one := range r.await(t, 15) {
		require.Equal(t, []string{"PAYMENT_CREATED"}, kinds(read(t, "asaas", hookKey, b.clock.Now(), []told{one})), "try %d", n)
	}
	require.Eventually(t, func() bool {
		raw := p.ok(t, "GET", "/webhooks", "").raw
		return strings.Contains(raw, `"interrupted":true`) && strings.Contains(raw, `"penalizedRequestsCount":15`)
	}, 10*time.Second, 5*time.Millisecond)
	b.act(t, "asaas", "/pix", `{"payload":"`+code+`"}`)
	require.Equal(t, "2", p.ok(t, "GET", "/webhook/events", "").text("totalCount"), "what is not told can be listed")
	require.Len(t, r.await(t, 15), 15)

	require.Contains(t, p.ok(t, "PUT", "/webhooks/"+hook, `{"interrupted":false}`).raw, `"interrupted":false`)
	got := read(t, "asaas", hookKey, b.clock.Now(), r.await(t, 17)[15:])
	require.Equal(t, []string{"PAYMENT_CREATED", "PAYMENT_RECEIVED"}, kinds(got), "in order, and nothing is lost")
	require.Contains(t, p.ok(t, "GET", "/webhooks/"+hook, "").raw, `"penalizedRequestsCount":0`)
	require.Contains(t, logged.String(), "a webhook was not taken")
	require.NotContains(t, logged.String(), hookKey)
	require.NotContains(t, logged.String(), r.URL)
}

// A refused webhook is sent again until it is taken, and holds up those behind
// it; one that nobody ever takes is given up at last.
func TestRefusedWebhooksAreSentAgainInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *sandbox.Config) { c.WebhookPause = time.Millisecond })
	r := newReceiver(t, func(n int, body []byte) int {
		if bytes.Contains(body, []byte("order.released")) || n%3 != 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusNoContent
	})
	require.NoError(t, b.Subscribe("melhor-envio", loja, sandbox.Webhook{URL: r.URL + "/in", Key: hookKey}))
	p := b.peer(t, "melhor-envio", loja)
	id := p.ok(t, "POST", "/me/cart", shipment).text("id")
	p.ok(t, "POST", "/me/shipment/checkout", `{"orders":["`+id+`"]}`)
	p.ok(t, "POST", "/me/shipment/generate", `{"orders":["`+id+`"]}`)
	require.Eventually(t, func() bool { return b.Webhooks()[0].Sent == 2 }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, 1, b.Webhooks()[0].Dropped)
	got := kinds(read(t, "melhor-envio", hookKey, b.clock.Now(), r.await(t, 0)))
	require.Equal(t, []string{"order.created", "order.released", "order.generated"}, slices.Compact(slices.Clone(got)))
	require.Equal(t, 8, count(got, "order.released"), "its patience")
}

func count(all []string, one string) int {
	n := 0
	for _, each := range all {
		if each == one {
			n++
		}
	}
	return n
}

// The sandbox calls this machine alone, and no receiver can send it elsewhere.
func TestWebhooksStayOnThisMachine(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *sandbox.Config) { c.WebhookPause = time.Millisecond })
	other := newReceiver(t, nil)
	r := newReceiver(t, nil)
	r.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		http.Redirect(w, request, other.URL, http.StatusTemporaryRedirect)
		r.came <- struct{}{}
	})
	p := b.peer(t, "asaas", loja)
	require.NoError(t, b.Subscribe("asaas", loja, sandbox.Webhook{URL: "https://example.com/in", Key: hookKey}))
	require.NoError(t, b.Subscribe("asaas", loja, sandbox.Webhook{URL: r.URL + "/in", Key: hookKey}))
	p.charge(t, p.ok(t, "POST", "/customers", debtorBody).text("id"))
	require.Eventually(t, func() bool { return b.Webhooks()[1].Refused > 1 }, 20*time.Second, 5*time.Millisecond)
	require.Zero(t, b.Webhooks()[0].Waiting, "one elsewhere hears nothing")
	require.Equal(t, 1, b.Webhooks()[1].Waiting)
	require.Empty(t, other.got)
	require.Positive(t, b.Journal().Count(journal.Filter{Server: "asaas"}))
}
