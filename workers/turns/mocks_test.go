package turns_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/turns"
)

const balance = "stripe__retrieve_balance"

// request publishes a request to a session of acme.
func (b *testBundle) request(t require.TestingT, id events.SessionID, request events.Request) events.Run {
	params := events.RequestParams{Tenant: acme, Session: id, Kind: events.KindTurn}
	if request.Tool != "" {
		params.Kind = events.KindCall
	}
	message, err := events.NewRequest(params, request)
	require.NoError(t, err)
	sequence, err := b.bus.Requests().Publish(context.Background(), message)
	require.NoError(t, err)
	message.Sequence = sequence
	head, err := events.ParseRequestHead(message, len(message.Data))
	require.NoError(t, err)
	return events.Run{Tenant: acme, Session: head.Session, Kind: head.Kind, Sequence: sequence}
}

// listOf is mocks of one tool whose list has so many answers, {"n":1} and so on.
func listOf(n int) json.RawMessage {
	answers := make([]string, n)
	for i := range answers {
		answers[i] = fmt.Sprintf(`{"n":%d}`, i+1)
	}
	return json.RawMessage(`{"stripe/retrieve_balance":[` + strings.Join(answers, ",") + `]}`)
}

// answers are what the session's calls were answered, in the order of the log.
func answers(t require.TestingT, records []events.Record) (given []string, exhausted int) {
	for _, record := range records {
		returned, ok := record.Event.(*events.ToolReturned)
		switch {
		case !ok:
		case returned.Status == events.ToolOK:
			require.Equal(t, returned.Output, fmt.Sprintf(`{"n":%d}`, returned.Mock.Index))
			given = append(given, returned.Output)
		default:
			require.Equal(t, events.FaultMocksExhausted, returned.Error.Code)
			exhausted++
		}
	}
	return given, exhausted
}

func inOrder(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = `{"n":` + strconv.Itoa(i+1) + `}`
	}
	return list
}

// Eight workers answer the parallel calls of one session, turns with several
// calls in a reply among them: each of a list's hundred answers is given once,
// in order, and the calls after that find it exhausted.
func TestAListIsGivenOnceAmongWorkers(t *testing.T) {
	t.Parallel()
	const size, workers = 100, 8
	b := setup(t)
	b.testMode = true
	b.model = func(_ context.Context, prompt agent.Prompt) (agent.Reply, error) {
		if prompt.Messages[len(prompt.Messages)-1].Role == agent.RoleTool {
			return agent.Reply{Text: "done"}, nil
		}
		calls := make([]events.ToolCall, 5)
		for i := range calls {
			calls[i] = events.ToolCall{ID: strconv.Itoa(i), Name: "stripe/retrieve_balance", Arguments: `{}`}
		}
		return agent.Reply{ToolCalls: calls}, nil
	}
	runs := make(chan events.Run, size)
	mocks := listOf(size)
	runs <- b.request(t, "ses_1", events.Request{Message: "hello", Mocks: mocks}) // 5 calls
	for range size - 5 {
		runs <- b.request(t, "ses_1", events.Request{Tool: balance, Mocks: mocks})
	}
	close(runs)
	var handling sync.WaitGroup
	for n := range workers {
		worker := b.worker(t, "w"+strconv.Itoa(n))
		handling.Go(func() {
			for run := range runs {
				if err := worker.Handle(t.Context(), run, 1); err != nil {
					t.Errorf("handling: %v", err)
				}
			}
		})
	}
	handling.Wait()
	first := b.request(t, "ses_1", events.Request{Tool: balance})
	require.NoError(t, b.worker(t, "last").Handle(t.Context(), first, 1))
	records := b.records(t, first)
	given, exhausted := answers(t, records)
	require.Equal(t, inOrder(size), given)
	require.Equal(t, 1, exhausted)
	end := records[len(records)-1].Event.(*events.TurnCompleted)
	require.Equal(t, events.TurnFailed, end.Status)
	require.Equal(t, events.FaultMocksExhausted, end.Reason)
	require.Equal(t, "mock store exhausted for tool stripe/retrieve_balance after 100 calls", end.Detail)
	require.Empty(t, b.sent, "nothing reaches a provider")
}

