package natskv_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

const (
	patience = time.Minute
	poll     = 5 * time.Millisecond
	// silence is how long nothing must happen for a test to believe that nothing will.
	silence = 100 * time.Millisecond
)

func TestMain(m *testing.M) { testenv.Main(m) }

// bench is an empty NATS account with Feira's buckets.
type bench struct {
	server *testenv.Server
	js     jetstream.JetStream
	logs   *diary
}

func setup(t *testing.T) *bench {
	t.Helper()
	return furnish(t, testenv.NATS(t))
}

func furnish(t *testing.T, server *testenv.Server) *bench {
	t.Helper()
	return furnishAs(t, server, 1)
}

func furnishAs(t *testing.T, server *testenv.Server, replicas int) *bench {
	t.Helper()
	b := &bench{server: server, js: server.JetStream(t), logs: &diary{}}
	for _, config := range []jetstream.KeyValueConfig{
		{Bucket: events.BucketTenants},
		{Bucket: events.BucketVault},
		{Bucket: events.BucketSpend},
		{Bucket: events.BucketTriggers},
		{Bucket: events.BucketLeases},
		{Bucket: events.BucketKeys},
		{Bucket: events.BucketRates, TTL: events.RatesAge, Storage: jetstream.MemoryStorage},
		{Bucket: events.BucketReplies, TTL: events.RepliesAge, LimitMarkerTTL: events.ReplyMarkerAge},
		{Bucket: events.BucketGrants, TTL: events.GrantsAge},
	} {
		config.Replicas = replicas
		_, err := b.js.CreateKeyValue(t.Context(), config)
		require.NoError(t, err)
	}
	return b
}

// bucket is a bucket as others see it.
func (b *bench) bucket(t *testing.T, name string) jetstream.KeyValue {
	t.Helper()
	kv, err := b.js.KeyValue(t.Context(), name)
	require.NoError(t, err)
	return kv
}

// client connects by way of url, or straight when it is empty.
func (b *bench) client(t *testing.T, url string) *natskv.Client {
	t.Helper()
	if url == "" {
		url = b.server.URL
	}
	client, err := natskv.Connect(t.Context(), natskv.Config{
		URL: url, User: b.server.User, Password: b.server.Password, Logger: slog.New(slog.NewTextHandler(b.logs, nil)),
	})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func (b *bench) tenants(t *testing.T) *natskv.Tenants {
	t.Helper()
	tenants, err := b.client(t, "").Tenants(t.Context())
	require.NoError(t, err)
	return tenants
}

func someTenant(id tenant.ID) tenant.Tenant {
	return tenant.Tenant{ID: id, Servers: []string{"stripe"}, Metadata: map[string]string{"plan": "pro"}}.WithDefaults()
}

// bounded is a context for what must be done in time.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return ctx
}

// within waits for a channel to close.
func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.Fail(t, "waited in vain", what)
	}
}

// diary keeps log lines.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}
