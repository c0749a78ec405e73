package natskv_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

// Not parallel: it looks for goroutines left behind.
func TestRegistryKeepsTheContract(t *testing.T) {
	tenants := setup(t).tenants(t)
	require.NoError(t, tenants.Put(t.Context(), someTenant("acme")))
	lifecycletest.Stress(t, func() lifecycle.Part { return natskv.NewRegistry(tenants) }, testenv.ServerGoroutines()...)
}

func start(t *testing.T, tenants *natskv.Tenants) *natskv.Registry {
	t.Helper()
	registry := natskv.NewRegistry(tenants)
	require.NoError(t, registry.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { require.NoError(t, registry.Stop(bounded(t))) })
	return registry
}

// heard is a listener that keeps what it hears.
type heard struct {
	mu      sync.Mutex
	changes []natskv.Change
}

func (h *heard) listen(change natskv.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes = append(h.changes, change)
}

// String is one line a change.
func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := ""
	for _, change := range h.changes {
		text += fmt.Sprintf("%s deleted=%t concurrency=%d\n", change.ID, change.Deleted, change.Tenant.Concurrency)
	}
	return text
}

func (h *heard) eventually(t *testing.T, want string) {
	t.Helper()
	require.Eventually(t, func() bool { return h.String() == want }, patience, poll, "want\n%s\nhave\n%s", want, h)
}

func TestRegistryFollows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tenants := b.tenants(t)
	acme := someTenant("acme")
	require.NoError(t, tenants.Put(t.Context(), acme))
	registry := start(t, tenants)
	got, found := registry.Lookup("acme")
	require.True(t, found, "a started registry has caught up")
	require.Empty(t, cmp.Diff(acme, got))
	_, found = registry.Lookup("beta")
	require.False(t, found)

	listener := &heard{}
	cancel := registry.OnChange(listener.listen)
	want := "acme deleted=false concurrency=4\n"
	require.Equal(t, want, listener.String(), "a listener hears of all there is first")

	// Each change is waited for, because the bucket keeps the last one only, and
	// a registry that is behind never hears of those between.
	tell := func(err error, line string) {
		require.NoError(t, err)
		want += line
		listener.eventually(t, want)
	}
	tell(tenants.Put(t.Context(), someTenant("beta")), "beta deleted=false concurrency=4\n")
	acme.Concurrency = 7
	tell(tenants.Put(t.Context(), acme), "acme deleted=false concurrency=7\n")
	_, err := b.bucket(t, events.BucketTenants).Put(t.Context(), "acme", []byte("garbage"))
	require.NoError(t, err)
	tell(tenants.Delete(t.Context(), "beta"), "beta deleted=true concurrency=0\n")
	require.Empty(t, cmp.Diff([]tenant.Tenant{acme}, registry.All()), "garbage leaves a tenant as it was")

	cancel()
	other := &heard{}
	registry.OnChange(other.listen)
	require.NoError(t, tenants.Delete(t.Context(), "acme"))
	other.eventually(t, "acme deleted=false concurrency=7\nacme deleted=true concurrency=0\n")
	require.Equal(t, want, listener.String(), "a cancelled listener hears nothing more")
}

func TestRegistryStaysUsableAfterItStopped(t *testing.T) {
	t.Parallel()
	tenants := setup(t).tenants(t)
	require.NoError(t, tenants.Put(t.Context(), someTenant("acme")))
	registry := start(t, tenants)
	require.NoError(t, registry.Stop(bounded(t)))
	_, found := registry.Lookup("acme")
	require.True(t, found)
}

func TestRegistryCannotStartWithoutItsBucket(t *testing.T) {
	t.Parallel()
	b := setup(t)
	registry := natskv.NewRegistry(b.tenants(t))
	require.NoError(t, b.js.DeleteKeyValue(t.Context(), events.BucketTenants))
	err := registry.Start(t.Context())
	require.ErrorContains(t, err, "watching bucket "+events.BucketTenants)
	require.Error(t, registry.Err())
}

func TestRegistryIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	tenants := setup(t).tenants(t)
	registry := start(t, tenants)
	last := &heard{}
	registry.OnChange(last.listen)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					registry.Lookup("t7")
					registry.All()
					registry.OnChange(func(natskv.Change) {})()
				}
			}
		})
	}
	for i := range 50 {
		require.NoError(t, tenants.Put(t.Context(), someTenant(tenant.ID("t"+strconv.Itoa(i)))))
	}
	require.Eventually(t, func() bool { return strings.Count(last.String(), "\n") == 50 }, patience, poll)
	close(stop)
	readers.Wait()
	require.Len(t, registry.All(), 50)
}

// What a registry missed while the broker was away it learns on its return, a
// removal without a trace included, and it tells of nothing twice.
func TestRegistrySurvivesTheBroker(t *testing.T) {
	t.Parallel()
	server := testenv.Restartable(t)
	b := furnish(t, &server.Server)
	proxy := testenv.NewProxy(t, server.URL)
	client := b.client(t, proxy.URL)
	tenants, err := client.Tenants(t.Context())
	require.NoError(t, err)
	for _, id := range []tenant.ID{"acme", "beta", "gamma"} {
		require.NoError(t, tenants.Put(t.Context(), someTenant(id)))
	}
	registry := start(t, tenants)
	listener := &heard{}
	registry.OnChange(listener.listen)
	told := listener.String()

	proxy.Freeze()
	server.Stop(t)
	server.Start(t)
	straight := b.tenants(t)
	beta := someTenant("beta")
	beta.Concurrency = 9
	require.NoError(t, straight.Put(t.Context(), beta))
	require.NoError(t, straight.Delete(t.Context(), "gamma"))
	require.NoError(t, b.bucket(t, events.BucketTenants).PurgeDeletes(t.Context(), jetstream.DeleteMarkersOlderThan(-1)))
	_, found := registry.Lookup("gamma")
	require.True(t, found, "nobody could tell the registry yet")

	proxy.Thaw()
	listener.eventually(t, told+"beta deleted=false concurrency=9\ngamma deleted=true concurrency=0\n")
	require.NoError(t, straight.Put(t.Context(), someTenant("delta")))
	listener.eventually(t, told+"beta deleted=false concurrency=9\ngamma deleted=true concurrency=0\ndelta deleted=false concurrency=4\n")
}