// Rival workers on the same runs, redelivered to all of them at once, over lines
// that lose questions and answers: however it goes, the answers in the log are
// those of the list in order, each call has one, and none is passed over.
func TestAListIsGivenOnceOnBadLines(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		rounds++
		id := events.SessionID("ses_" + strconv.Itoa(rounds))
		calls := rapid.IntRange(1, 5).Draw(rt, "calls")
		size := rapid.IntRange(1, 6).Draw(rt, "list")
		mocks := listOf(size)
		runs := make([]events.Run, calls)
		for i := range runs {
			runs[i] = b.request(rt, id, events.Request{Tool: balance, Mocks: mocks})
		}
		losses := rapid.SliceOfN(rapid.SampledFrom([]loss{loseNothing, loseNothing, loseQuestion, loseAnswer}), 12, 12).Draw(rt, "losses")
		var mu sync.Mutex
		next := func() loss {
			mu.Lock()
			defer mu.Unlock()
			if len(losses) == 0 {
				return loseNothing
			}
			defer func() { losses = losses[1:] }()
			return losses[0]
		}
		written, sent := map[uint64]string{}, 0
		worker := func(name string) *turns.Worker {
			alone := &testBundle{
				bus: b.bus, model: b.model, tenants: b.tenants, testMode: true,
				log: &badLine{Log: b.bus.Log(), author: name, lose: next, mu: &mu, written: written},
				call: func(context.Context, agent.Call) agent.Result {
					mu.Lock()
					defer mu.Unlock()
					sent++
					return agent.Result{Status: events.ToolOK}
				},
			}
			return alone.worker(rt, name)
		}
		var handling sync.WaitGroup
		for rival := range rapid.IntRange(1, 3).Draw(rt, "rivals") {
			w := worker("w" + strconv.Itoa(rival))
			for _, run := range runs {
				handling.Go(func() { _ = w.Handle(t.Context(), run, 2) }) // what a rival does not end, the last one does
			}
		}
		handling.Wait()
		last := worker("last")
		for _, run := range runs {
			require.NoError(rt, last.Handle(t.Context(), run, 3))
		}
		records := b.records(rt, runs[0])
		given, exhausted := answers(rt, records)
		require.Equal(rt, inOrder(min(calls, size)), given)
		require.Equal(rt, max(calls-size, 0), exhausted)
		require.Zero(rt, sent)
		ended := slices.DeleteFunc(records, func(r events.Record) bool { return r.Type != events.TypeTurnCompleted })
		require.Len(rt, ended, calls)
	})
}

// A worker that dies between two answers of a reply leaves the rest of the list
// to the one that takes over.
func TestAListGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.testMode = true
	wanted := b.request(t, "ses_1", events.Request{Message: "hello", Mocks: listOf(3)})
	records := []events.Event{
		&events.SessionOpened{Servers: []string{"stripe"}, Environment: events.EnvironmentTest, Mocks: listOf(3)},
		&events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "dead", Message: "hello", RequestSequence: wanted.Sequence},
		&events.ModelReplied{Iteration: 1, ToolCalls: []events.ToolCall{
			{ID: "a", Name: balance, Arguments: `{}`}, {ID: "b", Name: balance, Arguments: `{}`}, {ID: "c", Name: balance, Arguments: `{}`},
		}},
		&events.ToolReturned{Iteration: 1, Index: 0, Status: events.ToolOK, Output: `{"n":1}`, Mock: &events.MockAnswer{Tool: "stripe/retrieve_balance", Index: 1}},
	}
	last := uint64(0)
	for _, event := range records {
		id := events.DerivedRequest(wanted.Sequence)
		sequence, err := b.bus.Log().Append(t.Context(), session.Entry{Last: last, Event: event, Envelope: events.Envelope{
			ID: session.EventID(id, event), Source: events.SessionSource(acme, "ses_1"), Tenant: acme, Session: "ses_1", Request: id, Time: time.Now(),
		}})
		require.NoError(t, err)
		last = sequence
	}
	b.testMode = false // the flag was turned off meanwhile: what was begun goes on as it was
	require.NoError(t, b.worker(t, "w1").Handle(t.Context(), wanted, 2))
	given, exhausted := answers(t, b.records(t, wanted))
	require.Equal(t, inOrder(3), given)
	require.Zero(t, exhausted)
	require.Empty(t, b.sent)
	require.Equal(t, []string{"opened", "started 1", "model", "tool ok", "started 2", "tool ok", "tool ok", "model", "completed"}, b.story(t, wanted))
}

