package turns_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/outcome"
)

func TestRequestBecomesAFinishedTurn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	require.NoError(t, b.worker(t, "w1").Handle(t.Context(), run, 1))
	require.Equal(t, []string{"opened", "started 1", "model", "completed"}, b.story(t, run))
	for _, record := range b.records(t, run) {
		require.Equal(t, acme, record.Tenant)
		require.Equal(t, events.SessionSource(acme, "ses_1"), record.Source)
	}
	opened := b.records(t, run)[0].Event.(*events.SessionOpened)
	require.Equal(t, "tenant_acme", opened.Metadata["tenant_id"], "usage is grouped by it")
}

func TestRequestWithoutASessionOpensADerivedOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "", "", "hello")
	require.Equal(t, events.DerivedSession(acme, run.Sequence), run.Session)
	require.NoError(t, b.worker(t, "w1").Handle(t.Context(), run, 1))
	require.Equal(t, []string{"opened", "started 1", "model", "completed"}, b.story(t, run))
}

func TestUnfitRequestsAreRefusedAloud(t *testing.T) {
	t.Parallel()
	hello := []byte(`{"message":"hello"}`)
	for name, test := range map[string]struct {
		tenant events.TenantID
		header events.Header
		data   []byte
		reason string
		detail string
	}{
		"malformed JSON":       {acme, nil, []byte(`{"message":`), events.ReasonInvalidRequest, "body"},
		"empty body":           {acme, nil, nil, events.ReasonInvalidRequest, "body"},
		"no message":           {acme, nil, []byte(`{}`), events.ReasonInvalidRequest, "message"},
		"illegal session":      {acme, events.Header{events.HeaderSession: {"no spaces"}}, hello, events.ReasonInvalidRequest, events.HeaderSession},
		"illegal request id":   {acme, events.Header{events.HeaderID: {"a/b"}}, hello, events.ReasonInvalidRequest, events.HeaderID},
		"illegal kind":         {acme, events.Header{events.HeaderKind: {"dance"}}, hello, events.ReasonInvalidRequest, events.HeaderKind},
		"illegal priority":     {acme, events.Header{events.HeaderPriority: {"vip"}}, hello, events.ReasonInvalidRequest, events.HeaderPriority},
		"illegal expiry":       {acme, events.Header{events.HeaderExpires: {"never"}}, hello, events.ReasonInvalidRequest, events.HeaderExpires},
		"illegal not-before":   {acme, events.Header{events.HeaderNotBefore: {"tomorrow"}}, hello, events.ReasonInvalidRequest, events.HeaderNotBefore},
		"call without a tool":  {acme, events.Header{events.HeaderKind: {"call"}}, []byte(`{}`), events.ReasonInvalidRequest, "tool"},
		"tenant that is not":   {"tenant_ghost", nil, hello, events.ReasonUnknownTenant, "tenant_ghost"},
		"tenant of no form":    {"te$nant", nil, hello, events.ReasonInvalidRequest, "subject"},
		"body above the limit": {acme, nil, []byte(`{"message":"` + strings.Repeat("x", events.MaxRequestBytes) + `"}`), events.ReasonTooLarge, "196608"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			worker := b.worker(t, "w1")
			run := b.publish(t, events.RequestsSubject(test.tenant), test.header, test.data)
			require.NoError(t, worker.Handle(t.Context(), run, 1))
			require.Equal(t, []string{"rejected" + test.reason}, b.story(t, run), "the session's feed tells the caller")
			letters, err := b.bus.Dead().List(t.Context(), run.Tenant)
			require.NoError(t, err)
			require.Len(t, letters, 1)
			letter := letters[0].Event.(*events.LetterDied)
			require.Equal(t, test.reason, letter.Reason)
			require.Contains(t, letter.Detail, test.detail, "the detail names what is at fault")
			require.Equal(t, len(test.data), letter.Size)
			b.requireServes(t, worker)
		})
	}
}

func TestBodyAtTheLimitIsServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	frame := len(`{"message":""}`)
	run := b.publish(t, events.RequestsSubject(acme), nil, []byte(`{"message":"`+strings.Repeat("x", events.MaxRequestBytes-frame)+`"}`))
	require.NoError(t, b.worker(t, "w1").Handle(t.Context(), run, 1))
	story := b.story(t, run)
	require.Equal(t, "completed", story[len(story)-1])
}

func TestBodyOfTwoMebibytesIsRefusedByTheBroker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.bus.Requests().Publish(t.Context(), events.Message{
		Subject: events.RequestsSubject(acme), Data: []byte(`{"message":"` + strings.Repeat("x", 2<<20) + `"}`),
	})
	require.ErrorIs(t, err, events.ErrTooLarge)
	b.requireServes(t, b.worker(t, "w1"))
}

func TestRequestIdIsServedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	worker := b.worker(t, "w1")
	first, again := b.ask(t, "ses_1", "req_1", "hello"), b.ask(t, "ses_1", "req_1", "hello")
	elsewhere := b.ask(t, "ses_2", "req_1", "hello")
	require.NoError(t, worker.Handle(t.Context(), first, 1))
	require.NoError(t, worker.Handle(t.Context(), again, 1))
	require.NoError(t, worker.Handle(t.Context(), elsewhere, 1))
	require.Equal(t, []string{"opened", "started 1", "model", "completed"}, b.story(t, first))
	require.Equal(t, []string{"opened", "started 1", "model", "completed"}, b.story(t, elsewhere), "another session's request may have the same id")
}

func TestClosedSessionRejects(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	b.write(t, 0, &events.SessionClosed{Reason: "asked"})
	require.NoError(t, b.worker(t, "w1").Handle(t.Context(), run, 1))
	require.Equal(t, []string{"rejected" + events.ReasonSessionClosed}, b.story(t, run))
}

// A worker that comes back after another has taken its run over must write
// nothing more, and leave the request to its new owner.
func TestStaleWorkerIsFenced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	quick := b.model
	asked, answer := b.holdModel()
	slow, first := b.worker(t, "w1"), make(chan error, 1)
	go func() { first <- slow.Handle(t.Context(), run, 1) }()
	<-asked
	b.model = quick
	require.NoError(t, b.worker(t, "w2").Handle(t.Context(), run, 2))
	close(answer)
	err := <-first
	require.ErrorIs(t, err, outcome.ErrFenced)
	require.Equal(t, outcome.ActionAbandon, outcome.Of(t.Context(), err).Action)
	require.Equal(t, []string{"opened", "started 1", "started 2", "model", "completed"}, b.story(t, run))
}

// A request that expired while it waited ends without running; one that has
// started goes on.
func TestExpiredRequestIsNotStarted(t *testing.T) {
	t.Parallel()
	hello := []byte(`{"message":"hello"}`)
	for name, test := range map[string]struct {
		expires time.Time
		started bool
		want    []string
	}{
		"expired":            {time.Now().Add(-time.Second), false, []string{"expired" + events.ReasonExpired}},
		"not yet":            {time.Now().Add(time.Hour), false, []string{"opened", "started 1", "model", "completed"}},
		"expired when begun": {time.Now().Add(-time.Second), true, []string{"opened", "started 1", "started 2", "model", "completed"}},
		"without an expiry":  {time.Time{}, false, []string{"opened", "started 1", "model", "completed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			header := events.Header{events.HeaderSession: {"ses_1"}, events.HeaderID: {"req_1"}}
			if !test.expires.IsZero() {
				header.Set(events.HeaderExpires, test.expires.Format(time.RFC3339Nano))
			}
			run := b.publish(t, events.RequestsSubject(acme), header, hello)
			if test.started {
				opened := &events.SessionOpened{Servers: []string{"stripe"}, Environment: events.EnvironmentTest}
				last := b.write(t, 0, opened)
				b.write(t, last, &events.TurnStarted{RequestSequence: run.Sequence, Kind: events.KindTurn, Attempt: 1, Worker: "gone", Message: "hello"})
			}
			require.NoError(t, b.worker(t, "w1").Handle(t.Context(), run, 1))
			require.Equal(t, test.want, b.story(t, run))
			letters, err := b.bus.Dead().List(t.Context(), acme)
			require.NoError(t, err)
			require.Empty(t, letters, "nothing was wrong with it")
		})
	}
}

