package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

func told(leader string) events.QueueTold {
	return events.QueueTold{
		Leader: leader, Time: time.Unix(1_700_000_000, 0).UTC(), Queued: 3, Slots: 8,
		Tenants: []events.QueueTenant{{Tenant: acme, Queued: 3, Waits: "slots", Limits: events.QueueLimits{Concurrency: 4, Weight: 1}}},
	}
}

func TestQueueQuestionsAreAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	questions := make(chan events.QueueAsked, 4)
	require.NoError(t, b.bus.Asks().WatchQueue(t.Context(), func(asked events.QueueAsked, answer func(events.QueueTold)) {
		questions <- asked
		answer(told("sch_1"))
	}))
	got, err := b.bus.Asks().Queue(t.Context(), events.QueueAsked{Tenant: acme, Limit: 7})
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(told("sch_1"), got))
	require.Equal(t, events.QueueAsked{Tenant: acme, Limit: 7}, receive(t, questions, "the question"))

	// Any client may ask, without a body too, and hears what is wrong.
	for body, want := range map[string]string{
		"": "", `{"limit":501}`: "limit is 501", `{"tenant":"a.b"}`: "tenant", "{": "invalid question",
	} {
		msg, err := b.nc.RequestWithContext(within(t), events.SubjectAskQueue, []byte(body))
		require.NoError(t, err)
		if want == "" {
			require.Equal(t, events.QueueAsked{}, receive(t, questions, "the question"))
			require.NotContains(t, string(msg.Data), "fault")
			continue
		}
		require.Contains(t, string(msg.Data), `"fault":"`)
		require.Contains(t, string(msg.Data), want)
	}
	require.Empty(t, questions, "what is at fault reaches nobody")

	_, err = b.bus.Asks().Queue(t.Context(), events.QueueAsked{Limit: -1})
	require.ErrorIs(t, err, events.ErrInvalidQuestion)
}

// An answer from another version of Feira may find fault with what passes here.
func TestFaultInTheAnswerIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.bus.Asks().WatchQueue(t.Context(), func(_ events.QueueAsked, answer func(events.QueueTold)) {
		answer(events.QueueTold{Fault: "tenant is too famous"})
	}))
	_, err := b.bus.Asks().Queue(t.Context(), events.QueueAsked{})
	require.ErrorIs(t, err, events.ErrInvalidQuestion)
	require.ErrorContains(t, err, "too famous")
}

func TestNoLeaderIsAnErrorAfterTheAskersTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := b.bus.Asks().Queue(ctx, events.QueueAsked{})
	require.ErrorIs(t, err, bus.ErrNoLeader)
	require.Error(t, ctx.Err(), "not before its time is over")

	// One that hears and says nothing is no better.
	require.NoError(t, b.bus.Asks().WatchQueue(t.Context(), func(events.QueueAsked, func(events.QueueTold)) {}))
	ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = b.bus.Asks().Queue(ctx, events.QueueAsked{})
	require.ErrorIs(t, err, bus.ErrNoLeader)

	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	_, err = b.bus.Asks().Queue(ctx, events.QueueAsked{})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, bus.ErrNoLeader)
}

// A leader that has gone is waited for, and so is its successor.
func TestQuestionOutlivesALeader(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, resign := context.WithCancel(t.Context())
	heard := make(chan struct{}, 4)
	require.NoError(t, b.bus.Asks().WatchQueue(first, func(events.QueueAsked, func(events.QueueTold)) { heard <- struct{}{} }))
	answers := make(chan events.QueueTold, 1)
	go func() {
		got, err := b.bus.Asks().Queue(within(t), events.QueueAsked{})
		if err == nil {
			answers <- got
		}
	}()
	receive(t, heard, "the question")
	resign()
	require.NoError(t, b.bus.Asks().WatchQueue(t.Context(), func(_ events.QueueAsked, answer func(events.QueueTold)) { answer(told("sch_2")) }))
	require.Equal(t, "sch_2", receive(t, answers, "an answer").Leader)
}
