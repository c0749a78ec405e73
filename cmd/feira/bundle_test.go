package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// testBundle is a Feira in processes of its own, with the providers' stand-ins
// and the offline model in the test's process, so that they outlive whatever
// is done to it.
type testBundle struct {
	sandbox *sandbox.Sandbox
	dir     string
	log     io.Writer // of what commands print
	env     []string
	child   *testenv.Child // "feira dev", where there is one
	url     string
	asked   atomic.Int64 // requests that reached a provider's stand-in
}

// setupDev starts "feira dev".
func setupDev(t *testing.T) *testBundle {
	t.Helper()
	b := setup(t)
	b.start(t)
	b.sealCredentials(t)
	return b
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	accounts := map[string][]sandbox.Account{}
	for _, server := range sandbox.Servers() {
		accounts[server] = []sandbox.Account{{Tenant: "tenant_acme"}, {Tenant: "tenant_loja"}}
	}
	b := &testBundle{log: testenv.Log(t), dir: testenv.Dir(t)}
	world, err := sandbox.New(sandbox.Config{
		Accounts: accounts, ModelLatency: 20 * time.Millisecond, Observe: func(sandbox.Exchange) { b.asked.Add(1) },
	})
	require.NoError(t, err)
	require.NoError(t, world.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, world.Stop(t.Context())) })
	var urls []string
	for _, server := range slices.Sorted(maps.Keys(world.BaseURLs())) {
		urls = append(urls, server+"="+world.BaseURLs()[server])
	}
	b.sandbox = world
	b.env = []string{
		"FEIRA_DATA_DIR=" + b.dir, "FEIRA_PROVIDER_URLS=" + strings.Join(urls, ";"),
		"OPENAI_API_KEY=test-key-of-the-sandbox", "OPENAI_BASE_URL=" + world.ModelURL(), "FEIRA_MODEL=feira-offline",
	}
	return b
}

func (b *testBundle) sealCredentials(t *testing.T) {
	t.Helper()
	for tenant, servers := range map[string][]string{
		"tenant_acme": {"stripe", "correios", "nuvem-fiscal"}, "tenant_loja": {"asaas", "melhor-envio", "z-api"},
	} {
		for _, server := range servers {
			fields, err := sandbox.Credential("feira", server, tenant)
			require.NoError(t, err)
			text, err := json.Marshal(fields)
			require.NoError(t, err)
			b.feira(t, string(text), "credential", "set", tenant, server)
		}
	}
}

// start runs "feira dev" and waits until it says that it is up.
func (b *testBundle) start(t *testing.T) {
	t.Helper()
	b.child = testenv.Start(t, testenv.ChildParams{
		Path: testenv.Binary(t), Env: b.env,
		Args: []string{"dev", "--port", "0", "--gateway-address", "127.0.0.1:0", "--no-stand-ins", "--json", "--worker-soft-stop", "1s"},
	})
	said := b.child.WaitForOutput(t, regexp.MustCompile(`"nats":"(nats://[^"]+)"`))
	b.url = said[1]
}

// feira runs a command in this process against the child, and returns what it
// printed on standard output.
func (b *testBundle) feira(t *testing.T, in string, args ...string) string {
	t.Helper()
	var out, complaints bytes.Buffer
	args = append(args, "--nats-url", b.url, "--data-dir", b.dir, "--log-level", "error")
	code := run(t.Context(), args, streams{in: strings.NewReader(in), out: &out, err: &complaints})
	_, _ = fmt.Fprintf(b.log, "feira %q\n%s%s", args, &out, &complaints)
	require.Equal(t, exitOK, code, "feira %v: %s", args, complaints.String())
	return out.String()
}

func (b *testBundle) connect(t *testing.T) *bus.Bus {
	t.Helper()
	broker, err := bus.Connect(t.Context(), bus.Config{URL: b.url, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	return broker
}

// logged lists every event of a tenant as the sessions' logs hold it.
func logged(t *testing.T, broker *bus.Bus, tenant events.TenantID) []events.Record {
	t.Helper()
	var records []events.Record
	err := broker.Log().Follow(t.Context(), bus.FollowParams{Tenant: tenant, Stored: true}, func(record events.Record) {
		records = append(records, record)
	})
	require.NoError(t, err)
	return records
}
