package agent_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// When the end is ordered, the turn ends as cancelled, with what it has used,
// whichever step it is in; calls that were not sent are sent no more.
func TestACancelEndsTheTurnAtEachStep(t *testing.T) {
	t.Parallel()
	refund := tool("a", "asaas__create_payment", `{}`)
	for name, test := range map[string]struct {
		reply  func(order func()) func(context.Context) (agent.Reply, error)
		during bool // the tool call
		before bool // the run begins
		tokens int64
		want   string // outcomes
	}{
		"before it begins": {reply: func(func()) func(context.Context) (agent.Reply, error) { return says("never") }, before: true},
		"while the model is asked": {reply: func(order func()) func(context.Context) (agent.Reply, error) {
			return func(ctx context.Context) (agent.Reply, error) {
				order()
				return agent.Reply{}, ctx.Err()
			}
		}},
		"as the model wants tools": {reply: func(order func()) func(context.Context) (agent.Reply, error) {
			return func(ctx context.Context) (agent.Reply, error) {
				order()
				return says("", refund)(ctx)
			}
		}, tokens: 15},
		"while a tool is called": {reply: func(func()) func(context.Context) (agent.Reply, error) { return says("", refund) }, during: true, tokens: 15, want: "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			order := func() { cancel(&agent.CancelledError{Detail: "called off"}) }
			b := setup(t, test.reply(order))
			b.shop.call = func(context.Context, agent.Call) agent.Result {
				if test.during {
					order()
				}
				return agent.Result{Status: events.ToolOK}
			}
			if test.before {
				order()
			}
			end, err := b.run(ctx, t)
			require.NoError(t, err, "it is an ending, and nothing to be tried again")
			require.Equal(t, events.TurnCancelled, end.Status)
			require.Equal(t, events.ReasonCancelled, end.Reason)
			require.Equal(t, "called off", end.Detail)
			require.Equal(t, test.tokens, end.Usage.Total())
			require.Equal(t, test.want, codes(b.pages.returned()))
		})
	}
}

// Calls that an earlier worker may have sent get an outcome all the same.
func TestACancelLeavesNothingInDoubt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.pages.Append(t.Context(), b.request))
	require.NoError(t, b.pages.Append(t.Context(), &events.ModelReplied{Iteration: 1, ToolCalls: []events.ToolCall{tool("a", "asaas__create_payment", `{}`)}}))
	b.request = &events.TurnStarted{Kind: events.KindTurn, Attempt: 2, Worker: "w2"}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&agent.CancelledError{Detail: "called off"})
	end, err := b.run(ctx, t)
	require.NoError(t, err)
	require.Equal(t, events.TurnCancelled, end.Status)
	require.Equal(t, events.FaultOutcomeUnknown, codes(b.pages.returned()))
	require.Empty(t, b.shop.sent)
}

func TestACallThatWasNotSentIsCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.request = &events.TurnStarted{
		Kind: events.KindCall, Attempt: 1, Worker: "w1",
		Call: &events.CallRequested{Tool: "stripe__get_balance", Arguments: json.RawMessage(`{}`)},
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&agent.CancelledError{Detail: "called off"})
	end, err := b.run(ctx, t)
	require.NoError(t, err)
	require.Equal(t, events.TurnCancelled, end.Status)
	require.Empty(t, b.shop.sent)
}

// A call that was sent when the order came ends with its outcome: it cannot be
// called off any more.
func TestACallThatWasSentIsNotCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.request = &events.TurnStarted{
		Kind: events.KindCall, Attempt: 1, Worker: "w1",
		Call: &events.CallRequested{Tool: "stripe__get_balance", Arguments: json.RawMessage(`{}`)},
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	b.shop.call = func(context.Context, agent.Call) agent.Result {
		cancel(&agent.CancelledError{Detail: "called off"})
		return agent.Result{Status: events.ToolOK, Output: "42"}
	}
	end, err := b.run(ctx, t)
	require.NoError(t, err)
	require.Equal(t, events.TurnCompletedOK, end.Status)
	require.Equal(t, "42", end.Message)
}
