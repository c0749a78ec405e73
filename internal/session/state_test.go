package session_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

var equal = cmp.Options{cmp.AllowUnexported(session.State{}), cmpopts.EquateEmpty()}

// script draws a log that honest workers could have written: requests open,
// are taken over, go through replies and outcomes, and end, side by side.
func script(t *rapid.T) []events.Record {
	type request struct {
		id      events.RequestID
		kind    events.Kind
		attempt int
		replies int
		pending []int
		ended   bool
	}
	var (
		log      []events.Record
		requests []*request
		sequence uint64
	)
	write := func(id events.RequestID, event events.Event) {
		sequence += rapid.Uint64Range(1, 5).Draw(t, "gap")
		log = append(log, events.Record{
			Sequence: sequence, Event: event,
			Envelope: events.Envelope{
				ID: session.EventID(id, event), Type: event.EventType(), Request: id,
				Time: time.Unix(int64(sequence), 0).UTC(),
			},
		})
	}
	opened := &events.SessionOpened{Servers: []string{"stripe", "asaas"}, Environment: events.EnvironmentTest}
	if rapid.Bool().Draw(t, "mocks") {
		opened.Mocks = json.RawMessage(`{"asaas/get_balance":[{}]}`)
	}
	answered := 0
	write("", opened)
	steps := rapid.IntRange(0, 40).Draw(t, "steps")
	for range steps {
		if len(requests) == 0 || rapid.IntRange(0, 4).Draw(t, "new") == 0 {
			r := &request{id: events.RequestID("r" + strconv.Itoa(len(requests))), kind: events.KindTurn, attempt: 1}
			started := &events.TurnStarted{Kind: r.kind, Attempt: 1, Worker: "w1", Message: "hello", RequestSequence: sequence}
			if rapid.Bool().Draw(t, "call") {
				r.kind, started.Kind, started.Message = events.KindCall, events.KindCall, ""
				started.Call = &events.CallRequested{Tool: "asaas__get_balance", Arguments: json.RawMessage(`{}`)}
				r.pending = []int{0}
			}
			requests = append(requests, r)
			write(r.id, started)
			continue
		}
		r := requests[rapid.IntRange(0, len(requests)-1).Draw(t, "which")]
		if r.ended {
			continue
		}
		switch rapid.SampledFrom([]string{"takeover", "reply", "return", "end"}).Draw(t, "what") {
		case "takeover":
			r.attempt++
			write(r.id, &events.TurnStarted{Kind: r.kind, Attempt: r.attempt, Worker: "w" + strconv.Itoa(r.attempt)})
		case "reply":
			if r.kind == events.KindCall || len(r.pending) > 0 {
				continue
			}
			r.replies++
			reply := &events.ModelReplied{Iteration: r.replies, Usage: events.TokenUsage{InputTokens: 3, OutputTokens: 2}}
			for i := range rapid.IntRange(0, 3).Draw(t, "calls") {
				reply.ToolCalls = append(reply.ToolCalls, events.ToolCall{ID: strconv.Itoa(i), Name: "asaas__get_balance"})
				r.pending = append(r.pending, i)
			}
			write(r.id, reply)
		case "return":
			if len(r.pending) == 0 {
				continue
			}
			i := rapid.IntRange(0, len(r.pending)-1).Draw(t, "index")
			returned := &events.ToolReturned{Iteration: r.replies, Index: r.pending[i], Status: events.ToolOK}
			if opened.Mocks != nil {
				answered++
				returned.Mock = &events.MockAnswer{Tool: "asaas/get_balance", Index: answered}
			}
			write(r.id, returned)
			r.pending = append(r.pending[:i:i], r.pending[i+1:]...)
		case "end":
			r.ended = true
			write(r.id, &events.TurnCompleted{Status: events.TurnCompletedOK})
		}
	}
	return log
}

func fold(t require.TestingT, records []events.Record) *session.State {
	state := session.New("tenant_acme", "ses_1")
	require.NoError(t, state.ApplyAll(records))
	return state
}

