package app

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/tenant"
)

// Asaas has the wrong token for our address, so that nothing of what it tells is
// taken, and it stops. The self-check raises that, finds by listing that the
// charge was paid, and the session that made it goes on; and when Asaas, put
// right, tells all of it after that, nothing happens twice.
func TestWhatAStoppedQueueKeptIsFoundOnce(t *testing.T) {
	t.Parallel()
	// Asaas stops at its fifteenth refusal, and would take 13 s until then.
	b := setupIn(t, worldParams{webhookPause: 2 * time.Millisecond}, func(cfg *config.Config) {
		cfg.Upkeep.Selfcheck, cfg.Upkeep.Pace = 50*time.Millisecond, time.Millisecond
	})
	customer, err := b.operator.Tenant(t.Context(), "tenant_loja")
	require.NoError(t, err)
	customer.Webhooks = []tenant.WebhookRule{{On: "payment.confirmed", Server: "asaas", Session: tenant.SessionMaker, Message: "{object} is {status}: what is the balance now?"}}
	require.NoError(t, b.operator.ApplyTenants(t.Context(), []tenant.Tenant{customer}))
	address, err := b.operator.addressFor(t.Context(), customer, "asaas")
	require.NoError(t, err)
	connection := gateway.ConnectionID("tenant_loja", "asaas", customer.Environment)
	at := b.http + "/v1/webhooks/asaas/" + connection
	require.NoError(t, b.world.sandbox.Subscribe("asaas", "tenant_loja", sandbox.Webhook{URL: at, Key: "whsec_of-somebody-else"}))

	sent, err := b.operator.Send(t.Context(), events.RequestParams{Tenant: "tenant_loja"}, events.Request{Message: shopsCharge}, false, nil)
	require.NoError(t, err)
	payment := b.onlyPayment(t)["id"].(string)
	b.raw(t, "proxy_post", `{"endpoint":"/sandbox/payment/`+payment+`/confirm"}`)

	found := b.follow(t, sent, events.FactPaymentConfirmed)
	require.Equal(t, payment, found.Object)
	require.True(t, found.Found)
	require.NotEmpty(t, found.ToolCall)
	inbox := Sent{Tenant: "tenant_loja", Session: events.InboxSession("tenant_loja", connection)}
	require.Eventually(t, func() bool { return b.facts(t, inbox)[events.FactWebhookInterrupted] == 1 }, 60*time.Second, 50*time.Millisecond)

	var hooks struct {
		Data []struct{ ID, URL string } `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(b.raw(t, "list_notifications", `{}`)), &hooks))
	ours := slices.IndexFunc(hooks.Data, func(hook struct{ ID, URL string }) bool { return strings.HasSuffix(hook.URL, connection) })
	require.NotEqual(t, -1, ours)
	b.raw(t, "proxy_put", `{"endpoint":"/webhooks/`+hooks.Data[ours].ID+`","body":{"authToken":"`+address.Lock.Keys[0].Text+`","interrupted":false}}`)
	require.Eventually(t, func() bool {
		for _, queue := range b.world.sandbox.Webhooks() {
			if queue.Server == "asaas" && queue.Account == "tenant_loja" && queue.Waiting == 0 && queue.Sent >= 2 {
				return true
			}
		}
		return false
	}, 60*time.Second, 50*time.Millisecond, "what Asaas had kept is told")
	// One more of the lane, told behind the others, says that they have been read.
	b.tell(t, "tenant_loja", "asaas", []byte(`{"id":"evt_last","event":"PAYMENT_UPDATED","payment":{"id":"`+payment+`","status":"RECEIVED"}}`))
	require.Eventually(t, func() bool { return b.facts(t, sent)[events.FactPaymentUpdated] > 0 && b.told(t, sent, "evt_last") }, 30*time.Second, 20*time.Millisecond)
	require.Equal(t, 1, b.facts(t, sent)[events.FactPaymentConfirmed])
	require.Equal(t, 1, b.facts(t, inbox)[events.FactWebhookInterrupted])
	b.requireAudit(t)
}

// raw has the shop make a call at Asaas, and returns its answer.
func (b *testBundle) raw(t *testing.T, tool, arguments string) string {
	t.Helper()
	end := b.deliver(t, events.RequestParams{Tenant: "tenant_loja", Kind: events.KindCall}, events.Request{Tool: "asaas__" + tool, Arguments: []byte(arguments)})
	require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
	return end.Message
}

// facts counts what providers told in a session.
func (b *testBundle) facts(t *testing.T, of Sent) map[events.Fact]int {
	t.Helper()
	counts := map[events.Fact]int{}
	for _, event := range b.heard(t, of) {
		counts[event.Fact]++
	}
	return counts
}

func (b *testBundle) told(t *testing.T, of Sent, id string) bool {
	t.Helper()
	return slices.ContainsFunc(b.heard(t, of), func(event *events.WebhookReceived) bool { return event.Event == id })
}

func (b *testBundle) heard(t *testing.T, of Sent) []*events.WebhookReceived {
	t.Helper()
	broker, err := b.operator.kit.broker(t.Context())
	require.NoError(t, err)
	records, err := broker.Log().Read(t.Context(), of.Tenant, of.Session, 0)
	require.NoError(t, err)
	var heard []*events.WebhookReceived
	for _, record := range records {
		if event, ok := record.Event.(*events.WebhookReceived); ok {
			heard = append(heard, event)
		}
	}
	return heard
}
