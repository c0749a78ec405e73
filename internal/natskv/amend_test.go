package natskv_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// Amendments made at one time are all kept, and so is what nobody amends.
func TestAmendmentsDoNotOverwriteEachOther(t *testing.T) {
	t.Parallel()
	tenants := setup(t).tenants(t)
	acme := someTenant("acme")
	acme.Weight = 1
	require.NoError(t, tenants.Put(t.Context(), acme))
	const hands = 8
	faults := make([]error, hands)
	var all sync.WaitGroup
	for hand := range hands {
		all.Go(func() {
			_, _, faults[hand] = tenants.Amend(t.Context(), "acme", func(customer *tenant.Tenant) error { customer.Weight++; return nil })
		})
	}
	all.Wait()
	require.Equal(t, make([]error, hands), faults)
	acme.Weight = 1 + hands
	got, _, err := tenants.Lookup(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(acme, got))
}

func TestAmendmentsAreHeldToTheRules(t *testing.T) {
	t.Parallel()
	tenants := setup(t).tenants(t)
	require.NoError(t, tenants.Put(t.Context(), someTenant("acme")))
	_, _, err := tenants.Amend(t.Context(), "acme", func(customer *tenant.Tenant) error { customer.Weight = -1; return nil })
	require.ErrorIs(t, err, tenant.ErrInvalid)
	got, found, err := tenants.Amend(t.Context(), "acme", func(customer *tenant.Tenant) error { customer.ID, customer.Paused = "other", true; return nil })
	require.NoError(t, err)
	require.True(t, found)
	require.True(t, got.Paused)
	require.Equal(t, tenant.ID("acme"), got.ID, "a tenant keeps its id")
	_, found, err = tenants.Amend(t.Context(), "nobody", func(*tenant.Tenant) error { return nil })
	require.NoError(t, err)
	require.False(t, found)
	_, _, err = tenants.Amend(t.Context(), "a.b", func(*tenant.Tenant) error { return nil })
	require.ErrorIs(t, err, events.ErrInvalidID)
}
