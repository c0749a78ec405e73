package agent_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTurnWithoutToolsIsAnsweredAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, says("good day"))
	end, err := b.run(t.Context(), t)
	require.NoError(t, err)
	require.Equal(t, events.TurnCompletedOK, end.Status)
	require.Equal(t, "good day", end.Message)
	require.Equal(t, uint64(7), end.RequestSequence)
	require.Equal(t, events.TokenUsage{InputTokens: 10, OutputTokens: 5}, end.Usage)
}

func TestToolResultsGoBackToTheModelInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t,
		says("", tool("a", "stripe__get_balance", `{}`), tool("b", "nobody__x", `{}`)),
		says("done"))
	end, err := b.run(t.Context(), t)
	require.NoError(t, err)
	require.Equal(t, "done", end.Message)
	require.Equal(t, 2, end.ToolCalls)
	last := b.model.prompts[1].Messages
	require.Equal(t, agent.RoleTool, last[len(last)-2].Role)
	require.Equal(t, "a", last[len(last)-2].CallID)
	told, quoted := agent.Quoted(last[len(last)-2].Text)
	require.True(t, quoted, "what a tool returns is from outside")
	require.JSONEq(t, `{"ok":true}`, told)
	require.Equal(t, "b", last[len(last)-1].CallID)
	require.Contains(t, last[len(last)-1].Text, events.FaultServerNotInSession)
}

// The intent must be durable before anything is sent.
func TestReplyIsWrittenBeforeItsCallsAreSent(t *testing.T) {
	t.Parallel()
	b := setup(t, says("", tool("a", "stripe__get_balance", `{}`)), says("done"))
	b.shop.call = func(context.Context, agent.Call) agent.Result {
		b.pages.mu.Lock()
		defer b.pages.mu.Unlock()
		_, written := b.pages.log[len(b.pages.log)-1].(*events.ModelReplied)
		if !written {
			return agent.Result{Status: events.ToolError, Fault: &events.ToolFault{Code: "intent_missing"}}
		}
		return agent.Result{Status: events.ToolOK}
	}
	_, err := b.run(t.Context(), t)
	require.NoError(t, err)
	require.Equal(t, "ok", codes(b.pages.returned()))
}

// Each call waits for the other: only calls that run side by side can end.
func TestCallsOfOneReplyRunSideBySide(t *testing.T) {
	t.Parallel()
	b := setup(t, says("", tool("a", "stripe__get_balance", `{"n":1}`), tool("b", "asaas__get_balance", `{"n":2}`)), says("done"))
	meet := make(chan struct{})
	b.shop.call = func(_ context.Context, call agent.Call) agent.Result {
		if call.Server == "stripe" {
			meet <- struct{}{}
		} else {
			<-meet
		}
		return agent.Result{Status: events.ToolOK, Attempts: 1}
	}
	end, err := b.run(t.Context(), t)
	require.NoError(t, err)
	require.Equal(t, 2, end.ToolCalls)
}

