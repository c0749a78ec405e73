package bus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// headlines reads until so many have come.
func (b *bundle) headlines(t *testing.T, after uint64, n int) []events.Headline {
	t.Helper()
	var all []events.Headline
	err := b.bus.Log().Headlines(t.Context(), after, func(batch []events.Headline, _ bool) error {
		if all = append(all, batch...); len(all) >= n {
			return errEnough
		}
		return nil
	})
	require.ErrorIs(t, err, errEnough)
	return all
}

func (b *bundle) turns(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		id := events.SessionID(fmt.Sprint("ses_", i))
		_, err := b.bus.Log().Append(t.Context(), session.Entry{
			Envelope: events.Envelope{ID: "e", Source: events.SessionSource("acme", id), Time: time.Unix(1_700_000_000, 0).UTC(), Tenant: "acme", Session: id, Request: "r"},
			Event:    &events.TurnCompleted{RequestSequence: 1, Status: events.TurnCompletedOK, Message: fmt.Sprint("said ", i)},
		})
		require.NoError(t, err)
	}
}

func TestHeadlinesOfAllSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.turns(t, 5)
	all := b.headlines(t, 0, 5)
	require.Len(t, all, 5)
	for i, head := range all {
		require.Equal(t, uint64(i+1), head.Sequence)
		require.Empty(t, head.Data)
		require.Positive(t, head.Size)
		require.Equal(t, string(events.TypeTurnCompleted), head.Header.Value(events.HeaderType))
	}
	require.Equal(t, uint64(4), b.headlines(t, 3, 2)[0].Sequence, "what stands behind 3")
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, b.bus.Log().Headlines(ctx, 5, func(batch []events.Headline, caughtUp bool) error {
		require.Empty(t, batch)
		require.True(t, caughtUp)
		cancel()
		return nil
	}), "an end that was asked for is none")
	// A stream that was made anew ends before the place that was read to.
	require.Equal(t, uint64(1), b.headlines(t, 1000, 5)[0].Sequence)
}

func TestAFactByItsSequence(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.turns(t, 2)
	message, found, err := b.bus.Log().Fact(t.Context(), 2)
	require.NoError(t, err)
	require.True(t, found)
	record, err := events.Decode(message)
	require.NoError(t, err)
	require.Equal(t, "said 1", record.Event.(*events.TurnCompleted).Message)
	_, found, err = b.bus.Log().Fact(t.Context(), 3)
	require.NoError(t, err)
	require.False(t, found)
}
