package dialogue_test

import (
	"context"
	"crypto/rand"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
)

// Bed is every role in the test's process, offline, with the cookbook's two
// tenants, and with a view of what lies behind the gateway.
type Bed struct {
	Dev app.Dev
	// Address is host and port of the gateway.
	Address string
	// Config leads another process's roles to the same broker.
	Config   config.Config
	Operator *app.Operator
	Broker   *bus.Bus
	Keys     *natskv.Keys
	Buckets  *natskv.Client

	telemetry *telemetry.Telemetry
}

// Start makes a bed, which goes when the test does. change may be nil.
func Start(t testing.TB, change func(*config.Config)) *Bed {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: io.Discard})
	require.NoError(t, err)
	cfg := config.Default()
	cfg.DataDir, cfg.Gateway.Address = t.TempDir(), "127.0.0.1:0"
	cfg.Gateway.SoftStop, cfg.Gateway.Linger = time.Second, 50*time.Millisecond
	if change != nil {
		change(&cfg)
	}
	b := &Bed{Config: cfg, telemetry: tel}
	run(t, func(ctx context.Context, ready func()) error {
		return app.RunDev(ctx, cfg, tel, app.DevParams{StandIns: true, Seed: true, Ready: func(at app.Dev) {
			b.Dev = at
			ready()
		}})
	})
	b.Address = strings.TrimPrefix(b.Dev.HTTP, "http://")
	b.Config.NATS.URL = b.Dev.NATS
	b.connect(t)
	return b
}

func (b *Bed) connect(t testing.TB) {
	t.Helper()
	b.Operator = app.NewOperator(b.Config, b.telemetry)
	t.Cleanup(b.Operator.Close)
	broker, err := bus.Connect(t.Context(), bus.Config{URL: b.Dev.NATS, Name: "dialogue", Logger: b.telemetry.Logger()})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	buckets, err := natskv.Connect(t.Context(), natskv.Config{URL: b.Dev.NATS, Name: "dialogue", Logger: b.telemetry.Logger()})
	require.NoError(t, err)
	t.Cleanup(buckets.Close)
	keys, err := buckets.Keys(t.Context())
	require.NoError(t, err)
	b.Broker, b.Buckets, b.Keys = broker, buckets, keys
}

// run runs what blocks until its context ends, and returns when it is ready.
func run(t testing.TB, body func(ctx context.Context, ready func()) error) {
	t.Helper()
	running, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- body(running, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-stopped)
	})
	select {
	case <-ready:
	case err := <-stopped:
		stopped <- nil // for the clean-up
		require.NoError(t, err, "it stopped before it was ready")
	}
}

// Gateway starts one more gateway beside the first, and returns where it is.
func (b *Bed) Gateway(t testing.TB) (address string) {
	t.Helper()
	cfg := b.Config
	cfg.Gateway.Address = "127.0.0.1:0"
	run(t, func(ctx context.Context, ready func()) error {
		return app.RunRoles(ctx, cfg, b.telemetry, []app.Role{app.RoleGateway}, func(at app.Addresses) {
			address = at.HTTP
			ready()
		})
	})
	return address
}

// Tenants registers tenants, with the rest of each by default.
func (b *Bed) Tenants(t testing.TB, customers ...tenant.Tenant) {
	t.Helper()
	for i := range customers {
		customers[i] = customers[i].WithDefaults()
	}
	require.NoError(t, b.Operator.ApplyTenants(t.Context(), customers))
}

// Key stores a new API key and returns its text.
func (b *Bed) Key(t testing.TB, params access.MintParams) (access.Key, string) {
	t.Helper()
	if params.Name == "" {
		params.Name = "dialogue"
	}
	if params.CreatedAt.IsZero() {
		params.CreatedAt = time.Now()
	}
	key, secret, err := access.Mint(rand.Reader, params)
	require.NoError(t, err)
	require.NoError(t, b.Keys.Create(t.Context(), key))
	return key, secret.Reveal()
}

// Platform is a platform's key for an environment, that may do everything.
func (b *Bed) Platform(t testing.TB, env events.Environment) string {
	t.Helper()
	_, text := b.Key(t, access.MintParams{Environment: env, Scopes: []access.Scope{access.ScopeAll}})
	return text
}
