package app

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

const shopsCharge = `/call codespar_charge {"amount":230.50,"currency":"BRL","method":"pix","description":"Order 77","buyer":{"name":"Ana Souza","document":"52998224725"}}`

// Asaas takes the charge and its answer is lost, and nothing can be looked up
// either: the agent is told that nobody knows. Then Asaas tells of the payment,
// which nobody here has an id of, with the reference that the call gave it.
func TestAnEventSettlesACallWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	customer, err := b.operator.Tenant(t.Context(), "tenant_loja")
	require.NoError(t, err)
	customer.Webhooks = []tenant.WebhookRule{{On: "payment.confirmed", Server: "asaas", Session: tenant.SessionMaker, Message: "{object} is {status}: what is the balance now?"}}
	require.NoError(t, b.operator.ApplyTenants(t.Context(), []tenant.Tenant{customer}))
	require.NoError(t, b.world.sandbox.Fault(fault.Fault{Kind: fault.KindCut, Server: "asaas", Method: http.MethodPost, Path: "/payments", AfterEffect: true}))
	require.NoError(t, b.world.sandbox.Fault(fault.Fault{Kind: fault.KindStatus, Status: http.StatusBadGateway, Server: "asaas", Method: http.MethodGet, Path: "/payments", Times: fault.Always}))

	var returned *events.ToolReturned
	sent, err := b.operator.Send(t.Context(), events.RequestParams{Tenant: "tenant_loja"}, events.Request{Message: shopsCharge}, false, func(record events.Record) {
		if event, ok := record.Event.(*events.ToolReturned); ok {
			returned = event
		}
	})
	require.NoError(t, err)
	require.NotNil(t, returned)
	require.Equal(t, events.ToolUnknown, returned.Status, "%+v", returned.Error)
	require.Equal(t, "asaas", returned.ServedBy)
	call := events.ToolCallPlace{Session: sent.Session, Request: sent.Request, Iteration: returned.Iteration, Index: returned.Index}.ID()
	require.Equal(t, gateway.PaymentStatus{
		ToolCallID: string(call), PaymentStatus: "unknown", IdempotencyKey: &returned.Key, OriginalStatus: "error", Events: []gateway.PaymentEvent{},
	}, b.paymentStatus(t, call))

	b.world.sandbox.ClearFaults("")
	made := b.onlyPayment(t)
	body, err := json.Marshal(map[string]any{
		"id": "evt_05b708f961d739ea7eba7e4db318f621&1", "event": "PAYMENT_RECEIVED", "dateCreated": "2026-11-29 12:00:00", "payment": made,
	})
	require.NoError(t, err)
	for range 2 { // a provider sends again what it is not sure of
		b.tell(t, "tenant_loja", "asaas", body)
	}

	routed := b.follow(t, sent, "payment.confirmed")
	require.Equal(t, call, routed.ToolCall)
	require.NotEmpty(t, routed.Request, "the rule is for objects that a session made: it made this one")
	status := b.paymentStatus(t, call)
	require.Equal(t, "succeeded", status.PaymentStatus)
	require.Equal(t, "success", status.OriginalStatus)
	require.Len(t, status.Events, 1)
	require.Equal(t, made["id"], *status.Events[0].PaymentID)
	require.Equal(t, 1, b.world.sandbox.Journal().Count(journal.Filter{Server: "asaas", Effect: "payment.created"}), "no second effect")
	b.requireAudit(t)
}

// onlyPayment is the one payment that the shop's account has, as Asaas shows it.
func (b *testBundle) onlyPayment(t *testing.T) map[string]any {
	t.Helper()
	end := b.deliver(t, events.RequestParams{Tenant: "tenant_loja", Kind: events.KindCall}, events.Request{Tool: "asaas__list_payments", Arguments: []byte(`{}`)})
	require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
	var listed struct {
		Data []map[string]any `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(end.Message), &listed))
	require.Len(t, listed.Data, 1)
	require.NotEmpty(t, listed.Data[0]["externalReference"])
	return listed.Data[0]
}

// tell posts a webhook to the gateway as the provider does.
func (b *testBundle) tell(t *testing.T, id tenant.ID, server string, body []byte) {
	t.Helper()
	customer, err := b.operator.Tenant(t.Context(), id)
	require.NoError(t, err)
	address, err := b.operator.addressFor(t.Context(), customer, server)
	require.NoError(t, err)
	at := b.http + "/v1/webhooks/" + server + "/" + gateway.ConnectionID(id, server, customer.Environment)
	if address.Lock.Scheme == webhook.SchemePath {
		at += "." + address.Lock.Keys[0].Text
	}
	status, err := deliver(t.Context(), at, webhook.Sign(address.Lock, "", body, time.Now()), body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
}

// follow waits until the session was told a fact, and until the turn that it
// causes has ended.
func (b *testBundle) follow(t *testing.T, of Sent, fact events.Fact) *events.WebhookReceived {
	t.Helper()
	broker, err := b.operator.kit.broker(t.Context())
	require.NoError(t, err)
	var told *events.WebhookReceived
	require.Eventually(t, func() bool {
		records, err := broker.Log().Read(t.Context(), of.Tenant, of.Session, 0)
		require.NoError(t, err)
		told = nil
		for _, record := range records {
			switch event := record.Event.(type) {
			case *events.WebhookReceived:
				if event.Fact == fact {
					require.Nil(t, told, "it is told once")
					told = event
				}
			case *events.TurnCompleted:
				if told != nil && record.Request == told.Request {
					require.Equal(t, events.TurnCompletedOK, event.Status, "%s: %s", event.Reason, event.Detail)
					return true
				}
			}
		}
		return false
	}, 30*time.Second, 20*time.Millisecond)
	return told
}

func (b *testBundle) paymentStatus(t *testing.T, call events.ToolCallID) gateway.PaymentStatus {
	t.Helper()
	key, err := b.world.key(t.Context(), b.tel)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.http+"/v1/tool-calls/"+string(call)+"/payment-status", strings.NewReader(""))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+key)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, answer.Body.Close()) }()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	var status gateway.PaymentStatus
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&status))
	return status
}

// requireAudit holds log, usage, rows and sums against each other.
func (b *testBundle) requireAudit(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	audit, err := b.operator.AuditLedger(ctx, LedgerAuditParams{Patience: 30 * time.Second})
	require.NoError(t, err)
	require.True(t, audit.OK, "%+v", audit)
}
