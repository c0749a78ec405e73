package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/fault"
)

// fails runs a command that is to fail, and returns its complaints.
func (b *testBundle) fails(t *testing.T, args ...string) string {
	t.Helper()
	var out, complaints bytes.Buffer
	args = append(args, "--nats-url", b.url, "--data-dir", b.dir, "--log-level", "error")
	code := run(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &complaints})
	require.Equal(t, exitFailed, code, "feira %v: %s", args, out.String())
	return complaints.String()
}

// cancels runs "feira cancel" and returns how each request has ended, by id.
func (b *testBundle) cancels(t *testing.T, args ...string) map[events.RequestID]events.TurnStatus {
	t.Helper()
	var printed struct {
		Requests []struct {
			Request events.RequestID  `json:"request"`
			Status  events.TurnStatus `json:"status"`
		} `json:"requests"`
	}
	out := b.feira(t, "", append([]string{"cancel", "--json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(out), &printed))
	ended := map[events.RequestID]events.TurnStatus{}
	for _, one := range printed.Requests {
		ended[one.Request] = one.Status
	}
	return ended
}

// facts are the types of what the logs say of a request, who opened its session
// left aside.
func facts(t *testing.T, broker *bus.Bus, id events.RequestID) []events.Type {
	t.Helper()
	var types []events.Type
	for _, record := range logged(t, broker, "tenant_acme") {
		if record.Request == id && record.Type != events.TypeSessionOpened {
			types = append(types, record.Type)
		}
	}
	return types
}

func TestCancelEndsWhatRunsAndWhatWaits(t *testing.T) {
	t.Parallel()
	b := setupDev(t)
	broker := b.connect(t)
	require.NoError(t, b.sandbox.Fault(fault.Fault{Kind: fault.KindHang, Server: sandbox.ModelServer, Times: fault.Always}))
	for _, id := range []string{"runs", "waits", "waits-too"} {
		b.feira(t, "", "send", "tenant_acme", "hello", "--detach", "--session", "ses_1", "--id", id)
	}
	b.feira(t, "", "send", "tenant_acme", "hello", "--detach", "--session", "ses_2", "--id", "other")
	require.Eventually(t, func() bool { return len(facts(t, broker, "runs")) == 1 && len(facts(t, broker, "other")) == 1 }, patience, pace)

	cancelled := events.TurnCancelled
	require.Equal(t, map[events.RequestID]events.TurnStatus{"waits": cancelled}, b.cancels(t, "tenant_acme", "--request", "waits"))
	require.Equal(t, map[events.RequestID]events.TurnStatus{"runs": cancelled, "waits-too": cancelled},
		b.cancels(t, "tenant_acme", "--session", "ses_1", "--reason", "called off"))
	require.Equal(t, []events.Type{events.TypeTurnStarted, events.TypeTurnCompleted}, facts(t, broker, "runs"))
	require.Equal(t, []events.Type{events.TypeTurnCompleted}, facts(t, broker, "waits"))
	require.Equal(t, []events.Type{events.TypeTurnCompleted}, facts(t, broker, "waits-too"))
	require.Contains(t, b.feira(t, "", "tail", "tenant_acme", "ses_1", "--json"), `"detail":"called off"`)
	require.Contains(t, b.fails(t, "cancel", "tenant_acme", "--request", "runs"), "neither waits nor runs")
	require.Contains(t, b.fails(t, "cancel", "tenant_nobody", "--all"), "tenant is not registered")

	require.Equal(t, map[events.RequestID]events.TurnStatus{"other": cancelled}, b.cancels(t, "tenant_acme", "--all"))
	require.Contains(t, b.feira(t, "", "cancel", "tenant_acme", "--all"), "nothing waits or runs")
	b.sandbox.ClearFaults(sandbox.ModelServer)
	require.Contains(t, b.feira(t, "", "send", "tenant_acme", "hello", "--session", "ses_1"), "[offline model]")
}

func TestPausedTenantsWaitUpToTheirBacklog(t *testing.T) {
	t.Parallel()
	b := setupDev(t)
	broker := b.connect(t)
	file := filepath.Join(b.dir, "tenants.yaml")
	require.NoError(t, os.WriteFile(file, []byte("tenants:\n  - {id: tenant_acme, servers: [stripe], concurrency: 7, backlog: 2}\n"), 0o600))
	b.feira(t, "", "tenant", "apply", "-f", file)
	require.Equal(t, "paused tenant_acme\n", b.feira(t, "", "tenant", "pause", "tenant_acme"))
	shown := b.feira(t, "", "tenant", "show", "tenant_acme", "--json")
	require.Contains(t, shown, `"paused":true`)
	require.Contains(t, shown, `"concurrency":7`, "all else is kept")
	require.Contains(t, shown, `"backlog":2`)
	require.Contains(t, b.fails(t, "tenant", "pause", "tenant_nobody"), "tenant is not registered")

	for _, id := range []string{"first", "second"} {
		b.feira(t, "", "send", "tenant_acme", "hello", "--detach", "--session", "ses_1", "--id", id)
	}
	complaint := b.fails(t, "send", "tenant_acme", "hello", "--detach", "--session", "ses_1", "--id", "third")
	require.Contains(t, complaint, "tenant tenant_acme has 2 requests queued, its limit is 2")
	require.Equal(t, map[events.RequestID]events.TurnStatus{"first": events.TurnCancelled}, b.cancels(t, "tenant_acme", "--request", "first"))
	b.feira(t, "", "send", "tenant_acme", "hello", "--detach", "--session", "ses_1", "--id", "fourth")
	require.Equal(t, "resumed tenant_acme\n", b.feira(t, "", "tenant", "resume", "tenant_acme"))
	for _, id := range []events.RequestID{"second", "fourth"} {
		require.Eventually(t, func() bool {
			types := facts(t, broker, id)
			return len(types) == 3 && types[2] == events.TypeTurnCompleted
		}, patience, pace, "%s is served once the tenant is resumed", id)
	}
	require.Empty(t, facts(t, broker, "third"), "what was refused up front never came")
}