// What is not admitted is refused with the code and the place of the fault, by
// an ending and a dead letter, and the session is not opened.
func TestMocksAreRefusedAloud(t *testing.T) {
	t.Parallel()
	large := func(key string) json.RawMessage {
		return json.RawMessage(`{"` + key + `":{"x":"` + strings.Repeat("x", events.MaxMocksBytes) + `"}}`)
	}
	for name, test := range map[string]struct {
		off            bool
		environment    events.Environment
		mocks          json.RawMessage
		reason, detail string
	}{
		"flag off":        {true, events.EnvironmentTest, json.RawMessage(`{}`), "mocks_not_permitted", "mocks are not permitted in this deployment; set FEIRA_TEST_MODE=true to enable them"},
		"flag before all": {true, events.EnvironmentLive, large("BAD"), "mocks_not_permitted", "mocks are not permitted in this deployment; set FEIRA_TEST_MODE=true to enable them"},
		"live":            {false, events.EnvironmentLive, json.RawMessage(`{}`), "mocks_not_permitted", "mocks are not permitted in environment live; test mode is for environment test"},
		"size":            {false, events.EnvironmentTest, large("BAD"), "mocks_payload_too_large", "mocks has 65552 bytes of JSON, at most 65536 are allowed"},
		"shape":           {false, events.EnvironmentTest, json.RawMessage(`{"asaas/create_payment":["sk_live_x"]}`), "mocks_invalid", "/mocks/asaas~1create_payment/0: the entry of the list is no JSON object"},
		"null":            {false, events.EnvironmentTest, json.RawMessage(`null`), "mocks_invalid", "/mocks: mocks is no JSON object"},
		"a long key":      {false, events.EnvironmentTest, json.RawMessage(`{"` + strings.Repeat("K", 5000) + `":{}}`), "mocks_invalid", "/mocks/" + strings.Repeat("K", 1024-len("/mocks/")) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.testMode = !test.off
			b.tenants[acme] = tenant.Tenant{ID: acme, Servers: []string{"stripe"}, Environment: test.environment}.WithDefaults()
			run := b.request(t, "ses_1", events.Request{Message: "hello", Mocks: test.mocks})
			require.NoError(t, b.worker(t, "w1").Handle(t.Context(), run, 1))
			records := b.records(t, run)
			require.Len(t, records, 1)
			end := records[0].Event.(*events.TurnCompleted)
			require.Equal(t, events.TurnRejected, end.Status)
			require.Equal(t, test.reason, end.Reason)
			require.Equal(t, test.detail, end.Detail)
			letters, err := b.bus.Dead().List(t.Context(), acme)
			require.NoError(t, err)
			require.Len(t, letters, 1)
			require.Equal(t, test.reason, letters[0].Event.(*events.LetterDied).Reason)
		})
	}
}

// A session's mocks stand from its opening on: a request with none, or the same,
// is served, one with others is refused and takes nothing from the list.
func TestMocksOfAnOpenSessionStand(t *testing.T) {
	t.Parallel()
	first := json.RawMessage(`{"stripe/retrieve_balance":[{"n":1},{"n":2}]}`)
	for name, test := range map[string]struct {
		opened, later json.RawMessage
		refused       bool
	}{
		"none":               {first, nil, false},
		"the same":           {first, first, false},
		"the same, blanks":   {first, json.RawMessage(` { "stripe/retrieve_balance": [ {"n": 1}, {"n": 2} ] }`), false},
		"others":             {first, json.RawMessage(`{"stripe/retrieve_balance":[{"n":1}]}`), true},
		"empty":              {first, json.RawMessage(`{}`), true},
		"where none were":    {nil, first, true},
		"empty where none":   {nil, json.RawMessage(`{}`), true},
		"unfit where others": {first, json.RawMessage(`{"BAD":1}`), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.testMode = true
			worker := b.worker(t, "w1")
			require.NoError(t, worker.Handle(t.Context(), b.request(t, "ses_1", events.Request{Tool: balance, Mocks: test.opened}), 1))
			run := b.request(t, "ses_1", events.Request{Tool: balance, Mocks: test.later})
			require.NoError(t, worker.Handle(t.Context(), run, 1))
			records := b.records(t, run)
			end := records[len(records)-1].Event.(*events.TurnCompleted)
			if !test.refused {
				require.Equal(t, events.TurnCompletedOK, end.Status)
				given, _ := answers(t, records)
				require.Equal(t, inOrder(2), given)
				return
			}
			require.Equal(t, events.TurnRejected, end.Status)
			require.Equal(t, "mocks_invalid", end.Reason)
			require.Contains(t, end.Detail, "/mocks")
			if test.opened != nil {
				run = b.request(t, "ses_1", events.Request{Tool: balance})
				require.NoError(t, worker.Handle(t.Context(), run, 1))
				given, _ := answers(t, b.records(t, run))
				require.Equal(t, inOrder(2), given, "what was refused took nothing")
			}
			require.Empty(t, b.sent)
		})
	}
}

// Of two requests that open a session at one time with different mocks, one is
// served and the other is refused.
func TestOneOfTwoOpensTheSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.testMode = true
	for round := range 20 {
		id := events.SessionID("ses_" + strconv.Itoa(round))
		runs := []events.Run{
			b.request(t, id, events.Request{Tool: balance, Mocks: listOf(1)}),
			b.request(t, id, events.Request{Tool: balance, Mocks: listOf(2)}),
		}
		var handling sync.WaitGroup
		for n, run := range runs {
			worker := b.worker(t, "w"+strconv.Itoa(n))
			handling.Go(func() {
				if err := worker.Handle(t.Context(), run, 1); err != nil {
					t.Errorf("handling: %v", err)
				}
			})
		}
		handling.Wait()
		endings := map[events.TurnStatus]int{}
		for _, record := range b.records(t, runs[0]) {
			if end, ok := record.Event.(*events.TurnCompleted); ok {
				endings[end.Status]++
			}
		}
		require.Equal(t, map[events.TurnStatus]int{events.TurnCompletedOK: 1, events.TurnRejected: 1}, endings)
	}
	require.Empty(t, b.sent)
}
