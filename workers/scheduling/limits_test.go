package scheduling_test

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// In no stretch of time does a tenant get more than its burst and what its rate
// brings in it, and all that waits for the rate is served.
func TestARateIsKeptAndLosesNothing(t *testing.T) {
	t.Parallel()
	const rate, burst, requests = 20, 5, 30
	b := setup(t)
	b.change(tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe"}, Concurrency: 100, Rate: rate, Burst: burst}.WithDefaults())
	var mu sync.Mutex
	var granted []time.Time
	b.handling = func(_ context.Context, run events.Run) error {
		mu.Lock()
		defer mu.Unlock()
		granted = append(granted, run.Granted)
		return nil
	}
	for range requests {
		b.publish(t, events.RequestParams{Tenant: "tenant_acme", Kind: events.KindCall})
	}
	heard := make(chan string, 64)
	b.logger = slog.New(listener{Handler: slog.DiscardHandler, heard: heard})
	b.scheduler(t, "leader")
	// Until then the requests may not be known, or counted as a stranger's.
	hears(t, heard, "index is built")
	b.barrier(t, heard)
	b.pool(t, "w1", 100)
	b.requireServed(t, requests)

	mu.Lock()
	defer mu.Unlock()
	slices.SortFunc(granted, time.Time.Compare)
	require.Equal(t, granted[0], granted[burst-1], "a burst goes at once")
	for i, first := range granted {
		for j, last := range granted[i:] {
			most := burst + rate*last.Sub(first).Seconds() + 1
			require.LessOrEqual(t, float64(j+1), most, "grants %d to %d", i, i+j)
		}
	}
}

func hears(t *testing.T, heard <-chan string, want string) {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case message := <-heard:
			if message == want {
				return
			}
		case <-limit:
			require.Fail(t, "a message is missing", want)
		}
	}
}

// barrier returns once the leader has taken in all changes so far: one that it
// must refuse is told after them, and its refusal is logged.
func (b *testBundle) barrier(t *testing.T, heard <-chan string) {
	t.Helper()
	b.change(tenant.Tenant{ID: "tenant_barrier"})
	hears(t, heard, "a tenant's limits cannot be used")
}

// crowd is a leader whose runs go on until they are let go, but those of
// tenant_probe, which end at once.
type crowd struct {
	*testBundle

	heard   chan string
	hold    chan struct{}
	probed  chan struct{}
	probes  int
	pending int
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	b := setup(t)
	c := &crowd{testBundle: b, heard: make(chan string, 64), hold: make(chan struct{}), probed: make(chan struct{}, 64)}
	b.logger = slog.New(listener{Handler: slog.DiscardHandler, heard: c.heard})
	b.tenant("tenant_probe", 4, 1)
	b.handling = func(ctx context.Context, run events.Run) error {
		if run.Tenant == "tenant_probe" {
			c.probed <- struct{}{}
			return nil
		}
		select {
		case <-c.hold:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return c
}

func (c *crowd) set(t *testing.T, customer tenant.Tenant) {
	t.Helper()
	customer.Servers = []string{"stripe"}
	c.change(customer.WithDefaults())
	c.barrier(t, c.heard)
}

func (c *crowd) ask(t *testing.T, id tenant.ID, n int) {
	t.Helper()
	for range n {
		c.pending++
		c.publish(t, events.RequestParams{Tenant: id, Session: events.SessionID("s" + strconv.Itoa(c.pending)), Kind: events.KindCall})
	}
}

// runs is how many runs of the tenant are granted and not over, once the leader
// has seen all requests so far and what it has granted of them is stored. A
// probe that comes after them is granted in the same pass or later; the second
// one, in a later pass than the first.
func (c *crowd) runs(t *testing.T, id tenant.ID) int {
	t.Helper()
	for range 2 {
		c.probes++
		c.publish(t, events.RequestParams{Tenant: "tenant_probe", Kind: events.KindCall})
		select {
		case <-c.probed:
		case <-time.After(patience):
			require.Fail(t, "a probe was not served")
		}
	}
	return c.outstanding(t, id)
}

func (c *crowd) outstanding(t *testing.T, id tenant.ID) int {
	t.Helper()
	places, err := c.bus.Runs().Places(t.Context())
	require.NoError(t, err)
	n := 0
	for place := range places {
		if place.Tenant == id {
			n++
		}
	}
	return n
}

func TestLimitsReachARunningLeader(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.tenant("tenant_acme", 1, 1)
	c.scheduler(t, "leader")
	hears(t, c.heard, "index is built")
	c.barrier(t, c.heard)
	c.pool(t, "w1", 100)
	c.ask(t, "tenant_acme", 6)
	require.Equal(t, 1, c.runs(t, "tenant_acme"))

	c.set(t, tenant.Tenant{ID: "tenant_acme", Concurrency: 3})
	require.Equal(t, 3, c.runs(t, "tenant_acme"), "the cap is raised")

	c.set(t, tenant.Tenant{ID: "tenant_acme", Concurrency: 50, Paused: true})
	c.ask(t, "tenant_acme", 2)
	require.Equal(t, 3, c.runs(t, "tenant_acme"), "nothing starts while it is paused")
	c.set(t, tenant.Tenant{ID: "tenant_acme", Concurrency: 50})
	require.Equal(t, 8, c.runs(t, "tenant_acme"), "all that waited starts")

	c.set(t, tenant.Tenant{ID: "tenant_acme", Concurrency: 50, Rate: 1, RatePeriod: tenant.PeriodMinute, Burst: 2})
	c.ask(t, "tenant_acme", 5)
	require.Equal(t, 10, c.runs(t, "tenant_acme"), "a burst of two")
	c.set(t, tenant.Tenant{ID: "tenant_acme", Concurrency: 50})
	require.Equal(t, 13, c.runs(t, "tenant_acme"), "without a rate nothing holds the rest")

	close(c.hold)
	c.requireServed(t, c.pending+c.probes)
}

func TestAWeightReachesARunningLeader(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.tenant("tenant_acme", 50, 1)
	c.tenant("tenant_other", 50, 1)
	c.scheduler(t, "leader")
	hears(t, c.heard, "index is built")
	c.barrier(t, c.heard)
	c.pool(t, "w1", 16)
	// All fall due at one moment, with the leader knowing all of them by then:
	// else those that it hears of first would take the slots.
	due := time.Now().Add(5 * time.Second)
	for range 20 {
		for _, id := range []tenant.ID{"tenant_acme", "tenant_other"} {
			c.pending++
			c.publish(t, events.RequestParams{Tenant: id, Kind: events.KindCall, NotBefore: due})
		}
	}
	c.set(t, tenant.Tenant{ID: "tenant_acme", Concurrency: 50, Weight: 3})
	require.Zero(t, c.runs(t, "tenant_acme"))
	require.True(t, time.Now().Before(due), "the machine is too slow for this test")
	require.Eventually(t, func() bool {
		return c.outstanding(t, "tenant_acme")+c.outstanding(t, "tenant_other") == 16
	}, patience, pace)
	acme := c.outstanding(t, "tenant_acme")
	close(c.hold)
	require.Equal(t, 12, acme, "three quarters of 16 slots")
	c.requireServed(t, c.pending+c.probes)
}
