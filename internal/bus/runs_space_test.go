package bus_test

import (
	"context"
	"testing"
	"time"

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
