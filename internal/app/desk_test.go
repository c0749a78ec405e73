package app

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
)

func setupDesk(t *testing.T) (*fanBench, *desk) {
	t.Helper()
	f := setupFan(t)
	k := newKit(f.cfg, f.telemetry(t))
	t.Cleanup(k.close)
	made, err := k.desk(t.Context())
	require.NoError(t, err)
	return f, made
}

func TestATenantHasSoManyTriggers(t *testing.T) {
	t.Parallel()
	f, made := setupDesk(t)
	for n := range trigger.MaxOfTenant - 2 {
		one := trigger.Trigger{ID: events.NewTrigger("acme", [10]byte{byte(n)}), Tenant: "acme", CreatedAt: made.now()}
		require.NoError(t, f.store.Create(t.Context(), one))
	}
	open := func(owner tenant.ID) error {
		_, _, err := made.open(t.Context(), tenant.Tenant{ID: owner, Environment: "test"},
			TriggerDraft{Name: "a", Event: trigger.All, URL: "https://shop.example/"})
		return err
	}
	require.NoError(t, open("acme"), "below")
	require.NoError(t, open("acme"), "at")
	require.ErrorIs(t, open("acme"), ErrTooManyTriggers, "above")
	require.NoError(t, open("loja"), "which is no other tenant's matter")
}

// Rotations made at one time are all kept: each secret that was told signs, and
// the one before them too.
func TestRotationsOfATriggerDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	_, made := setupDesk(t)
	of, first, err := made.open(t.Context(), tenant.Tenant{ID: "acme", Environment: "test"},
		TriggerDraft{Name: "a", Event: trigger.All, URL: "https://shop.example/"})
	require.NoError(t, err)
	told, faults := make([]string, 2), make([]error, 2)
	var all sync.WaitGroup
	for hand := range told {
		all.Go(func() { _, told[hand], faults[hand] = made.rotate(t.Context(), "acme", of.ID) })
	}
	all.Wait()
	require.Equal(t, make([]error, 2), faults)
	_, secrets, err := made.secrets(t.Context(), of, "test")
	require.NoError(t, err)
	text, err := secrets.Reveal()
	require.NoError(t, err)
	for _, secret := range append(told, first) {
		require.Contains(t, text, secret)
	}
	require.Contains(t, told, secrets.Newest())
	require.NotEqual(t, told[0], told[1])
	changed, err := made.show(t.Context(), "acme", of.ID)
	require.NoError(t, err)
	require.False(t, changed.RotatedAt.IsZero())
	require.NoError(t, made.drop(t.Context(), "acme", of.ID))
	_, _, err = made.rotate(t.Context(), "acme", of.ID)
	require.ErrorIs(t, err, ErrUnknownTrigger)
	_, _, err = made.secrets(t.Context(), of, "test")
	require.Error(t, err, "its secrets are gone with it")
}
