package bus_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

var errEnough = errors.New("enough")

// watchedLog are the sequences that a watch tells until it is caught up.
func watchedLog(t *testing.T, b *bus.Bus, params bus.WatchParams) (sequences []uint64, through uint64) {
	t.Helper()
	err := b.Log().Watch(within(t), params, func(batch []events.Record, at uint64, caughtUp bool) error {
		sequences = append(sequences, sequencesOf(batch)...)
		through = at
		if caughtUp {
			return errEnough
		}
		return nil
	})
	require.ErrorIs(t, err, errEnough)
	return sequences, through
}

// A watch tells of these types of these tenants, from the place asked for,
// whether the broker tells tenants apart or, there being too many, it does.
func TestWatchTellsWhatIsWanted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own := write(t, b.bus, "s1", 3)
	entry := replied("s1", 9, 0)
	entry.Envelope.Tenant = globex
	foreign, err := b.bus.Log().Append(within(t), entry)
	require.NoError(t, err)
	many := []events.TenantID{acme}
	for i := range 100 {
		many = append(many, events.TenantID(fmt.Sprintf("t%d", i)))
	}
	types := []events.Type{events.TypeModelReplied}
	for name, tenants := range map[string][]events.TenantID{"one": {acme}, "many": many} {
		all, _ := watchedLog(t, b.bus, bus.WatchParams{Tenants: tenants, Types: types})
		require.Len(t, all, 6, name)
		require.NotContains(t, all, foreign, name)
		rest, through := watchedLog(t, b.bus, bus.WatchParams{Tenants: tenants, Types: types, After: own[2]})
		require.Equal(t, all[5:], rest, name)
		require.GreaterOrEqual(t, through, all[5], name)
		none, _ := watchedLog(t, b.bus, bus.WatchParams{Tenants: tenants, Types: []events.Type{events.TypeTurnCompleted}})
		require.Empty(t, none, name)
		none, through = watchedLog(t, b.bus, bus.WatchParams{Tenants: tenants, Types: types, After: foreign})
		require.Empty(t, none, name)
		require.Equal(t, foreign, through, name)
	}
}
