package turns_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/workers/turns"
)

func (b *testBundle) ender(t require.TestingT) *turns.Ender {
	ender, err := turns.NewEnder(turns.EnderConfig{
		Requests: b.bus.Requests(), Log: b.log, Cemetery: b.bus.Dead(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return ender
}

func (b *testBundle) canceller(t require.TestingT, commands turns.Commands) *turns.Canceller {
	canceller, err := turns.NewCanceller(turns.CancellerConfig{Ender: b.ender(t), Commands: commands, Repeat: 50 * time.Millisecond})
	require.NoError(t, err)
	return canceller
}

// listen lets a worker hear the orders of the bus.
func (b *testBundle) listen(t *testing.T, worker *turns.Worker) {
	t.Helper()
	part := turns.NewListener(turns.ListenerConfig{Orders: b.bus.Hints(), Obey: worker.Obey, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, part.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { require.NoError(t, part.Stop(context.WithoutCancel(t.Context()))) })
}

func headOf(run events.Run, id events.RequestID) events.RequestHead {
	return events.RequestHead{Tenant: run.Tenant, Session: run.Session, ID: id, Sequence: run.Sequence, Kind: run.Kind}
}

// silent gives no orders: all are lost.
type silent struct{}

func (silent) Control(events.TenantID, events.SessionID, events.Control) error { return nil }

func TestARequestThatWaitsIsCancelledWithoutAWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	orders := make(chan events.Control, 1)
	require.NoError(t, b.bus.Hints().WatchControl(t.Context(), func(_ events.TenantID, _ events.SessionID, order events.Control) { orders <- order }))
	status, err := b.canceller(t, b.bus.Hints()).Cancel(t.Context(), headOf(run, "req_1"), "called off")
	require.NoError(t, err)
	require.Equal(t, events.TurnCancelled, status)
	require.Equal(t, []string{"cancelled" + events.ReasonCancelled}, b.story(t, run))
	end := b.records(t, run)[0].Event.(*events.TurnCompleted)
	require.Equal(t, "called off", end.Detail)
	require.Equal(t, run.Sequence, end.RequestSequence)
	b.requireGone(t, run)
	require.Equal(t, events.Control{Action: events.ActionCancel, Request: "req_1", Sequence: run.Sequence, Reason: "called off"}, <-orders)

	worker := b.worker(t, "w1")
	require.NoError(t, worker.Handle(t.Context(), run, 1), "a grant that was under way finds it gone")
	require.Len(t, b.records(t, run), 1)
	b.requireServes(t, worker)
}

// A turn whose model is being asked ends as cancelled, and its session goes on.
func TestATurnIsCancelledWhileItsModelIsAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run, next := b.ask(t, "ses_1", "req_1", "hello"), b.ask(t, "ses_1", "req_2", "and now?")
	asked, quick := make(chan struct{}, 8), b.model
	b.model = func(ctx context.Context, _ agent.Prompt) (agent.Reply, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return agent.Reply{}, ctx.Err()
	}
	worker, handled := b.worker(t, "w1"), make(chan error, 1)
	b.listen(t, worker)
	go func() { handled <- worker.Handle(t.Context(), run, 1) }()
	<-asked
	status, err := b.canceller(t, b.bus.Hints()).Cancel(t.Context(), headOf(run, "req_1"), "")
	require.NoError(t, err)
	require.Equal(t, events.TurnCancelled, status)
	require.NoError(t, <-handled, "the run is over: it is neither retried nor given back")
	b.model = quick
	require.NoError(t, worker.Handle(t.Context(), next, 1))
	require.Equal(t, []string{"opened", "started 1", "cancelled" + events.ReasonCancelled, "started 1", "model", "completed"}, b.story(t, run))
	require.Empty(t, asked)
}

// What was sent to a provider is written down before the turn ends, what was
// not sent is sent no more.
func TestOutcomesInFlightOutliveACancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	const calls = 20
	b.model = func(context.Context, agent.Prompt) (agent.Reply, error) {
		reply := agent.Reply{Usage: events.TokenUsage{InputTokens: 4, OutputTokens: 2}}
		for n := range calls {
			reply.ToolCalls = append(reply.ToolCalls, events.ToolCall{ID: strconv.Itoa(n), Name: "stripe__create_refund", Arguments: `{}`})
		}
		return reply, nil
	}
	sent, answer := make(chan struct{}, calls), make(chan struct{})
	b.call = func(context.Context, agent.Call) agent.Result {
		sent <- struct{}{}
		<-answer
		return agent.Result{Status: events.ToolOK, Output: `{}`, Attempts: 1}
	}
	worker, handled := b.worker(t, "w1"), make(chan error, 1)
	go func() { handled <- worker.Handle(t.Context(), run, 1) }()
	<-sent
	require.Zero(t, worker.Obey(acme, "ses_1", events.Control{Action: events.ActionCancel, Request: "req_2"}), "another's")
	require.Zero(t, worker.Obey(acme, "ses_1", events.Control{Action: "dance"}), "not known")
	require.Equal(t, 1, worker.Obey(acme, "ses_1", events.Control{Action: events.ActionCancel, Reason: "fraud"}), "whatever runs in the session")
	close(answer)
	require.NoError(t, <-handled)
	require.Zero(t, worker.Obey(acme, "ses_1", events.Control{Action: events.ActionCancel}), "nothing runs any more")

	returned := 0
	records := b.records(t, run)
	for _, record := range records {
		if outcome, ok := record.Event.(*events.ToolReturned); ok {
			require.Equal(t, events.ToolOK, outcome.Status)
			returned++
		}
	}
	end := records[len(records)-1].Event.(*events.TurnCompleted)
	require.Equal(t, len(b.sent), returned, "each call that was sent has its outcome")
	require.Less(t, returned, calls, "the rest were not sent")
	require.Equal(t, events.TurnCancelled, end.Status)
	require.Equal(t, "fraud", end.Detail)
	require.Equal(t, returned, end.ToolCalls)
	require.Equal(t, int64(6), end.Usage.Total(), "what was bought is told")
}

// With its worker gone, the turn is ended by the next one, which hears the
// order that is given again; until there is one, the canceller says so.
func TestACancelReachesTheWorkerThatTakesOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	asked := make(chan struct{}, 1)
	b.model = func(ctx context.Context, _ agent.Prompt) (agent.Reply, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return agent.Reply{}, ctx.Err()
	}
	dying, die := context.WithCancelCause(t.Context())
	handled := make(chan error, 1)
	first := b.worker(t, "w1")
	go func() { handled <- first.Handle(dying, run, 1) }()
	<-asked
	die(outcome.ErrLeaseLost)
	require.Error(t, <-handled)

	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := b.canceller(t, b.bus.Hints()).Cancel(short, headOf(run, "req_1"), "")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "only the worker that runs it can end it")

	ended, canceller := make(chan events.TurnStatus, 1), b.canceller(t, b.bus.Hints())
	go func() {
		status, _ := canceller.Cancel(t.Context(), headOf(run, "req_1"), "")
		ended <- status
	}()
	next := b.worker(t, "w2")
	b.listen(t, next)
	require.NoError(t, next.Handle(t.Context(), run, 2))
	require.Equal(t, events.TurnCancelled, <-ended)
	require.Equal(t, []string{"opened", "started 1", "started 2", "cancelled" + events.ReasonCancelled}, b.story(t, run))
}

