package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/usage"
)

const mocksFile = `{
  "stripe/create_customer": {"id": "cus_mock", "object": "customer", "email": "maria@example.com"},
  "stripe/create_payment_intent": [
    {"id": "pi_mock_1", "object": "payment_intent", "amount": 15000, "currency": "brl", "status": "requires_payment_method"}
  ]
}`

// send sends to tenant_acme and returns what became of it, whatever that is.
func (b *testBundle) send(t *testing.T, args ...string) *events.TurnCompleted {
	t.Helper()
	var out, complaints bytes.Buffer
	args = append(append([]string{"send", "tenant_acme"}, args...), "--json", "--nats-url", b.url, "--data-dir", b.dir, "--log-level", "error")
	run(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &complaints})
	var sent app.Sent
	require.NoError(t, json.Unmarshal(out.Bytes(), &sent), complaints.String())
	require.NotNil(t, sent.Ending)
	return sent.Ending
}

// A turn of the offline model runs wholly on mocks, though the tenant has
// credentials and the providers would answer: none of them hears of it, the
// calls are counted and cost nothing.
func TestATurnRunsOnMocks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.env = append(b.env, "CODESPAR_TEST_MODE_ENABLED=true")
	b.start(t)
	b.sealCredentials(t)
	broker := b.connect(t)
	file := filepath.Join(t.TempDir(), "mocks.json")
	require.NoError(t, os.WriteFile(file, []byte(mocksFile), 0o600))

	end := b.send(t, "Charge R$ 150,00 to Maria Silva (CPF 529.982.247-25, maria@example.com)", "--session", "order-1", "--mocks", file)
	require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
	records := logged(t, broker, "tenant_acme")
	var charged *events.ToolReturned
	for _, record := range records {
		if returned, ok := record.Event.(*events.ToolReturned); ok {
			require.NotNil(t, returned.Mock, returned.Name)
			if returned.Mock.Tool == "stripe/create_payment_intent" {
				charged = returned
			}
		}
	}
	require.NotNil(t, charged)
	require.Equal(t, 1, charged.Mock.Index)
	require.Empty(t, cmp.Diff(`{"id":"pi_mock_1","object":"payment_intent","amount":15000,"currency":"brl","status":"requires_payment_method"}`, charged.Output))

	again := b.send(t, `{"amount": 15000, "currency": "brl"}`, "--session", "order-1", "--tool", "stripe__create_payment_intent")
	require.Equal(t, "mocks_exhausted", again.Reason)
	require.Equal(t, "mock store exhausted for tool stripe/create_payment_intent after 1 calls", again.Detail)

	elsewhere := b.send(t, "--session", "order-2", "--tool", "stripe__retrieve_balance")
	require.Equal(t, "tool_not_mocked", elsewhere.Reason, "in test mode a session without mocks reaches nobody either")
	require.Equal(t, "tool stripe/retrieve_balance has no matching mock in this session; declare a mock entry or omit the mocks field", elsewhere.Detail)

	require.Empty(t, b.sandbox.Journal().Entries(journal.Filter{}))
	require.Zero(t, b.asked.Load())
	requireFreeCalls(t, b, toolCalls(logged(t, broker, "tenant_acme")))
}

// requireFreeCalls: every call is in the ledger, and none is billable.
func requireFreeCalls(t *testing.T, b *testBundle, want int) {
	t.Helper()
	cfg := config.Default()
	cfg.NATS.URL, cfg.DataDir = b.url, b.dir
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: io.Discard})
	require.NoError(t, err)
	o := app.NewOperator(cfg, tel)
	defer o.Close()
	var page usage.ToolCallPage
	require.Eventually(t, func() bool {
		page, err = o.ToolCalls(t.Context(), usage.ToolCallFilter{Tenant: "tenant_acme"})
		require.NoError(t, err)
		return len(page.Calls) == want
	}, patience, pace)
	for _, call := range page.Calls {
		require.False(t, call.Billable, call.Tool)
		require.Equal(t, events.EnvironmentTest, call.Environment)
	}
}

// Without the flag nothing of it is there: mocks are refused, and a session
// without them reaches its providers.
func TestMocksNeedTheFlag(t *testing.T) {
	t.Parallel()
	b := setupDev(t)
	file := filepath.Join(t.TempDir(), "mocks.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"BAD": 1}`), 0o600))
	end := b.send(t, "hello", "--mocks", file)
	require.Equal(t, events.TurnRejected, end.Status)
	require.Equal(t, "mocks_not_permitted", end.Reason)
	require.Zero(t, b.asked.Load())
	require.Equal(t, events.TurnCompletedOK, b.send(t, "--tool", "stripe__retrieve_balance").Status)
	require.Equal(t, int64(1), b.asked.Load())
}
