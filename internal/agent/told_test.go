package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

func paid() *events.WebhookReceived {
	place := events.ToolCallPlace{Session: "ses_1", Request: "req_1", Iteration: 1}
	return &events.WebhookReceived{
		Connection: "ca_1", Server: "asaas", Event: "evt_1", Kind: "PAYMENT_RECEIVED", Fact: events.FactPaymentConfirmed,
		Object: "pay_1", ToolCall: place.ID(), Status: "RECEIVED", OccurredAt: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
	}
}

// The provider's event comes while nobody knows what became of the call: as its
// outcome is written down, the log knows that it had its effect.
func TestAnEventSettlesACallBeforeItsOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t, says("", tool("a", "asaas__create_payment", `{}`)), says("done"))
	b.shop.call = func(ctx context.Context, _ agent.Call) agent.Result {
		require.NoError(t, b.pages.Append(ctx, paid()))
		return agent.Result{Status: events.ToolUnknown, Attempts: 1, Fault: &events.ToolFault{Code: events.FaultOutcomeUnknown, Message: "no answer"}}
	}
	_, err := b.run(t.Context(), t)
	require.NoError(t, err)
	returned := b.pages.returned()
	require.Len(t, returned, 1)
	require.Equal(t, events.ToolOK, returned[0].Status)
	require.Nil(t, returned[0].Error)
	require.Equal(t, 1, returned[0].Attempts)
	require.JSONEq(t, `{"note":"the answer of this call was lost; the provider told afterwards, by webhook, of what it made, so it had its effect: do not repeat it",`+
		`"event":"evt_1","kind":"PAYMENT_RECEIVED","fact":"payment.confirmed","object_id":"pay_1","status":"RECEIVED","occurred_at":"2026-11-29T12:00:00Z"}`, returned[0].Output)
	require.Len(t, b.shop.sent, 1)
	read, quoted := agent.Quoted(last(b.model.prompts[1]))
	require.True(t, quoted, "what a provider says is data")
	require.Equal(t, returned[0].Output, read)
}

// A worker died over an unsafe call: the next one sends nothing again, and knows
// by the event what became of it.
func TestAnEventSettlesACallOfAWorkerThatDied(t *testing.T) {
	t.Parallel()
	b := setup(t, says("done"))
	require.NoError(t, b.pages.Append(t.Context(), b.request))
	require.NoError(t, b.pages.Append(t.Context(), &events.ModelReplied{Iteration: 1, ToolCalls: []events.ToolCall{tool("a", "asaas__create_payment", `{}`)}}))
	require.NoError(t, b.pages.Append(t.Context(), paid()))
	b.request = &events.TurnStarted{Kind: events.KindTurn, Attempt: 2, Worker: "w2"}
	_, err := b.run(t.Context(), t)
	require.NoError(t, err)
	require.Equal(t, "ok", codes(b.pages.returned()))
	require.Empty(t, b.shop.sent)
}

// The event comes after the turn was told that nobody knows: the next turn is
// told of it in the answer's place.
func TestAnEventSettlesACallForTheNextTurn(t *testing.T) {
	t.Parallel()
	b := setup(t, says("", tool("a", "asaas__create_payment", `{}`)), says("nobody knows"), says("done"))
	b.shop.call = func(context.Context, agent.Call) agent.Result {
		return agent.Result{Status: events.ToolUnknown, Attempts: 1, Fault: &events.ToolFault{Code: events.FaultOutcomeUnknown, Message: "no answer"}}
	}
	end, err := b.run(t.Context(), t)
	require.NoError(t, err)
	require.NoError(t, b.pages.Append(t.Context(), end))
	require.Contains(t, last(b.model.prompts[1]), events.FaultOutcomeUnknown)
	require.NoError(t, b.pages.Append(t.Context(), paid()))
	b.pages.request, b.request.Message = "req_2", "and now?"
	_, err = b.run(t.Context(), t)
	require.NoError(t, err)
	require.Len(t, b.pages.returned(), 1, "a call has one outcome")
	for _, message := range b.model.prompts[2].Messages {
		if message.Role == agent.RoleTool {
			require.NotContains(t, message.Text, events.FaultOutcomeUnknown)
			require.Contains(t, message.Text, "pay_1")
			return
		}
	}
	require.Fail(t, "the call is not in the prompt")
}

// What was known is not told otherwise by an event.
func TestAnEventDoesNotChangeAKnownOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t, says("", tool("a", "asaas__create_payment", `{}`)), says("done"))
	b.shop.call = func(ctx context.Context, _ agent.Call) agent.Result {
		require.NoError(t, b.pages.Append(ctx, paid()))
		return agent.Result{Status: events.ToolOK, Output: `{"id":"pay_1"}`, Attempts: 1}
	}
	_, err := b.run(t.Context(), t)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"pay_1"}`, b.pages.returned()[0].Output)
}

func last(prompt agent.Prompt) string { return prompt.Messages[len(prompt.Messages)-1].Text }
