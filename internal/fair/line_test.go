package fair_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

func TestLineTellsPlacesAndReasons(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.limit("a", fair.Limits{Concurrency: 2, Weight: 1})
	running := b.turn("a", "busy", events.PriorityNormal)
	require.Equal(t, []uint64{running}, b.starts())
	bulk := b.turn("a", "s", events.PriorityBulk)
	second := b.turn("a", "busy", events.PriorityNormal)
	urgent := b.turn("a", "s", events.PriorityInteractive)
	later := b.request("a", "t", events.PriorityInteractive)
	later.NotBefore = b.now.Add(time.Hour)
	require.NoError(t, b.Push(later, b.now))

	line, whole := b.Line("a", 10, b.now)
	require.True(t, whole)
	var got []string
	for i, w := range line {
		require.Equal(t, i+1, w.Place)
		got = append(got, strconv.FormatUint(w.Sequence, 10)+" "+w.Priority.String()+" "+string(w.Reason))
	}
	require.Equal(t, []string{
		strconv.FormatUint(bulk, 10) + " bulk slots", // it has what the turn behind it lends
		strconv.FormatUint(urgent, 10) + " interactive session",
		strconv.FormatUint(later.Sequence, 10) + " interactive not_before",
		strconv.FormatUint(second, 10) + " normal session",
	}, got)
	require.Equal(t, later.NotBefore, line[2].NotBefore)

	line, whole = b.Line("a", 1, b.now)
	require.True(t, whole)
	require.Len(t, line, 1)
	for _, id := range []events.TenantID{"b", "nobody"} {
		line, whole = b.Line(id, 10, b.now)
		require.True(t, whole)
		require.Empty(t, line)
	}
}

// What a line may look at is bounded: calls and sessions of one turn take a step
// each, a session's turns one and one more each.
func TestLineLooksAtSoMuchAndNoMore(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind     events.Kind
		sessions int
		fit      int
	}{
		"calls":           {events.KindCall, 10, fair.MaxLooked},
		"one session":     {events.KindTurn, 1, fair.MaxLooked / 2},
		"many sessions":   {events.KindTurn, 4 * fair.MaxLooked, fair.MaxLooked / 2},
		"shared sessions": {events.KindTurn, 1000, fair.MaxLooked / 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 0)
			for n := range test.fit + 1 {
				r := b.request("a", events.SessionID(strconv.Itoa(n%test.sessions)), events.PriorityNormal)
				r.Kind = test.kind
				require.NoError(t, b.Push(r, b.now))
			}
			line, whole := b.Line("a", 3, b.now)
			require.False(t, whole)
			require.Len(t, line, 3)
			require.EqualValues(t, 1, line[0].Sequence)
			require.True(t, b.Remove(b.sequence, b.now))
			_, whole = b.Line("a", 3, b.now)
			require.True(t, whole)
		})
	}
}

// The oldest of a tenant is the least sequence, also when it comes back.
func TestOldestIsKnownThroughReturns(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	b.add("a", 6)
	require.Equal(t, []uint64{1, 2, 3}, b.starts())
	oldest := func() uint64 {
		snapshot, ok := b.Snapshot("a", b.now)
		require.True(t, ok)
		return snapshot.Oldest
	}
	require.EqualValues(t, 4, oldest())
	require.True(t, b.Return(2, b.now))
	require.EqualValues(t, 2, oldest())
	require.True(t, b.Return(3, b.now))
	require.EqualValues(t, 2, oldest())
	require.True(t, b.Remove(2, b.now))
	require.EqualValues(t, 3, oldest())
	require.True(t, b.Done(1, b.now))
	for sequence := uint64(3); sequence <= 6; sequence++ {
		require.True(t, b.Remove(sequence, b.now))
	}
	require.Zero(t, oldest())
}
