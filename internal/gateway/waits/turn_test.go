package waits_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// fact is an event of a request.
type fact struct {
	request events.RequestID
	event   events.Event
}

// conversation is a turn with tool calls side by side, among others of its session.
func conversation() []fact {
	const asked = events.RequestID("r1")
	return []fact{
		{"", &events.SessionOpened{Servers: []string{"stripe"}, Environment: events.EnvironmentTest}},
		{"r0", &events.TurnStarted{RequestSequence: 1, Kind: events.KindTurn, Attempt: 1, Worker: "w#1", Message: "hello"}},
		{"r0", &events.TurnCompleted{RequestSequence: 1, Status: events.TurnCompletedOK, Message: "hello"}},
		{asked, &events.TurnStarted{RequestSequence: 2, Kind: events.KindTurn, Attempt: 1, Worker: "w#2", Message: "charge ten"}},
		{asked, &events.ModelReplied{Iteration: 1, Text: "let me see", ToolCalls: []events.ToolCall{
			{ID: "a", Name: "stripe__create_payment_intent", Arguments: `{"amount":10}`},
			{ID: "b", Name: "stripe__get_balance", Arguments: `{not json`},
			{ID: "c", Name: "asaas__create_payment", Arguments: ``},
		}}},
		{asked, &events.ToolReturned{
			Iteration: 1, Index: 2, CallID: "c", Name: "asaas__create_payment", Server: "asaas", Tool: "create_payment",
			Status: events.ToolRefused, Error: &events.ToolFault{Code: events.FaultServerNotInSession, Message: "no"},
		}},
		{"call", &events.TurnStarted{RequestSequence: 3, Kind: events.KindCall, Attempt: 1, Worker: "w#3", Call: &events.CallRequested{
			Tool: "stripe__get_balance", Arguments: json.RawMessage(`{"currency":"brl"}`),
		}}},
		{asked, &events.ToolReturned{
			Iteration: 1, Index: 0, CallID: "a", Name: "stripe__create_payment_intent", Server: "stripe", Tool: "create_payment_intent",
			Status: events.ToolOK, Output: `{"id":"pi_1"}`, Key: "k1", Attempts: 1, DurationMS: 142,
		}},
		{"call", &events.ToolReturned{
			CallID: "call", Name: "stripe__get_balance", Server: "stripe", Tool: "get_balance", Status: events.ToolOK, Output: "ten", DurationMS: 5,
		}},
		{asked, &events.TurnStarted{RequestSequence: 2, Kind: events.KindTurn, Attempt: 2, Worker: "w#4"}},
		{asked, &events.ToolReturned{
			Iteration: 1, Index: 1, CallID: "b", Name: "stripe__get_balance", Server: "stripe", Tool: "get_balance",
			Status: events.ToolError, Error: &events.ToolFault{Code: events.FaultInvalidArguments, Message: "no JSON"}, DurationMS: 1,
		}},
		{"call", &events.TurnCompleted{RequestSequence: 3, Status: events.TurnCompletedOK, Message: "ten", ToolCalls: 1}},
		{asked, &events.ModelReplied{Iteration: 2, Text: "done", FinishReason: "stop"}},
		{asked, &events.TurnCompleted{RequestSequence: 2, Status: events.TurnCompletedOK, Message: "done", Iterations: 2, ToolCalls: 3}},
		{"r2", &events.TurnStarted{RequestSequence: 4, Kind: events.KindTurn, Attempt: 1, Worker: "w#5", Message: "bye"}},
	}
}

// play writes the facts and returns the sequences of those of a request.
func (w *writer) play(t *testing.T, facts []fact, of events.RequestID) []uint64 {
	t.Helper()
	var sequences []uint64
	for _, fact := range facts {
		sequence, err := w.write(within(t), fact.request, fact.event)
		require.NoError(t, err)
		if fact.request == of {
			sequences = append(sequences, sequence)
		}
	}
	return sequences
}

// drain reads a turn to its end and returns the sequences of its records.
func drain(t *testing.T, turn *waits.Turn) []uint64 {
	t.Helper()
	var sequences []uint64
	for {
		item, err := turn.Next(within(t))
		if err != nil {
			require.Equal(t, io.EOF, err)
			_, err = turn.Next(within(t))
			require.Equal(t, io.EOF, err, "and again")
			return sequences
		}
		sequences = append(sequences, item.Record.Sequence)
	}
}

