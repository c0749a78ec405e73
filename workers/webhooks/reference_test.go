package webhooks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/webhooks"
)

// bearing is a webhook about a payment that carries a reference.
func bearing(id events.TenantID, event, object, reference string) events.Webhook {
	sent := webhook(id, event, object, noonish)
	sent.Body = []byte(strings.Replace(string(sent.Body), `"status"`, `"externalReference":"`+reference+`","status"`, 1))
	return sent
}

// asking are the facts of a turn that asks for one call, whose key is returned.
func asking(t *testing.T, id events.TenantID, ses events.SessionID, name string) ([]events.Event, string) {
	t.Helper()
	call := events.ToolCall{ID: "a", Name: name, Arguments: `{ "value": 10.00 }`}
	key, err := agent.CallKey(id, ses, "req_1", session.Intent{Iteration: 1, Call: call})
	require.NoError(t, err)
	return []events.Event{
		&events.SessionOpened{Servers: []string{"asaas"}, Environment: events.EnvironmentTest},
		&events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "w", RequestSequence: 1, Message: "charge"},
		&events.ModelReplied{Iteration: 1, ToolCalls: []events.ToolCall{call}},
	}, key
}

func unknown(server, tool string) *events.ToolReturned {
	return &events.ToolReturned{
		Iteration: 1, CallID: "a", Name: tool, Server: server, Tool: tool, Status: events.ToolUnknown, Attempts: 1,
		Error: &events.ToolFault{Code: events.FaultOutcomeUnknown, Message: "no answer"},
	}
}

// The answer of a call was lost, so nobody ever learned an id: the reference in
// the provider's event tells whose it is, and from then on the object does.
func TestAnEventFindsACallInDoubtByItsReference(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string][]events.Event{
		"no outcome":      nil,
		"outcome unknown": {unknown("asaas", "create_payment"), &events.TurnCompleted{RequestSequence: 1, Status: events.TurnCompletedOK}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.tenants.put(customer("acme", paid(tenant.SessionMaker)))
			b.tenants.put(customer("loja", paid(tenant.SessionMaker)))
			facts, key := asking(t, "acme", "ses_maker", "asaas__create_payment")
			b.log(t, "acme", "ses_maker", append(facts, ends...)...)
			b.hand(t, bearing("acme", "evt_1", "pay_1", key), webhook("acme", "evt_2", "pay_1", noonish), bearing("loja", "evt_1", "pay_1", key))
			told := b.told(t, "acme", "ses_maker")
			require.Len(t, told, 2, "its later events need no reference")
			for _, event := range told {
				place, err := events.ParseToolCallID(string(event.ToolCall))
				require.NoError(t, err)
				require.Equal(t, events.ToolCallPlace{Session: "ses_maker", Request: "req_1", Iteration: 1}, place)
				require.NotEmpty(t, event.Request)
			}
			require.Len(t, b.told(t, "loja", events.InboxSession("loja", "ca_loja")), 1, "a reference of one tenant's is nothing to another")
			for place := range b.asked(t) {
				require.Contains(t, place, "acme ses_maker ")
			}
		})
	}
}

// A call request is an intent like a model's; a take-over is not another one.
func TestACallRequestIsFoundByItsReference(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme"))
	call := &events.CallRequested{Tool: "asaas/create_payment", Arguments: []byte(`{}`)}
	key, err := agent.CallKey("acme", "ses_maker", "req_1", session.Intent{Call: events.ToolCall{Name: call.Tool, Arguments: "{}"}})
	require.NoError(t, err)
	b.log(t, "acme", "ses_maker",
		&events.SessionOpened{Servers: []string{"asaas"}, Environment: events.EnvironmentTest},
		&events.TurnStarted{Kind: events.KindCall, Attempt: 1, Worker: "w", RequestSequence: 1, Call: call},
		&events.TurnStarted{Kind: events.KindCall, Attempt: 2, Worker: "v", RequestSequence: 1},
	)
	b.hand(t, bearing("acme", "evt_1", "pay_1", key))
	told := b.told(t, "acme", "ses_maker")
	require.Len(t, told, 1)
	require.Equal(t, events.ToolCallPlace{Session: "ses_maker", Request: "req_1"}.ID(), told[0].ToolCall)
}

// A reference counts at the server that it was given to, also where a tool of
// Feira's own gave it.
func TestAReferenceIsOfItsServer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme"))
	facts, key := asking(t, "acme", "ses_maker", "codespar_charge")
	b.log(t, "acme", "ses_maker", facts...)
	b.hand(t, bearing("acme", "evt_1", "pay_1", "a_"+key), bearing("acme", "evt_2", "pay_2", "s_"+key))
	told := b.told(t, "acme", "ses_maker")
	require.Len(t, told, 1)
	require.Equal(t, "evt_1", told[0].Event)
}

// What a tool of Feira's own made is of the server that it went to: that
// server's events are of it, and no other server's.
func TestWhatAToolOfFeirasOwnMadeIsOfTheServerThatItWentTo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme"))
	made := unknown(agent.OwnServer, "codespar_charge")
	made.Status, made.Error, made.Output, made.ServedBy = events.ToolOK, nil, `{"id":"pay_1","raw":{"payment":{"id":"pay_1"}}}`, "asaas"
	looked := unknown(agent.OwnServer, "codespar_ship")
	looked.Status, looked.Error, looked.Output, looked.Index = events.ToolOK, nil, `{"id":"pay_2"}`, 1
	facts, _ := asking(t, "acme", "ses_maker", "codespar_charge")
	facts[2].(*events.ModelReplied).ToolCalls = append(facts[2].(*events.ModelReplied).ToolCalls, events.ToolCall{ID: "b", Name: "codespar_ship", Arguments: "{}"})
	b.log(t, "acme", "ses_maker", append(facts, made, looked)...)
	foreign := webhook("acme", "evt_3", "pay_1", noonish)
	foreign.Server, foreign.Connection = "stripe", "ca_stripe"
	foreign.Body = []byte(`{"id":"evt_3","type":"payment_intent.succeeded","data":{"object":{"id":"pay_1"}}}`)
	b.hand(t, webhook("acme", "evt_1", "pay_1", noonish), webhook("acme", "evt_2", "pay_2", noonish), foreign)
	told := b.told(t, "acme", "ses_maker")
	require.Len(t, told, 1)
	require.Equal(t, "evt_1", told[0].Event)
	require.Len(t, b.told(t, "acme", events.InboxSession("acme", "ca_acme")), 1, "what a tool only looked at is not its own")
	require.Len(t, b.told(t, "acme", events.InboxSession("acme", "ca_stripe")), 1)
}

// An event may be faster than the index: while it is young it waits for its
// reference, with an object or without.
func TestAYoungEventWaitsForItsReference(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenants.put(customer("acme"))
	facts, key := asking(t, "acme", "ses_maker", "asaas__create_payment")
	sent := bearing("acme", "evt_1", "pay_1", key)
	sent.Received = time.Now()
	batch := []webhooks.Delivery{{Message: sent.Message(), Count: 1}}
	require.Error(t, b.worker.Handle(t.Context(), batch)[0])
	b.log(t, "acme", "ses_maker", facts...)
	require.NoError(t, b.worker.Handle(t.Context(), batch)[0])
	require.Len(t, b.told(t, "acme", "ses_maker"), 1)
}
