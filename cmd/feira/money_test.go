package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

const cashTenants = `
tenants:
  - id: tenant_acme
    servers: [stripe]
    budgets: [{ name: cash, unit: money, currency: BRL, period: total, limit: 1.00, reserve: 0.10 }]
  - id: tenant_loja
    servers: [asaas]
    budgets: [{ name: cash, unit: money, currency: BRL, period: total, limit: 1.00, reserve: 0.10 }]
`

const cashCard = `
version: acme-1
tenants: [tenant_acme]
currency: BRL
effective_from: "2020-01-01T00:00:00-03:00"
prices:
  - {line: calls, meter: tool_call, unit: call, unit_price: "0.475"}
  - {line: in, meter: model_reply, unit: input_token, unit_price: "0"}
  - {line: out, meter: model_reply, unit: output_token, unit_price: "0"}
`

// callOnce has a tenant call a tool, and returns how that ended once it has.
func callOnce(t *testing.T, broker *bus.Bus, id events.TenantID, tool string) string {
	t.Helper()
	count := func() (ends []string) {
		for _, record := range logged(t, broker, id) {
			if end, ok := record.Event.(*events.TurnCompleted); ok {
				ends = append(ends, string(end.Status))
			}
		}
		return ends
	}
	before := len(count())
	message, err := events.NewRequest(events.RequestParams{Tenant: id, Kind: events.KindCall}, events.Request{Tool: tool, Arguments: json.RawMessage(`{}`)})
	require.NoError(t, err)
	_, err = broker.Requests().Publish(t.Context(), message)
	require.NoError(t, err)
	var ends []string
	require.Eventually(t, func() bool { ends = count(); return len(ends) > before }, time.Minute, 20*time.Millisecond)
	return ends[before]
}

// A card that is applied while everything runs counts at once for what its tenant
// has used and wants, and for nobody else.
func TestAppliedCardChangesWhatIsGranted(t *testing.T) {
	t.Parallel()
	b := setupDev(t)
	file := filepath.Join(b.dir, "cash.yaml")
	require.NoError(t, os.WriteFile(file, []byte(cashTenants), 0o600))
	b.feira(t, "", "tenant", "apply", "-f", file)
	broker := b.connect(t)
	for range 2 {
		require.Equal(t, "completed", callOnce(t, broker, "tenant_acme", "stripe__retrieve_balance"))
	}
	require.Equal(t, "completed", callOnce(t, broker, "tenant_loja", "asaas__get_balance"))
	spent := func(id string) string {
		var told struct {
			Budgets []struct{ Spent, Unknown string }
		}
		require.NoError(t, json.Unmarshal([]byte(b.feira(t, "", "budget", "show", id, "--json")), &told))
		require.Empty(t, told.Budgets[0].Unknown)
		return told.Budgets[0].Spent
	}
	require.Equal(t, []string{"0.01", "0.005"}, []string{spent("tenant_acme"), spent("tenant_loja")}, "by the default card")

	card := filepath.Join(b.dir, "card.yaml")
	require.NoError(t, os.WriteFile(card, []byte(cashCard), 0o600))
	said := b.feira(t, "", "ratecard", "apply", card)
	require.Contains(t, said, "is applied")
	require.NotContains(t, said, "warning")
	require.Equal(t, []string{"0.95", "0.005"}, []string{spent("tenant_acme"), spent("tenant_loja")})
	require.Eventually(t, func() bool { // until the scheduler has heard of it what is asked for may be granted
		return callOnce(t, broker, "tenant_acme", "stripe__retrieve_balance") == "rejected"
	}, time.Minute, 10*time.Millisecond)
	require.Equal(t, "completed", callOnce(t, broker, "tenant_loja", "asaas__get_balance"))

	require.NoError(t, os.WriteFile(card, []byte(strings.NewReplacer("acme-1", "acme-2", "2020", "2021", "0.475", "0.001", `"0"}`, `"0.01"}`).Replace(cashCard)), 0o600))
	b.feira(t, "", "ratecard", "apply", card)
	require.Eventually(t, func() bool { return callOnce(t, broker, "tenant_acme", "stripe__retrieve_balance") == "completed" }, time.Minute, 10*time.Millisecond)

	half := strings.NewReplacer("acme-1", "acme-3", "2020", "2022").Replace(cashCard)
	require.NoError(t, os.WriteFile(card, []byte(half[:strings.Index(half, "  - {line: out")]), 0o600))
	require.Contains(t, b.feira(t, "", "ratecard", "apply", card), "warning: nothing starts under a hard budget of money that it counts: rate card acme-3 has no general price of model_reply output_token")
	require.Contains(t, b.feira(t, "", "budget", "show", "tenant_acme"), "warning: what tenant_acme has spent of cash cannot be counted: in 20")
}