// A stop is no cancel: the run is given back, also when an order follows.
func TestAStopThatCameFirstReleasesTheRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	asked, worker, handled := make(chan struct{}), b.worker(t, "w1"), make(chan error, 1)
	ctx, stop := context.WithCancelCause(t.Context())
	b.model = func(ctx context.Context, _ agent.Prompt) (agent.Reply, error) {
		close(asked)
		<-ctx.Done()
		worker.Obey(acme, "ses_1", events.Control{Action: events.ActionCancel})
		return agent.Reply{}, ctx.Err()
	}
	go func() { handled <- worker.Handle(ctx, run, 1) }()
	<-asked
	stop(outcome.ErrStopping)
	err := <-handled
	require.Equal(t, outcome.ActionRelease, outcome.Of(ctx, err).Action)
	require.Equal(t, []string{"opened", "started 1"}, b.story(t, run))
}

// A worker that starts the request and a canceller, over lines that lose
// questions and answers: there is one ending, nothing follows it, and the
// canceller tells the truth.
func TestCancelAndStartAtOneMoment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rounds := 0
	var cancelled, completed atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		rounds++
		run := b.ask(t, events.SessionID("ses_"+strconv.Itoa(rounds)), "req_1", "hello")
		losses := rapid.SliceOfN(rapid.SampledFrom([]loss{loseNothing, loseNothing, loseQuestion, loseAnswer}), 4, 4).Draw(rt, "losses")
		wait := time.Duration(rapid.IntRange(0, 2000).Draw(rt, "µs")) * time.Microsecond
		var mu sync.Mutex
		drawn := 0
		next := func() loss {
			mu.Lock()
			defer mu.Unlock()
			drawn++
			if drawn > len(losses) {
				return loseNothing
			}
			return losses[drawn-1]
		}
		line := &badLine{Log: b.bus.Log(), lose: next, mu: &mu, written: map[uint64]string{}}
		mine := &testBundle{bus: b.bus, model: b.model, tenants: b.tenants, log: line}
		worker := mine.worker(rt, "w1")
		canceller := mine.canceller(rt, obeyed{worker})
		var both sync.WaitGroup
		both.Go(func() {
			if err := worker.Handle(t.Context(), run, 1); err != nil {
				rt.Errorf("the worker failed: %v", err)
			}
		})
		var status events.TurnStatus
		both.Go(func() {
			timer := time.NewTimer(wait)
			<-timer.C
			var err error
			if status, err = canceller.Cancel(t.Context(), headOf(run, "req_1"), ""); err != nil {
				rt.Errorf("the canceller failed: %v", err)
			}
		})
		both.Wait()
		requireOneEnding(rt, b.records(rt, run), status)
		_, found, err := b.bus.Requests().Read(t.Context(), run.Sequence)
		require.NoError(rt, err)
		require.False(rt, found)
		if status == events.TurnCancelled {
			cancelled.Add(1)
		} else {
			completed.Add(1)
		}
	})
	t.Logf("%d cancelled, %d completed before", cancelled.Load(), completed.Load())
}

