package bus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/session"
)

// roll is what Recent tells, as ids.
func roll(t *testing.T, b *bus.Bus, params bus.RecentParams) (ids []events.SessionID, older uint64) {
	t.Helper()
	recent, older, err := b.Log().Recent(within(t), params)
	require.NoError(t, err)
	for i, one := range recent {
		ids = append(ids, one.Session)
		require.True(t, i == 0 || one.Sequence < recent[i-1].Sequence, "the latest comes first")
		require.True(t, params.Before == 0 || one.Sequence < params.Before)
	}
	return ids, older
}

func TestRecentListsSessionsByTheirLastEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids, older := roll(t, b.bus, bus.RecentParams{Tenant: acme})
	require.Empty(t, ids)
	require.Zero(t, older)
	appended(t, b.bus, "s1", 3)
	middle := appended(t, b.bus, "s2", 2)
	appended(t, b.bus, "s3", 1)
	_, err := b.bus.Log().Append(t.Context(), stranger("s9"))
	require.NoError(t, err)

	ids, older = roll(t, b.bus, bus.RecentParams{Tenant: acme})
	require.Equal(t, []events.SessionID{"s3", "s2", "s1"}, ids)
	require.Zero(t, older)
	ids, _ = roll(t, b.bus, bus.RecentParams{Tenant: acme, Before: middle})
	require.Equal(t, []events.SessionID{"s1"}, ids)
	ids, _ = roll(t, b.bus, bus.RecentParams{Tenant: globex})
	require.Equal(t, []events.SessionID{"s9"}, ids, "another tenant's list is its own")
	ids, _ = roll(t, b.bus, bus.RecentParams{Tenant: "nobody"})
	require.Empty(t, ids)
}

func stranger(id events.SessionID) session.Entry {
	entry := replied(id, 1, 0)
	entry.Envelope.Tenant, entry.Envelope.Source = globex, events.SessionSource(globex, id)
	return entry
}

// However many sessions there are, a page of all tenants' costs its window.
func TestRecentOfAllTenantsGoesBackByWindows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	appended(t, b.bus, "s1", 4)
	_, err := b.bus.Log().Append(t.Context(), stranger("s9"))
	require.NoError(t, err)
	appended(t, b.bus, "s2", 3)
	const window = 4
	ids, older := roll(t, b.bus, bus.RecentParams{Window: window})
	require.Equal(t, []events.SessionID{"s2", "s9"}, ids)
	require.NotZero(t, older)
	ids, older = roll(t, b.bus, bus.RecentParams{Window: window, Before: older})
	require.Equal(t, []events.SessionID{"s1"}, ids)
	require.Zero(t, older, "there is no more")
	ids, older = roll(t, b.bus, bus.RecentParams{Window: 100})
	require.Equal(t, []events.SessionID{"s2", "s9", "s1"}, ids)
	require.Zero(t, older)
	ids, _ = roll(t, b.bus, bus.RecentParams{Window: window, Before: 1})
	require.Empty(t, ids)
}