// Reading the log in pieces, with tails read again, gives the same state as
// reading it once.
func TestFoldIsTheSameHoweverTheLogIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := script(t)
		whole := fold(t, log)
		pieces := session.New("tenant_acme", "ses_1")
		for at := 0; at < len(log); {
			from := rapid.IntRange(0, at).Draw(t, "again from")
			to := rapid.IntRange(at+1, len(log)).Draw(t, "to")
			require.NoError(t, pieces.ApplyAll(log[from:to]))
			at = to
		}
		if diff := cmp.Diff(whole, pieces, equal); diff != "" {
			t.Fatalf("state differs (-whole +pieces):\n%s", diff)
		}
	})
}

// What the fold says of a request follows from its events by plain counting.
func TestFoldAgreesWithCounting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := script(t)
		state := fold(t, log)
		attempts := map[events.RequestID]int{}
		intents, returned := map[events.RequestID]int{}, map[events.RequestID]int{}
		tokens := map[events.RequestID]int64{}
		ended := map[events.RequestID]bool{}
		for _, record := range log {
			switch event := record.Event.(type) {
			case *events.TurnStarted:
				attempts[record.Request] = event.Attempt
				if event.Kind == events.KindCall {
					intents[record.Request] = 1
				}
			case *events.ModelReplied:
				intents[record.Request] += len(event.ToolCalls)
				tokens[record.Request] += event.Usage.Total()
			case *events.ToolReturned:
				returned[record.Request]++
			case *events.TurnCompleted:
				ended[record.Request] = true
			}
		}
		for id, attempt := range attempts {
			turn, open := state.Turn(id)
			_, over := state.Ended(id)
			require.Equal(t, ended[id], over)
			require.Equal(t, !ended[id], open)
			if !open {
				continue
			}
			require.Equal(t, attempt, turn.Attempt)
			require.Equal(t, returned[id], turn.ToolCalls())
			require.Equal(t, tokens[id], turn.Usage.Total())
			require.Len(t, turn.Intents(), intents[id]-returned[id])
		}
		require.Equal(t, len(attempts)-len(ended), state.OpenTurns())
	})
}

func TestFoldRefusesALogWithAHole(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]events.Event{
		"reply without a start":   &events.ModelReplied{Iteration: 1},
		"outcome without a start": &events.ToolReturned{Iteration: 1, Status: events.ToolOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := session.New("tenant_acme", "ses_1")
			err := state.Apply(events.Record{Sequence: 7, Event: event, Envelope: events.Envelope{Request: "r1"}})
			require.ErrorIs(t, err, session.ErrGap)
			require.Zero(t, state.Last, "a fact that does not fit must not count as folded")
		})
	}
}

func TestFoldRefusesASkippedReply(t *testing.T) {
	t.Parallel()
	state := session.New("tenant_acme", "ses_1")
	require.NoError(t, state.Apply(events.Record{
		Sequence: 1, Event: &events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "w"},
		Envelope: events.Envelope{Request: "r1"},
	}))
	err := state.Apply(events.Record{Sequence: 2, Event: &events.ModelReplied{Iteration: 2}, Envelope: events.Envelope{Request: "r1"}})
	require.ErrorIs(t, err, session.ErrGap)
}

// A provider's event may come at any time: amid a turn, and when the session is
// closed. It moves the fence and nothing else.
func TestFoldTakesWebhooksAtAnyTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := script(t)
		last := log[len(log)-1].Sequence
		log = append(log, events.Record{Sequence: last + 10, Event: &events.SessionClosed{Reason: events.ClosedByCaller}})
		for i := range log {
			log[i].Sequence *= 2
		}
		webhook := events.Record{
			Sequence: log[rapid.IntRange(0, len(log)-1).Draw(t, "after")].Sequence + 1,
			Event:    &events.WebhookReceived{Connection: "con_1", Server: "asaas", Event: "evt_1"},
		}
		at := slices.IndexFunc(log, func(r events.Record) bool { return r.Sequence > webhook.Sequence })
		if at < 0 {
			at = len(log)
		}
		without, with := fold(t, log), fold(t, slices.Insert(slices.Clone(log), at, webhook))
		require.Equal(t, max(log[len(log)-1].Sequence, webhook.Sequence), with.Last)
		with.Last = without.Last
		if diff := cmp.Diff(without, with, equal); diff != "" {
			t.Fatalf("a webhook changed the state (-without +with):\n%s", diff)
		}
	})
}