// obeyed are orders that reach the worker.
type obeyed struct{ worker *turns.Worker }

func (o obeyed) Control(tenant events.TenantID, id events.SessionID, order events.Control) error {
	o.worker.Obey(tenant, id, order)
	return nil
}

func requireOneEnding(t require.TestingT, records []events.Record, told events.TurnStatus) {
	require.NotEmpty(t, records)
	var ending *events.TurnCompleted
	for _, record := range records {
		require.Nil(t, ending, "%s follows the ending", record.ID)
		ending, _ = record.Event.(*events.TurnCompleted)
	}
	require.NotNil(t, ending, "the last fact is the ending")
	require.Equal(t, ending.Status, told)
}

func TestEnderTellsWhatItFinds(t *testing.T) {
	t.Parallel()
	expired := events.TurnCompleted{Status: events.TurnExpired, Reason: events.ReasonExpired, Detail: "too late"}
	full := events.TurnCompleted{Status: events.TurnRejected, Reason: events.ReasonBacklogFull, Detail: "too many"}
	opened := &events.SessionOpened{Servers: []string{"stripe"}, Environment: events.EnvironmentTest}
	for name, test := range map[string]struct {
		end     events.TurnCompleted
		before  []events.Event
		want    events.TurnStatus
		story   []string
		letters int
		kept    bool // the request is left to its worker
	}{
		"nothing yet":    {expired, nil, events.TurnExpired, []string{"expired" + events.ReasonExpired}, 0, false},
		"rejected":       {full, nil, events.TurnRejected, []string{"rejected" + events.ReasonBacklogFull}, 1, false},
		"ended":          {full, []events.Event{&events.TurnCompleted{Status: events.TurnCompletedOK}}, events.TurnCompletedOK, []string{"completed"}, 0, false},
		"log unreadable": {expired, []events.Event{&events.ModelReplied{Iteration: 1, Model: "m"}}, "", []string{"model"}, 1, false},
		"started": {
			full,
			[]events.Event{opened, &events.TurnStarted{RequestSequence: 1, Kind: events.KindTurn, Attempt: 1, Worker: "w", Message: "hello"}},
			"",
			[]string{"opened", "started 1"},
			0, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			run, last := b.ask(t, "ses_1", "req_1", "hello"), uint64(0)
			for _, event := range test.before {
				last = b.write(t, last, event)
			}
			status, err := b.ender(t).End(t.Context(), run.Sequence, test.end)
			require.Equal(t, test.kept, errors.Is(err, session.ErrStarted), "%v", err)
			require.Equal(t, test.want, status)
			require.Equal(t, test.story, b.story(t, run))
			letters, err := b.bus.Dead().List(t.Context(), acme)
			require.NoError(t, err)
			require.Len(t, letters, test.letters)
			if test.kept {
				return
			}
			b.requireGone(t, run)
			status, err = b.ender(t).End(t.Context(), run.Sequence, test.end)
			require.NoError(t, err, "again is no fault")
			require.Empty(t, status)
		})
	}
}

func TestAnOrdersReasonIsMadeFit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for reason, want := range map[string]string{
		"":              "its end was ordered",
		"bad \xff text": "bad \uFFFD text",
	} {
		run := b.ask(t, "", "", "hello")
		_, err := b.canceller(t, silent{}).Cancel(t.Context(), headOf(run, events.DerivedRequest(run.Sequence)), reason)
		require.NoError(t, err)
		require.Equal(t, want, b.records(t, run)[0].Event.(*events.TurnCompleted).Detail)
	}
}
