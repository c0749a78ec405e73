package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

const budgetedTenant = `
tenants:
  - id: tenant_acme
    servers: [stripe]
    budgets:
      - { name: tools, unit: calls, period: total, limit: 2, reserve: 1 }
      - { name: cash, unit: money, currency: BRL, period: day, zone: America/Sao_Paulo, limit: 25.00, reserve: 0.50, soft: true }
`

// A tenant spends its budget to the last call, is refused beyond it, and the
// command line tells what is spent of it, in the unit that it is in.
func TestBudgetIsSpentAndShown(t *testing.T) {
	t.Parallel()
	b := setupDev(t)
	file := filepath.Join(b.dir, "budgets.yaml")
	require.NoError(t, os.WriteFile(file, []byte(budgetedTenant), 0o600))
	b.feira(t, "", "tenant", "apply", "-f", file)
	broker := b.connect(t)
	for range 3 {
		message, err := events.NewRequest(events.RequestParams{Tenant: "tenant_acme", Kind: events.KindCall}, events.Request{
			Tool: "stripe__retrieve_balance", Arguments: json.RawMessage(`{}`),
		})
		require.NoError(t, err)
		_, err = broker.Requests().Publish(t.Context(), message)
		require.NoError(t, err)
	}
	var endings map[string]int
	require.Eventually(t, func() bool {
		endings = map[string]int{}
		for _, record := range logged(t, broker, "tenant_acme") {
			if end, ok := record.Event.(*events.TurnCompleted); ok {
				endings[string(end.Status)+end.Reason]++
			}
		}
		return len(endings) == 2 && endings["rejectedbudget_exceeded"] > 0
	}, time.Minute, 50*time.Millisecond)
	require.Equal(t, map[string]int{"completed": 2, "rejectedbudget_exceeded": 1}, endings)
	var told struct {
		Budgets []struct {
			Tenant, Spent, Reserved string
			Budget                  struct{ Name, Limit string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(b.feira(t, "", "budget", "show", "tenant_acme", "--json")), &told))
	require.Len(t, told.Budgets, 2)
	require.Equal(t, "tools", told.Budgets[0].Budget.Name)
	require.Equal(t, []string{"2", "0", "2"}, []string{told.Budgets[0].Spent, told.Budgets[0].Reserved, told.Budgets[0].Budget.Limit})
	require.Equal(t, "0.01", told.Budgets[1].Spent, "two calls by the default card")
	text := b.feira(t, "", "budget", "list")
	require.Regexp(t, `tenant_acme +tools +all +2 +0 +2 +calls +total +- +hard`, text)
	require.Regexp(t, `tenant_acme +cash +all +0\.01 +0 +25 +BRL +day +\S+-03:00 +soft`, text)
}