func TestWall(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		call events.ToolCall
		want string
	}{
		"own server":                {tool("a", "stripe__get_balance", `{}`), "ok"},
		"slash form":                {tool("a", "stripe/get_balance", `{}`), "ok"},
		"server of nobody's":        {tool("a", "z-api__send_text", `{}`), events.FaultServerNotInSession},
		"unknown tool":              {tool("a", "stripe__rob_bank", `{}`), events.FaultUnknownTool},
		"no server":                 {tool("a", "get_balance", `{}`), events.FaultUnknownTool},
		"empty tool":                {tool("a", "stripe__", `{}`), events.FaultUnknownTool},
		"arguments no JSON":         {tool("a", "stripe__get_balance", `{"a":`), events.FaultInvalidArguments},
		"arguments a list":          {tool("a", "stripe__get_balance", `[]`), events.FaultInvalidArguments},
		"arguments null":            {tool("a", "stripe__get_balance", `null`), events.FaultInvalidArguments},
		"arguments with a tail":     {tool("a", "stripe__get_balance", `{} {}`), events.FaultInvalidArguments},
		"empty arguments":           {tool("a", "stripe__get_balance", ``), "ok"},
		"session server gone later": {tool("a", "asaas__get_balance", `{}`), events.FaultServerNotInSession},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, says("", test.call), says("done"))
			if strings.HasPrefix(name, "session server gone") {
				b.scope.Tenant.Servers = []string{"stripe"}
			}
			_, err := b.run(t.Context(), t)
			require.NoError(t, err)
			require.Equal(t, test.want, codes(b.pages.returned()))
			if test.want != "ok" {
				require.Empty(t, b.shop.sent, "what is refused must not be sent")
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	balance := tool("a", "stripe__get_balance", `{}`)
	for name, test := range map[string]struct {
		limits tenant.Limits
		list   []func(context.Context) (agent.Reply, error)
		reason string
		sent   int
	}{
		"iterations below": {tenant.Limits{Iterations: 3}, list(says("", balance), says("done")), "", 1},
		"iterations at":    {tenant.Limits{Iterations: 2}, list(says("", balance), says("done")), "", 1},
		"iterations above": {tenant.Limits{Iterations: 1}, list(says("", balance), says("done")), events.ReasonIterations, 1},
		"tool calls at":    {tenant.Limits{ToolCalls: 2}, list(says("", balance, tool("b", "stripe__get_balance", `{}`)), says("done")), "", 2},
		"tool calls above": {tenant.Limits{ToolCalls: 1}, list(says("", balance, tool("b", "stripe__get_balance", `{}`)), says("done")), events.ReasonToolCalls, 0},
		"tokens below":     {tenant.Limits{Tokens: 16}, list(says("", balance), says("done")), "", 1},
		"tokens at":        {tenant.Limits{Tokens: 15}, list(says("", balance), says("done")), events.ReasonTokens, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.list...)
			b.scope.Tenant.Limits = test.limits
			end, err := b.run(t.Context(), t)
			require.NoError(t, err)
			require.Equal(t, test.reason, end.Reason)
			require.Len(t, b.shop.sent, test.sent)
			if test.reason != "" {
				require.Equal(t, events.TurnFailed, end.Status)
				require.NotEmpty(t, end.Detail)
			}
		})
	}
}

func list(l ...func(context.Context) (agent.Reply, error)) []func(context.Context) (agent.Reply, error) {
	return l
}

func TestModelFaultsEndTheTurn(t *testing.T) {
	t.Parallel()
	many := make([]events.ToolCall, agent.MaxReplyCalls+1)
	for i := range many {
		many[i] = tool(strconv.Itoa(i), "stripe__get_balance", `{}`)
	}
	for name, test := range map[string]struct {
		reply  func(context.Context) (agent.Reply, error)
		reason string
	}{
		"garbage":                {fails(agent.ErrModelGarbage), events.ReasonModelGarbage},
		"refused":                {fails(agent.ErrModelRefused), events.ReasonModelFailed},
		"calls at the bound":     {says("", many[:agent.MaxReplyCalls]...), ""},
		"calls above the bound":  {says("", many...), events.ReasonModelGarbage},
		"arguments at the bound": {says("", tool("a", "stripe__get_balance", object(agent.MaxArguments))), ""},
		"arguments above":        {says("", tool("a", "stripe__get_balance", object(agent.MaxArguments+1))), events.ReasonModelGarbage},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.reply, says("done"))
			end, err := b.run(t.Context(), t)
			require.NoError(t, err)
			require.Equal(t, test.reason, end.Reason)
		})
	}
}

// object is a JSON object of exactly size bytes.
func object(size int) string { return `{"a":"` + strings.Repeat("x", size-8) + `"}` }

func TestHostileTextIsTamed(t *testing.T) {
	t.Parallel()
	b := setup(t, says("a\x1b[2Jb\x00\xff"+strings.Repeat("<", agent.MaxReplyText)))
	end, err := b.run(t.Context(), t)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(end.Message, "a[2Jb\uFFFD<"), end.Message[:16])
	require.LessOrEqual(t, len(end.Message), agent.MaxReplyText+16)
}

