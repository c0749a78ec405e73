package natskv_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
)

func TestSpendIsSavedUponWhatWasLoaded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	spend, err := b.client(t, "").Spend(t.Context())
	require.NoError(t, err)
	_, revision, found, err := spend.Load(t.Context(), "acme")
	require.NoError(t, err)
	require.False(t, found)
	state := budget.State{
		Now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), Last: 3, Told: map[string]int64{"budget/a/0/all/50": 0},
		Purses: []budget.PurseState{{
			Unit: tenant.UnitCalls, Period: tenant.InTotal, Zone: "UTC", Per: tenant.ScopeTenant, Position: 9,
			Spent: []budget.SpentState{{Amount: tenant.Whole(5)}},
		}},
		Started: []budget.StartedState{{Request: 7, Session: "s1", Kind: events.KindTurn}},
	}
	saved, err := spend.Save(t.Context(), "acme", state, revision)
	require.NoError(t, err)
	loaded, at, found, err := spend.Load(t.Context(), "acme")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, saved, at)
	require.Empty(t, cmp.Diff(state, loaded))
	_, err = spend.Save(t.Context(), "acme", state, revision)
	require.ErrorIs(t, err, budget.ErrMoved)
	_, err = spend.Save(t.Context(), "acme", state, at)
	require.NoError(t, err)
	_, _, found, err = spend.Load(t.Context(), "globex")
	require.NoError(t, err)
	require.False(t, found)
}

// What cannot be read is not taken for nothing.
func TestSpendThatCannotBeReadIsNotZero(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.bucket(t, events.BucketSpend).Put(t.Context(), "acme", []byte("{"))
	require.NoError(t, err)
	spend, err := b.client(t, "").Spend(t.Context())
	require.NoError(t, err)
	_, _, _, err = spend.Load(t.Context(), "acme")
	require.ErrorIs(t, err, natskv.ErrMalformed)
}
