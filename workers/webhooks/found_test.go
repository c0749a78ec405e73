package webhooks_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	provider "github.com/feira-dev/feira/internal/webhook"
)

// found is the payment of [webhook] as a listing shows it.
func found(t *testing.T, object string) events.Webhook {
	t.Helper()
	all, _, err := provider.FindingsOf(`{"data":[{"id":"` + object + `","status":"RECEIVED","paymentDate":"2026-11-29"}]}`)
	require.NoError(t, err)
	require.Len(t, all, 1)
	sent := webhook("acme", "", object, noonish)
	sent.Found, sent.Body = true, all[0].Body
	return sent
}

// Whichever comes first, what is found and what is told of the same thing is one
// fact and one turn; what the provider itself tells twice is two.
func TestWhatIsFoundAndToldCountsOnce(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		sent string // f for what was found, and the numbers of events that are told
		want []string
	}{
		"told, then found":              {"1f", []string{"evt_1"}},
		"found, then told":              {"f1", []string{"found:PAYMENT_RECEIVED:pay_1"}},
		"found twice, then told twice":  {"ff11", []string{"found:PAYMENT_RECEIVED:pay_1"}},
		"found, and told of two":        {"f121", []string{"found:PAYMENT_RECEIVED:pay_1", "evt_2"}},
		"told of two":                   {"122", []string{"evt_1", "evt_2"}},
		"told, found, and told another": {"1f2", []string{"evt_1", "evt_2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.tenants.put(customer("acme", paid(tenant.SessionObject)))
			for _, one := range row.sent {
				if one == 'f' {
					b.hand(t, found(t, "pay_1"))
				} else {
					b.hand(t, webhook("acme", "evt_"+string(one), "pay_1", noonish))
				}
			}
			var told []string
			for _, event := range b.everything(t, "acme") {
				told = append(told, event.Event)
				require.Equal(t, events.FactPaymentConfirmed, event.Fact)
			}
			require.ElementsMatch(t, row.want, told)
			require.Len(t, b.asked(t), len(row.want))
		})
	}
}

// A crash between any two acts neither loses nor doubles what was found.
func TestWreckedActsCountWhatIsFoundOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme", paid(tenant.SessionObject)))
	b.boom.every = 3
	b.hand(t, found(t, "pay_1"))
	b.hand(t, webhook("acme", "evt_1", "pay_1", noonish))
	b.hand(t, webhook("acme", "evt_2", "pay_2", noonish))
	b.hand(t, found(t, "pay_2"))
	require.Len(t, b.everything(t, "acme"), 2)
	require.Len(t, b.asked(t), 2)
}

// What upkeep finds out about a connection is a fact of its inbox; that a
// provider says so is none.
func TestAWarningIsAFact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme", tenant.WebhookRule{On: "connection.*", Session: tenant.SessionNew, Message: "See to {server}."}))
	warning, err := provider.Warning(events.FactWebhookInterrupted, "hook_1", "interrupted", time.Now())
	require.NoError(t, err)
	sent := webhook("acme", "", "", noonish)
	sent.Body = warning.Body
	b.hand(t, sent)
	require.Empty(t, b.everything(t, "acme")[0].Fact)
	sent.Found, sent.Connection = true, "ca_other"
	b.hand(t, sent, sent)
	var facts []events.Fact
	for _, event := range b.everything(t, "acme") {
		facts = append(facts, event.Fact)
	}
	require.ElementsMatch(t, []events.Fact{"", events.FactWebhookInterrupted}, facts)
}
