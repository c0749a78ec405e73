package fair_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// A tenant that its budget holds starts nothing and says why, the others go
// on, and it goes first when it is let go, as one does that was capped.
func TestHeldByItsBudget(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	require.False(t, b.Hold("nobody", true, b.now))
	require.True(t, b.Hold("a", true, b.now))
	b.add("a", 2)
	b.add("b", 2)
	require.Equal(t, fair.ReasonBudget, b.reason(1))
	for range 2 {
		started, ok := b.Next(b.now)
		require.True(t, ok)
		require.Equal(t, events.TenantID("b"), started.Tenant)
	}
	_, ok := b.Next(b.now)
	require.False(t, ok)
	snapshot, _ := b.Snapshot("a", b.now)
	require.Equal(t, fair.ReasonBudget, snapshot.Waits)
	b.limit("a", fair.Limits{Concurrency: 1, Weight: 2})
	_, ok = b.Next(b.now)
	require.False(t, ok, "other limits do not let it go")
	require.True(t, b.Hold("a", false, b.now))
	started, ok := b.Next(b.now)
	require.True(t, ok)
	require.Equal(t, uint64(1), started.Sequence)
}

// What is refused when it would start is returned and removed: that costs
// neither a token of the rate nor slot time.
func TestRefusalCostsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.limit("a", fair.Limits{Concurrency: 1, Weight: 1, Rate: 1, Burst: 1, Period: time.Hour})
	b.add("a", 3)
	for range 2 {
		refused, ok := b.Next(b.now)
		require.True(t, ok)
		require.True(t, b.Return(refused.Sequence, b.now))
		require.True(t, b.Remove(refused.Sequence, b.now))
	}
	started, ok := b.Next(b.now)
	require.True(t, ok, "the one token is there")
	require.Equal(t, uint64(3), started.Sequence)
	snapshot, _ := b.Snapshot("a", b.now)
	require.Zero(t, snapshot.SlotSeconds)
}
