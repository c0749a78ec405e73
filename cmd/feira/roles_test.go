package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/testenv"
)

const tenantsFile = `tenants:
  - {id: tenant_acme, servers: [stripe, correios, nuvem-fiscal], concurrency: 8}
  - {id: tenant_loja, servers: [asaas, melhor-envio, z-api]}
`

// Each role is a process on an outer broker. A scheduler and a worker are
// killed with -9 in the middle: the others bring every turn to its end, no call
// has its effect twice, and the ledger counts what the logs hold.
func TestRolesAreProcessesThatMayDie(t *testing.T) {
	t.Parallel()
	const orders = 24
	b := setup(t)
	b.url = testenv.Restartable(t).URL
	file := filepath.Join(b.dir, "tenants.yaml")
	require.NoError(t, os.WriteFile(file, []byte(tenantsFile), 0o600))
	b.feira(t, "", "tenant", "apply", "-f", file)
	b.sealCredentials(t)
	role := func(name string) *testenv.Child {
		child := testenv.Start(t, testenv.ChildParams{Path: testenv.Binary(t), Env: b.env, Args: []string{"run", name, "--nats", b.url, "--worker-slots", "8"}})
		child.WaitForOutput(t, regexp.MustCompile("roles are up"))
		return child
	}
	leader := role("scheduler")
	leader.WaitForOutput(t, regexp.MustCompile(`"msg":"leading"`))
	standby := role("scheduler")
	doomed := role("worker")
	role("worker")
	role("meter")

	broker := b.connect(t)
	for n := range orders {
		publishOrder(t, broker, n)
	}
	effects := func() int { return len(b.sandbox.Journal().Entries(journal.Filter{})) }
	require.Eventually(t, func() bool { return effects() >= 8 }, patience, pace)
	doomed.Kill(t)
	require.Eventually(t, func() bool { return effects() >= 20 }, patience, pace)
	leader.Kill(t)
	standby.WaitForOutput(t, regexp.MustCompile(`"msg":"leading"`))

	requireEndings(t, broker, "tenant_acme", orders)
	requireOneEffectEach(t, b.sandbox.Journal().Entries(journal.Filter{}))
	records := logged(t, broker, "tenant_acme")
	requireDistinctFacts(t, records)
	requireUsage(t, b, records)
}

// requireUsage: the ledger comes to say what the logs say, to the unit.
func requireUsage(t *testing.T, b *testBundle, records []events.Record) {
	t.Helper()
	require.Eventually(t, func() bool {
		var used struct {
			Usage struct {
				ToolCalls    int   `json:"tool_calls"`
				OutputTokens int64 `json:"output_tokens"`
			} `json:"usage"`
		}
		require.NoError(t, json.Unmarshal([]byte(b.feira(t, "", "usage", "tenant_acme", "--json")), &used))
		return used.Usage.ToolCalls == toolCalls(records) && used.Usage.OutputTokens == outputTokens(records)
	}, patience, pace)
}

func outputTokens(records []events.Record) int64 {
	var n int64
	for _, record := range records {
		if replied, ok := record.Event.(*events.ModelReplied); ok {
			n += replied.Usage.OutputTokens
		}
	}
	return n
}