func requireTurn(t *testing.T, hub *waits.Hub, params waits.TurnParams) *waits.Turn {
	t.Helper()
	params.Tenant, params.Session = acme, "s1"
	turn, err := hub.Turn(within(t), params)
	require.NoError(t, err)
	t.Cleanup(turn.Close)
	return turn
}

func TestTurnIsOneRequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	live := requireTurn(t, hub, waits.TurnParams{Request: "r1", From: waits.Now()})
	of := w.play(t, conversation(), "r1")
	require.Equal(t, of, drain(t, live))
	past := requireTurn(t, hub, waits.TurnParams{Request: "r1"})
	require.Equal(t, of, drain(t, past), "what has ended is told at once")
	require.Empty(t, cmp.Diff(live.Outcome(), past.Outcome(), cmpopts.IgnoreUnexported(waits.Outcome{})))

	for i, seen := range of {
		resumed := requireTurn(t, hub, waits.TurnParams{Request: "r1", Seen: seen})
		want := append([]uint64(nil), of[i+1:]...)
		require.Equal(t, want, drain(t, resumed))
		require.Empty(t, cmp.Diff(past.Outcome(), resumed.Outcome(), cmpopts.IgnoreUnexported(waits.Outcome{})), "the outcome is whole after a resume")
	}
}

func TestTurnWaitsForWhatNobodyHasStarted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	w.play(t, conversation(), "")
	turn := requireTurn(t, hub, waits.TurnParams{Request: "r9"})
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), glance)
		_, err := turn.Next(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	ctx, cancel := context.WithTimeout(t.Context(), glance)
	defer cancel()
	outcome, err := turn.Wait(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "waiting for request r9")
	require.False(t, outcome.Ended())
	require.Empty(t, outcome.Message())
	rejected := &events.TurnCompleted{RequestSequence: 9, Status: events.TurnRejected, Reason: events.ReasonBudgetExceeded, Detail: "no money"}
	w.play(t, []fact{{"r9", rejected}}, "")
	outcome, err = turn.Wait(within(t))
	require.NoError(t, err)
	require.Equal(t, rejected, outcome.Ending)
	require.True(t, outcome.Started.IsZero(), "it was refused before it was started")
}

func TestOutcomeHoldsTheCalls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	w.play(t, conversation(), "")
	at := time.Unix(1_700_000_000, 0).UTC()
	turn := requireTurn(t, hub, waits.TurnParams{Request: "r1"})
	outcome, err := turn.Wait(within(t))
	require.NoError(t, err)
	id := func(iteration, index int) events.ToolCallID {
		return events.ToolCallPlace{Session: "s1", Request: "r1", Iteration: iteration, Index: index}.ID()
	}
	require.Empty(t, cmp.Diff(waits.Outcome{
		Request: "r1", Kind: events.KindTurn, Asked: "charge ten", Started: at, EndedAt: at,
		Ending: &events.TurnCompleted{RequestSequence: 2, Status: events.TurnCompletedOK, Message: "done", Iterations: 2, ToolCalls: 3},
		Calls: []waits.Call{
			{
				ID: id(1, 0), Iteration: 1, Name: "stripe__create_payment_intent", Server: "stripe", Tool: "create_payment_intent",
				Status: events.ToolOK, Input: json.RawMessage(`{"amount":10}`), Output: json.RawMessage(`{"id":"pi_1"}`), Key: "k1",
				CalledAt: at.Add(-142 * time.Millisecond), Duration: 142 * time.Millisecond,
			},
			{
				ID: id(1, 1), Iteration: 1, Index: 1, Name: "stripe__get_balance", Server: "stripe", Tool: "get_balance",
				Status: events.ToolError, Input: json.RawMessage(`"{not json"`), Output: json.RawMessage(`{"code":"invalid_arguments","message":"no JSON"}`),
				ErrorCode: events.FaultInvalidArguments, Error: "no JSON", CalledAt: at.Add(-time.Millisecond), Duration: time.Millisecond,
			},
			{
				ID: id(1, 2), Iteration: 1, Index: 2, Name: "asaas__create_payment", Server: "asaas", Tool: "create_payment",
				Status: events.ToolRefused, Input: json.RawMessage(`{}`), Output: json.RawMessage(`{"code":"server_not_in_session","message":"no"}`),
				ErrorCode: events.FaultServerNotInSession, Error: "no", CalledAt: at,
			},
		},
	}, outcome, cmpopts.IgnoreUnexported(waits.Outcome{})))
	require.Equal(t, "done", outcome.Message())
	require.Equal(t, 2, outcome.Iterations())
	call, ok := outcome.Call(1, 1)
	require.True(t, ok)
	require.Equal(t, outcome.Calls[1], call)
	require.False(t, call.OK())
	_, ok = outcome.Call(2, 0)
	require.False(t, ok)

	called, err := requireTurn(t, hub, waits.TurnParams{Request: "call"}).Wait(within(t))
	require.NoError(t, err)
	require.Equal(t, events.KindCall, called.Kind)
	require.Zero(t, called.Iterations())
	require.Len(t, called.Calls, 1)
	require.True(t, called.Calls[0].OK())
	require.JSONEq(t, `{"currency":"brl"}`, string(called.Calls[0].Input))
	require.JSONEq(t, `"ten"`, string(called.Calls[0].Output))
}

func TestOutcomeGrowsOnTheWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	w.play(t, conversation(), "")
	turn := requireTurn(t, hub, waits.TurnParams{Request: "r1"})
	calls, earlier := 0, []waits.Outcome{}
	for {
		item, err := turn.Next(within(t))
		if err != nil {
			require.Equal(t, io.EOF, err)
			break
		}
		outcome := turn.Outcome()
		if returned, ok := item.Record.Event.(*events.ToolReturned); ok {
			calls++
			_, told := outcome.Call(returned.Iteration, returned.Index)
			require.True(t, told)
		}
		require.Len(t, outcome.Calls, calls)
		earlier = append(earlier, outcome)
	}
	require.Equal(t, 3, calls)
	first := earlier[2].Calls
	require.Len(t, first, 1)
	require.Equal(t, 2, first[0].Index, "what was handed out does not change")
}

// Calls come back in any order, and none of them twice.
func TestOutcomeHandedOutDoesNotChange(t *testing.T) {
	t.Parallel()
	const calls = 6
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	facts := []fact{{"r1", &events.ModelReplied{Iteration: 1, ToolCalls: make([]events.ToolCall, calls)}}}
	for range 2 { // a second word on a call does not count
		for i := range calls {
			facts = append(facts, fact{"r1", &events.ToolReturned{Iteration: 1, Index: calls - 1 - i, Name: "a__b", Status: events.ToolOK, Attempts: len(facts)}})
		}
	}
	w.play(t, facts, "")
	turn := requireTurn(t, hub, waits.TurnParams{Request: "r1"})
	var outcomes []waits.Outcome
	for range facts {
		_, err := turn.Next(within(t))
		require.NoError(t, err)
		outcomes = append(outcomes, turn.Outcome())
	}
	for n, outcome := range outcomes {
		require.Len(t, outcome.Calls, min(n, calls))
		for i, call := range outcome.Calls {
			require.Equal(t, calls-len(outcome.Calls)+i, call.Index, "after %d facts", n)
		}
	}
}

func TestTurnHearsItsOwnText(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	turn := requireTurn(t, hub, waits.TurnParams{Request: "r1", From: waits.Now(), Deltas: true})
	say := func(request events.RequestID, iteration int, text string) {
		require.NoError(t, b.bus.Hints().Delta(acme, "s1", events.ModelDelta{Request: request, Iteration: iteration, Text: text}))
	}
	next := func() waits.Item {
		item, err := turn.Next(within(t))
		require.NoError(t, err)
		return item
	}
	say("r0", 1, "another's")
	say("r1", 1, "let me")
	require.Equal(t, &events.ModelDelta{Request: "r1", Iteration: 1, Text: "let me"}, next().Delta)
	facts := conversation()
	w.play(t, facts[:5], "")
	for range 2 {
		require.NotNil(t, next().Record)
	}
	say("r1", 1, " see, late")
	say("r1", 2, "do")
	require.Equal(t, "do", next().Delta.Text, "a preview of what is known is no use")
	w.play(t, facts[5:], "")
	require.Len(t, drain(t, turn), 6)
}