func TestPassingFaultLeavesTheTurnOpen(t *testing.T) {
	t.Parallel()
	b := setup(t, fails(errors.New("connection refused")))
	end, err := b.run(t.Context(), t)
	require.ErrorContains(t, err, "connection refused")
	require.Nil(t, end)
	require.Equal(t, outcome.ActionRetry, outcome.Of(t.Context(), err).Action)
}

func TestPanicOfAProviderFailsThatCallOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, says("", tool("a", "stripe__get_balance", `{}`), tool("b", "asaas__create_payment", `{}`)), says("sorry"))
	b.shop.call = func(context.Context, agent.Call) agent.Result { panic("boom") }
	end, err := b.run(t.Context(), t)
	require.NoError(t, err)
	require.Equal(t, events.TurnCompletedOK, end.Status)
	returned := b.pages.returned()
	require.Equal(t, events.ToolError, returned[0].Status)
	require.Equal(t, events.ToolUnknown, returned[1].Status, "nobody knows what an unsafe call did before the panic")
}

func TestCallRequestEndsWithItsTool(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tool   string
		status events.TurnStatus
	}{
		"served":  {"stripe__get_balance", events.TurnCompletedOK},
		"refused": {"z-api__send_text", events.TurnRejected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.request = &events.TurnStarted{Kind: events.KindCall, Attempt: 1, Worker: "w1", Call: &events.CallRequested{Tool: test.tool, Arguments: []byte(`{}`)}}
			end, err := b.run(t.Context(), t)
			require.NoError(t, err)
			require.Equal(t, test.status, end.Status)
			require.Equal(t, 1, end.ToolCalls)
		})
	}
}

// What an earlier worker may have sent is sent again only where that is
// harmless, under the very same key.
func TestResumeInDoubt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tool   string
		lookup func(agent.Call) (agent.Result, bool)
		want   string
		sent   int
	}{
		"read is sent again":  {"stripe__get_balance", nil, "ok", 1},
		"keyed is sent again": {"stripe__create_payment_intent", nil, "ok", 1},
		"unsafe is not":       {"asaas__create_payment", nil, events.FaultOutcomeUnknown, 0},
		"unsafe is looked up": {"asaas__create_payment", func(agent.Call) (agent.Result, bool) {
			return agent.Result{Status: events.ToolOK, Output: "found"}, true
		}, "ok", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, says("done"))
			b.shop.lookup = test.lookup
			call := tool("a", test.tool, `{"b":1,"a":2}`)
			require.NoError(t, b.pages.Append(t.Context(), b.request))
			require.NoError(t, b.pages.Append(t.Context(), &events.ModelReplied{Iteration: 1, ToolCalls: []events.ToolCall{call}}))
			b.request = &events.TurnStarted{Kind: events.KindTurn, Attempt: 2, Worker: "w2"}
			end, err := b.run(t.Context(), t)
			require.NoError(t, err)
			require.Equal(t, events.TurnCompletedOK, end.Status)
			require.Equal(t, 2, end.Iterations, "the first reply must not be bought again")
			require.Equal(t, test.want, codes(b.pages.returned()))
			require.Len(t, b.shop.sent, test.sent)
		})
	}
}

func TestKeyIsTheSameForEveryTryAndForNoOtherCall(t *testing.T) {
	t.Parallel()
	keys := func(arguments string, request events.RequestID) string {
		b := setup(t, says("", tool("a", "stripe__get_balance", arguments)), says("done"))
		b.pages.request = request
		_, err := b.run(t.Context(), t)
		require.NoError(t, err)
		return b.shop.sent[0].Key
	}
	same := keys(`{"a":1,"b":2.50}`, "req_1")
	require.Equal(t, same, keys(`{ "b":2.50, "a":1 }`, "req_1"), "order and spaces do not matter")
	require.NotEqual(t, same, keys(`{"a":1,"b":2.5}`, "req_1"), "numbers are taken as written")
	require.NotEqual(t, same, keys(`{"a":1,"b":2.50}`, "req_2"))
	require.NotContains(t, same, "req_1")
}

