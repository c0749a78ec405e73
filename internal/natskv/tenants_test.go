package natskv_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
)

func TestTenantsAreKept(t *testing.T) {
	t.Parallel()
	tenants := setup(t).tenants(t)
	_, found, err := tenants.Lookup(t.Context(), "acme")
	require.NoError(t, err)
	require.False(t, found)

	require.NoError(t, tenants.Put(t.Context(), tenant.Tenant{ID: "zeta", Servers: []string{"asaas"}}))
	acme := someTenant("acme")
	require.NoError(t, tenants.Put(t.Context(), acme))
	acme.Concurrency = 9
	require.NoError(t, tenants.Put(t.Context(), acme))

	got, found, err := tenants.Lookup(t.Context(), "acme")
	require.NoError(t, err)
	require.True(t, found)
	require.Empty(t, cmp.Diff(acme, got))
	all, err := tenants.List(t.Context())
	require.NoError(t, err)
	want := []tenant.Tenant{acme, tenant.Tenant{ID: "zeta", Servers: []string{"asaas"}}.WithDefaults()}
	require.Empty(t, cmp.Diff(want, all), "in the order of ids, defaults filled in")

	require.NoError(t, tenants.Delete(t.Context(), "acme"))
	require.NoError(t, tenants.Delete(t.Context(), "acme"), "deleting what is not there")
	_, found, err = tenants.Lookup(t.Context(), "acme")
	require.NoError(t, err)
	require.False(t, found)
	all, err = tenants.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want[1:], all))
}

func TestTenantsRefuseWhatIsInvalid(t *testing.T) {
	t.Parallel()
	tenants := setup(t).tenants(t)
	require.ErrorIs(t, tenants.Put(t.Context(), tenant.Tenant{ID: "acme"}), tenant.ErrInvalid)
	_, _, err := tenants.Lookup(t.Context(), "a.b")
	require.ErrorIs(t, err, events.ErrInvalidID)
	require.ErrorIs(t, tenants.Delete(t.Context(), ">"), events.ErrInvalidID)
	all, err := tenants.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
}

// malformed entries, by key.
var malformed = map[string]string{
	"garbage":  `{"stream":`,
	"ack":      `{"stream":"REQUESTS","seq":1}`,
	"impostor": `{"id":"acme","servers":["stripe"]}`,
	"dot.ted":  `{"id":"dot.ted","servers":["stripe"]}`,
	"empty":    ``,
	"negative": `{"id":"negative","servers":["stripe"],"concurrency":-1}`,
}

func TestMalformedTenantsArePassedOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tenants, kv := b.tenants(t), b.bucket(t, events.BucketTenants)
	for key, text := range malformed {
		_, err := kv.Put(t.Context(), key, []byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, tenants.Put(t.Context(), someTenant("acme")))
	all, err := tenants.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]tenant.Tenant{someTenant("acme")}, all))
	for key := range malformed {
		require.Contains(t, b.logs.String(), "key="+key)
	}
	_, _, err = tenants.Lookup(t.Context(), "garbage")
	require.ErrorIs(t, err, natskv.ErrMalformed)
}

// watching is a watch that goes on.
type watching struct {
	changes  chan natskv.Change
	caughtUp chan struct{}
	end      func() error
}

func watch(t *testing.T, tenants *natskv.Tenants) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{changes: make(chan natskv.Change, 100), caughtUp: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		ended <- tenants.Watch(ctx, func(change natskv.Change) { w.changes <- change }, func() { close(w.caughtUp) })
	}()
	w.end = func() error { cancel(); return <-ended }
	t.Cleanup(cancel)
	return w
}

func (w *watching) next(t *testing.T) natskv.Change {
	t.Helper()
	select {
	case change := <-w.changes:
		return change
	case <-bounded(t).Done():
		require.Fail(t, "no change came")
		return natskv.Change{}
	}
}

func TestWatchTellsOfAllAndThenOfChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tenants := b.tenants(t)
	require.NoError(t, tenants.Put(t.Context(), someTenant("acme")))
	require.NoError(t, tenants.Put(t.Context(), someTenant("gone")))
	require.NoError(t, tenants.Delete(t.Context(), "gone"))

	w := watch(t, tenants)
	within(t, "the watch to catch up", w.caughtUp)
	require.Len(t, w.changes, 1, "all there is comes before the signal, and what has gone is not there")
	require.Empty(t, cmp.Diff(natskv.Change{ID: "acme", Tenant: someTenant("acme")}, w.next(t)))

	require.NoError(t, tenants.Put(t.Context(), someTenant("beta")))
	require.Equal(t, tenant.ID("beta"), w.next(t).ID)
	_, err := b.bucket(t, events.BucketTenants).Put(t.Context(), "beta", []byte("garbage"))
	require.NoError(t, err)
	require.NoError(t, tenants.Delete(t.Context(), "acme"))
	require.Equal(t, natskv.Change{ID: "acme", Deleted: true}, w.next(t), "garbage is passed over")
	require.NoError(t, tenants.Delete(t.Context(), "beta"))
	require.Equal(t, natskv.Change{ID: "beta", Deleted: true}, w.next(t))
	require.ErrorIs(t, w.end(), context.Canceled)
	require.Empty(t, w.changes)
}

func TestWatchOfNothingCatchesUp(t *testing.T) {
	t.Parallel()
	w := watch(t, setup(t).tenants(t))
	within(t, "the watch to catch up", w.caughtUp)
	require.ErrorIs(t, w.end(), context.Canceled)
}

func TestWatchEndsWithItsClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.client(t, "")
	tenants, err := client.Tenants(t.Context())
	require.NoError(t, err)
	ended := make(chan error, 1)
	caughtUp := make(chan struct{})
	go func() { ended <- tenants.Watch(t.Context(), func(natskv.Change) {}, func() { close(caughtUp) }) }()
	within(t, "the watch to catch up", caughtUp)
	client.Close()
	require.ErrorIs(t, <-ended, natskv.ErrClosed)
}
