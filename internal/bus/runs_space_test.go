package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// Space moves the stream on by what it was asked for, and leaves nothing there
// but the runs.
func TestSpaceMovesRunsOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.grant(t, turnRun("s1", 1))
	for n, count := range []int{1, 17, 1025} {
		before := b.last(t, events.StreamRuns)
		require.NoError(t, b.bus.Runs().Space(t.Context(), count))
		runs, last, err := b.bus.Runs().Outstanding(t.Context())
		require.NoError(t, err)
		require.Equal(t, before+uint64(count), last, "the %d. time", n+1)
		require.Equal(t, []events.Run{turnRun("s1", 1)}, runs)
		require.EqualValues(t, 1, b.count(t, events.StreamRuns))
	}
	_, err := grantAfter(t, b.bus, turnRun("s2", 2), first)
	require.ErrorIs(t, err, events.ErrStaleGrant)
	_, err = grantAfter(t, b.bus, turnRun("s2", 2), b.last(t, events.StreamRuns))
	require.NoError(t, err)
}

// What a worker has in hand when RUNS is moved on stays its own, and comes again
// when it is given back. (A purge of the spacers' subjects had the broker forget
// it.)
func TestSpaceLeavesWhatIsInHand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.grant(t, turnRun("s1", 1))
	b.grant(t, turnRun("s2", 2))
	consumer, err := b.js.Consumer(t.Context(), events.StreamRuns, events.DurableWorkers)
	require.NoError(t, err)
	batch, err := consumer.Fetch(2)
	require.NoError(t, err)
	var held []jetstream.Msg
	for message := range batch.Messages() {
		held = append(held, message)
	}
	require.Len(t, held, 2)
	require.NoError(t, b.bus.Runs().Space(t.Context(), 100))
	_, pending := b.pending(t, events.StreamRuns, events.DurableWorkers)
	require.Equal(t, 2, pending)
	require.NoError(t, held[0].DoubleAck(within(t)))
	require.NoError(t, held[1].Nak())
	again, err := consumer.Next()
	require.NoError(t, err)
	require.Equal(t, held[1].Subject(), again.Subject())
	require.NoError(t, again.DoubleAck(within(t)))
	require.Zero(t, b.count(t, events.StreamRuns))
}

// A spacer that was left behind is no run to whoever reads the stream, and the
// workers take it away.
func TestSpacersThatStayAreNoRuns(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	b.grant(t, turnRun("s1", 1))
	for _, token := range []string{"a", "b", "c"} {
		b.raw(t, events.Message{Subject: events.SpacerSubject(token)})
	}
	b.grant(t, turnRun("s2", 2))
	runs, _, err := b.bus.Runs().Outstanding(t.Context())
	require.NoError(t, err)
	require.Equal(t, []events.Run{turnRun("s1", 1), turnRun("s2", 2)}, runs)
	places, err := b.bus.Runs().Places(t.Context())
	require.NoError(t, err)
	require.Len(t, places, 2)
	handled := make(chan events.Run, 8)
	pool := b.pool(t, 1, func(_ context.Context, run events.Run, _ int) error {
		handled <- run
		return nil
	})
	require.Equal(t, turnRun("s1", 1), receive(t, handled, "the first run"))
	require.Equal(t, turnRun("s2", 2), receive(t, handled, "the second run"), "its slot is free behind the spacers")
	require.Eventually(t, func() bool { return b.count(t, events.StreamRuns) == 0 }, patience, 5*time.Millisecond)
	stop(t, pool)
	require.Empty(t, handled)
	letters, err := b.bus.Dead().List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, letters)
}

func TestSpaceSaysThatTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, b.bus.Runs().Space(ctx, 3), context.Canceled)
}