func TestStopBetweenStepsReleases(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancelCause(t.Context())
	b := setup(t, says("", tool("a", "stripe__get_balance", `{}`)))
	b.shop.call = func(context.Context, agent.Call) agent.Result {
		stop(outcome.ErrStopping)
		return agent.Result{Status: events.ToolOK}
	}
	end, err := b.run(ctx, t)
	require.Nil(t, end)
	require.Equal(t, outcome.ActionRelease, outcome.Of(ctx, err).Action)
	require.Equal(t, "ok", codes(b.pages.returned()), "what was under way is written down")
}

func TestToolCallsOutliveAStopByTheGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		b := setup(t, says("", tool("a", "stripe__get_balance", `{}`)))
		b.grace = 5 * time.Second
		began := time.Now()
		b.shop.call = func(calls context.Context, _ agent.Call) agent.Result {
			stop(outcome.ErrStopping)
			<-calls.Done()
			return agent.Result{Status: events.ToolError, Fault: &events.ToolFault{Code: "cut"}}
		}
		_, err := b.run(ctx, t)
		require.ErrorIs(t, err, outcome.ErrStopping)
		require.Equal(t, 5*time.Second, time.Since(began))
		require.Equal(t, "cut", codes(b.pages.returned()))
	})
}

func TestWallTimeCountsFromTheFirstStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(ctx context.Context) (agent.Reply, error) {
			<-ctx.Done()
			return agent.Reply{}, ctx.Err()
		})
		b.scope.Tenant.Limits = tenant.Limits{WallTimeSeconds: 60}
		require.NoError(t, b.pages.Append(t.Context(), b.request))
		<-time.After(45 * time.Second) // virtual time: the first worker ran for so long
		b.request = &events.TurnStarted{Kind: events.KindTurn, Attempt: 2, Worker: "w2"}
		began := time.Now()
		end, err := b.run(t.Context(), t)
		require.NoError(t, err)
		require.Equal(t, events.ReasonWallTime, end.Reason)
		require.Equal(t, 15*time.Second, time.Since(began))
	})
}

func TestPromptTellsEarlierTurnsButNotTooMany(t *testing.T) {
	t.Parallel()
	b := setup(t, says("done"))
	for i := range 30 {
		b.pages.request = events.RequestID("old_" + strconv.Itoa(i))
		require.NoError(t, b.pages.Append(t.Context(), &events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "w", Message: "question " + strconv.Itoa(i)}))
		require.NoError(t, b.pages.Append(t.Context(), &events.ModelReplied{Iteration: 1, Text: "answer " + strconv.Itoa(i)}))
		require.NoError(t, b.pages.Append(t.Context(), &events.TurnCompleted{Status: events.TurnCompletedOK}))
	}
	b.pages.request = "req_1"
	b.scope.Tenant.Instructions = "You work for Acme."
	_, err := b.run(t.Context(), t)
	require.NoError(t, err)
	messages := b.model.prompts[0].Messages
	require.Contains(t, messages[0].Text, "You work for Acme.")
	require.Equal(t, "question 10", messages[1].Text, "twenty turns back and no more")
	require.Equal(t, "hello", messages[len(messages)-1].Text)
	require.Equal(t, []string{"stripe__get_balance", "asaas__get_balance"}, []string{b.model.prompts[0].Tools[0].Name, b.model.prompts[0].Tools[1].Name})
}

// A call whose answer was lost is looked up at once, not only after a crash.
func TestUnknownOutcomeIsLookedUp(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]bool{"found": true, "nothing can be said": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, says("", tool("a", "asaas__create_payment", `{}`)), says("done"))
			b.shop.call = func(context.Context, agent.Call) agent.Result {
				return agent.Result{Status: events.ToolUnknown, Attempts: 1, Fault: &events.ToolFault{Code: events.FaultOutcomeUnknown}}
			}
			b.shop.lookup = func(agent.Call) (agent.Result, bool) {
				return agent.Result{Status: events.ToolOK, Output: "found"}, found
			}
			_, err := b.run(t.Context(), t)
			require.NoError(t, err)
			want := events.FaultOutcomeUnknown
			if found {
				want = "ok"
			}
			require.Equal(t, want, codes(b.pages.returned()))
			require.Equal(t, 1, b.pages.returned()[0].Attempts)
			require.Len(t, b.shop.sent, 1, "it must not be sent again")
		})
	}
}