func TestFoldPassesOverEventsOfALaterVersion(t *testing.T) {
	t.Parallel()
	state := session.New("tenant_acme", "ses_1")
	require.NoError(t, state.Apply(events.Record{Sequence: 9, Envelope: events.Envelope{Type: "feira.session.renamed.v1"}}))
	require.Equal(t, uint64(9), state.Last, "the fence must count an event that the reader does not know")
}

func TestFoldKeepsARefusedRequestThatNeverStarted(t *testing.T) {
	t.Parallel()
	state := session.New("tenant_acme", "ses_1")
	require.NoError(t, state.Apply(events.Record{
		Sequence: 1, Event: &events.TurnCompleted{Status: events.TurnRejected, Reason: events.ReasonInvalidRequest},
		Envelope: events.Envelope{Request: "r1"},
	}))
	status, ended := state.Ended("r1")
	require.True(t, ended)
	require.Equal(t, events.TurnRejected, status)
	require.Empty(t, state.History())
}

// The ids of events decide what the meter counts and what a worker finds
// again, so no two facts of a session may share one.
func TestEventIDsAreDistinct(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seen := map[string]bool{}
		for _, record := range script(t) {
			require.False(t, seen[record.ID], "id %s comes twice", record.ID)
			seen[record.ID] = true
		}
	})
}

// The count of a list's answers is that of the log, whatever else stands there.
func TestAnswersOfMocksAreCounted(t *testing.T) {
	t.Parallel()
	log := []events.Event{
		&events.SessionOpened{Servers: []string{"asaas"}, Environment: events.EnvironmentTest, Mocks: json.RawMessage(`{"asaas/get_payment":[{},{}]}`)},
		&events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "w1"},
		&events.ModelReplied{Iteration: 1, ToolCalls: make([]events.ToolCall, 5)},
		&events.ToolReturned{Iteration: 1, Index: 0, Status: events.ToolOK, Mock: &events.MockAnswer{Tool: "asaas/get_payment", Index: 1}},
		&events.ToolReturned{Iteration: 1, Index: 1, Status: events.ToolOK, Mock: &events.MockAnswer{Tool: "asaas/create_payment"}},
		&events.ToolReturned{Iteration: 1, Index: 2, Status: events.ToolOK, Mock: &events.MockAnswer{Tool: "asaas/get_payment", Index: 2}},
		&events.ToolReturned{Iteration: 1, Index: 3, Status: events.ToolError, Error: &events.ToolFault{Code: events.FaultMocksExhausted}, Mock: &events.MockAnswer{Tool: "asaas/get_payment"}},
		&events.ToolReturned{Iteration: 1, Index: 4, Status: events.ToolOK},
	}
	state := session.New("tenant_acme", "ses_1")
	counts := []int{}
	for n, event := range log {
		record := events.Record{Sequence: uint64(n + 1), Event: event, Envelope: events.Envelope{Request: "req_1", Type: event.EventType()}}
		require.NoError(t, state.Apply(record))
		require.NoError(t, state.Apply(record), "folded again, it counts no further")
		counts = append(counts, state.Answered("asaas/get_payment"))
	}
	require.Equal(t, []int{0, 0, 0, 1, 1, 2, 2, 2}, counts)
	require.Zero(t, state.Answered("asaas/create_payment"))
	require.Empty(t, cmp.Diff(`{"asaas/get_payment":[{},{}]}`, string(state.Mocks.Raw())))
}
