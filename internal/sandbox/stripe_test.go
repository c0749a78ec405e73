package sandbox_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox/journal"
)

func TestStripeLifeOfAPayment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	customer := p.ok(t, "POST", "/customers", "name=Maria+Silva&email=maria%40example.com&metadata[tax]=529&address[city]=S%C3%A3o+Paulo")
	require.Equal(t, "529", customer.text("metadata", "tax"))
	require.Equal(t, "São Paulo", customer.text("address", "city"))

	made := p.ok(t, "POST", "/payment_intents", "amount=15000&currency=BRL&customer="+customer.text("id")+"&payment_method_types[]=pix&metadata[reference]=1001")
	id := made.text("id")
	require.True(t, strings.HasPrefix(id, "pi_3"))
	require.Equal(t, "requires_payment_method", made.text("status"))
	require.Equal(t, "payment_intent_unexpected_state", p.call(t, "POST", "/payment_intents/"+id+"/confirm", "").text("error", "code"))

	declined := p.call(t, "POST", "/payment_intents/"+id+"/confirm", "payment_method=pm_card_chargeDeclined")
	require.Equal(t, http.StatusPaymentRequired, declined.status)
	require.Equal(t, "card_declined", declined.text("error", "code"))

	paid := p.ok(t, "POST", "/payment_intents/"+id+"/confirm", "payment_method=pm_card_visa")
	require.Equal(t, "succeeded", paid.text("status"))
	require.Contains(t, p.ok(t, "GET", "/balance", "").raw, `"amount":15000`)
	require.Equal(t, 400, p.call(t, "POST", "/payment_intents/"+id+"/cancel", "").status, "what is paid cannot be cancelled")

	part := p.ok(t, "POST", "/refunds", "payment_intent="+id+"&amount=5000")
	require.Equal(t, "5000", part.text("amount"))
	require.Equal(t, 400, p.call(t, "POST", "/refunds", "payment_intent="+id+"&amount=10001").status, "more than is left")
	rest := p.ok(t, "POST", "/refunds", "charge="+paid.text("latest_charge"))
	require.Equal(t, "10000", rest.text("amount"), "without an amount, all that is left")
	require.Equal(t, "charge_already_refunded", p.call(t, "POST", "/refunds", "payment_intent="+id).text("error", "code"))
	require.Contains(t, p.ok(t, "GET", "/balance", "").raw, `"amount":0`)

	other := p.ok(t, "POST", "/payment_intents", "amount=500&currency=brl")
	require.Equal(t, "canceled", p.ok(t, "POST", "/payment_intents/"+other.text("id")+"/cancel", "cancellation_reason=duplicate").text("status"))

	list := p.ok(t, "GET", "/payment_intents?limit=1", "")
	require.Equal(t, true, list.body["has_more"])
	require.Contains(t, list.raw, other.text("id"), "newest first")
	next := p.ok(t, "GET", "/payment_intents?limit=1&starting_after="+other.text("id"), "")
	require.Equal(t, false, next.body["has_more"])
	require.Contains(t, next.raw, id)

	var effects []string
	for _, entry := range b.Journal().Entries(journal.Filter{Server: "stripe", Account: acme}) {
		effects = append(effects, entry.Effect)
	}
	require.Equal(t, []string{
		"customer.created", "payment_intent.created", "payment_intent.succeeded", "refund.created", "refund.created",
		"payment_intent.created", "payment_intent.canceled",
	}, effects)
	require.Equal(t, 2, b.Journal().Count(journal.Filter{Reference: "1001"}))
}

func TestStripeRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	for body, want := range map[string]string{
		"currency=brl":                                "parameter_missing",
		"amount=100":                                  "parameter_missing",
		"amount=1.5&currency=brl":                     "parameter_invalid_integer",
		"amount=-1&currency=brl":                      "parameter_invalid_integer",
		"amount=10&currency=brl":                      "amount_too_small",
		"amount=100&currency=brl&colour=red":          "parameter_unknown",
		"amount=100&currency=brl&customer=cus_nobody": "resource_missing",
	} {
		got := p.call(t, "POST", "/payment_intents", body)
		require.Equal(t, 400, got.status, body)
		require.Equal(t, want, got.text("error", "code"), body)
	}
	require.Contains(t, p.call(t, "POST", "/customers", `{"name":"x"}`, "Content-Type", "application/json").text("error", "message"), "x-www-form-urlencoded")
	require.Equal(t, "resource_missing", p.call(t, "GET", "/customers/cus_nobody", "").text("error", "code"))
	require.Contains(t, p.call(t, "GET", "/wallets", "").text("error", "message"), "Unrecognized request URL")
	require.Equal(t, 404, p.call(t, "PUT", "/customers", "").status)
	require.Zero(t, b.Journal().Count(journal.Filter{}))
}

func TestStripeIdempotency(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	const body = "amount=15000&currency=brl"
	create := func(p *peer, body, key string) answer {
		return p.call(t, "POST", "/payment_intents", body, "Idempotency-Key", key)
	}
	first := create(p, body, "k1")
	require.Empty(t, first.header.Get("Idempotent-Replayed"))

	p.ok(t, "POST", "/payment_intents/"+first.text("id")+"/cancel", "")
	again := create(p, body, "k1")
	require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	require.Equal(t, first.raw, again.raw, "the answer is the first one, though the object has changed")
	require.NotEqual(t, first.header.Get("Request-Id"), again.header.Get("Request-Id"))

	other := create(p, "amount=15001&currency=brl", "k1")
	require.Equal(t, 400, other.status)
	require.Equal(t, "idempotency_error", other.text("error", "type"))
	require.Equal(t, "idempotency_error", p.call(t, "POST", "/customers", body, "Idempotency-Key", "k1").text("error", "type"), "another path")

	require.NotEqual(t, first.text("id"), create(p, body, "k2").text("id"))
	require.NotEqual(t, first.text("id"), create(b.peer(t, "stripe", loja), body, "k1").text("id"), "keys are each account's own")

	require.Equal(t, 400, create(p, "amount=1&currency=brl", "k3").status)
	require.Equal(t, 200, create(p, body, "k3").status, "what failed its validation is not kept")
	require.Equal(t, 400, create(p, body, strings.Repeat("k", 256)).status)

	declined := "amount=100&currency=brl&confirm=true&payment_method=pm_card_chargeDeclined"
	require.Equal(t, 402, create(p, declined, "k4").status)
	require.Equal(t, "true", create(p, declined, "k4").header.Get("Idempotent-Replayed"), "a decline is kept")

	entries := b.Journal().Entries(journal.Filter{Effect: "payment_intent.created", Account: acme, Key: "k1"})
	require.Len(t, entries, 1)
	require.Equal(t, journal.HashBody([]byte(body)), entries[0].BodyHash)
	require.Equal(t, first.text("id"), entries[0].Object)
	require.Equal(t, b.clock.Now(), entries[0].Time)
}

func TestStripeRivalsWithOneKeyMakeOneObject(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	const rivals = 16
	requests := make([]*http.Request, rivals)
	for i := range requests {
		requests[i] = p.request(t, "POST", "/payment_intents", "amount=15000&currency=brl", "Idempotency-Key", "k")
	}
	var group sync.WaitGroup
	statuses := make([]int, rivals)
	for i, request := range requests {
		group.Go(func() {
			response, err := b.http.Do(request)
			if err == nil {
				statuses[i] = response.StatusCode
				_ = response.Body.Close()
			}
		})
	}
	group.Wait()
	for _, status := range statuses {
		require.Equal(t, 200, status)
	}
	require.Equal(t, 1, b.Journal().Count(journal.Filter{Effect: "payment_intent.created"}))
}