// Whoever has the right to may end a request in the log: the worker that runs
// it writes nothing more and leaves no run behind.
func TestRunOfARequestThatWasEndedIsDone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	asked, answer := b.holdModel()
	worker, handled := b.worker(t, "w1"), make(chan error, 1)
	go func() { handled <- worker.Handle(t.Context(), run, 1) }()
	<-asked
	records := b.records(t, run)
	cancelled := &events.TurnCompleted{Status: events.TurnCancelled, Reason: "asked"}
	b.write(t, records[len(records)-1].Sequence, cancelled)
	close(answer)
	require.NoError(t, <-handled)
	require.Equal(t, []string{"opened", "started 1", "cancelledasked"}, b.story(t, run))
}

// Calls take no session turn: one goes through while a turn of the same
// session is held up, and both write into one log.
func TestCallRunsBesideATurn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	turn := b.ask(t, "ses_1", "req_1", "hello")
	call := b.publish(t, events.RequestsSubject(acme),
		events.Header{events.HeaderSession: {"ses_1"}, events.HeaderKind: {"call"}, events.HeaderID: {"req_2"}}, []byte(`{"tool":"stripe__retrieve_balance"}`))
	asked, answer := b.holdModel()
	worker, first := b.worker(t, "w1"), make(chan error, 1)
	go func() { first <- worker.Handle(t.Context(), turn, 1) }()
	<-asked
	require.NoError(t, worker.Handle(t.Context(), call, 1))
	close(answer)
	require.NoError(t, <-first)
	require.Equal(t, []string{"opened", "started 1", "started 1", "tool ok", "completed", "model", "completed"}, b.story(t, turn))
}

func TestStoppedRunGoesOnElsewhereFromItsLastFact(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	ctx, stop := context.WithCancelCause(t.Context())
	replies := 0
	b.model = func(context.Context, agent.Prompt) (agent.Reply, error) {
		replies++
		if replies > 1 {
			return agent.Reply{Text: "done"}, nil
		}
		return agent.Reply{ToolCalls: []events.ToolCall{{ID: "a", Name: "stripe__create_refund", Arguments: `{}`}}}, nil
	}
	b.call = func(context.Context, agent.Call) agent.Result {
		stop(outcome.ErrStopping)
		return agent.Result{Status: events.ToolOK, Output: `{}`, Attempts: 1}
	}
	err := b.worker(t, "w1").Handle(ctx, run, 1)
	require.Equal(t, outcome.ActionRelease, outcome.Of(ctx, err).Action)
	require.NoError(t, b.worker(t, "w2").Handle(t.Context(), run, 1))
	require.Equal(t, []string{"opened", "started 1", "model", "tool ok", "started 2", "model", "completed"}, b.story(t, run))
	require.Len(t, b.sent, 1, "the refund must not be made twice")
}

func TestRunHandedOutTooOftenIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, deliveries := range map[string]int{"at the limit": events.MaxRunDeliveries, "above": events.MaxRunDeliveries + 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			worker := b.worker(t, "w1")
			run := b.ask(t, "ses_1", "req_1", "hello")
			require.NoError(t, worker.Handle(t.Context(), run, deliveries))
			letters, err := b.bus.Dead().List(t.Context(), acme)
			require.NoError(t, err)
			if deliveries == events.MaxRunDeliveries {
				require.Equal(t, []string{"opened", "started 1", "model", "completed"}, b.story(t, run))
				require.Empty(t, letters)
				return
			}
			require.Equal(t, []string{"failed" + events.ReasonTooManyDeliveries}, b.story(t, run))
			require.Len(t, letters, 1)
			b.requireServes(t, worker)
		})
	}
}

func TestRequestThatIsGoneIsDone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := b.ask(t, "ses_1", "req_1", "hello")
	require.NoError(t, b.bus.Requests().Remove(t.Context(), run.Sequence))
	require.NoError(t, b.worker(t, "w1").Handle(t.Context(), run, 1))
	require.Empty(t, b.story(t, run))
}
