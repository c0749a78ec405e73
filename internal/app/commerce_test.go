package app

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/commerce"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/tenant"
)

// ask makes one call by way of the broker and a worker.
func (b *testBundle) ask(t *testing.T, tool, arguments string) *events.TurnCompleted {
	t.Helper()
	return b.deliver(t, events.RequestParams{Tenant: "tenant_acme", Kind: events.KindCall}, events.Request{Tool: tool, Arguments: json.RawMessage(arguments)})
}

// The meta-tools are there for every caller, over the tenant's own providers
// and with its own credentials.
func TestMetaToolsAreServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	end := b.ask(t, "codespar_charge", `{"amount":19.90,"currency":"BRL","method":"card","description":"Order 1","buyer":{"name":"Maria Silva"}}`)
	require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
	var made struct{ ID, Status string }
	require.NoError(t, json.Unmarshal([]byte(end.Message), &made))
	require.Equal(t, 1, b.world.sandbox.Journal().Count(journal.Filter{Server: "stripe", Account: "tenant_acme", Effect: "payment_intent.created", Object: made.ID}))
	require.Equal(t, 1, end.ToolCalls, "a recipe is one call")

	end = b.ask(t, "codespar_manage_connections", `{}`)
	require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
	var told struct {
		Connections []struct {
			ServerID string `json:"server_id"`
			Status   string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(end.Message), &told))
	require.Len(t, told.Connections, 6)
	for i, one := range told.Connections {
		require.Equal(t, map[bool]string{true: "connected", false: "disconnected"}[i < 3], one.Status, one.ServerID)
	}

	end = b.ask(t, "codespar_discover", `{"use_case":"refund a payment"}`)
	require.Contains(t, end.Message, "stripe__create_refund")
	require.Contains(t, end.Message, `"endpoint_template":"/refunds"`)
	end = b.ask(t, "codespar_pay", `{"action":"pay","amount":1,"currency":"BRL","description":"x","recipient":"a@b.co"}`)
	require.Equal(t, events.TurnRejected, end.Status)
	require.Equal(t, events.FaultUnknownTool, end.Reason)
}

func TestTheDirectoryIsOfTheManifests(t *testing.T) {
	t.Parallel()
	manifests, err := provider.Embedded()
	require.NoError(t, err)
	auth, tools := map[string]commerce.AuthKind{}, 0
	for _, server := range newFairground(manifests).Servers() {
		auth[server.ID] = server.Auth
		tools += len(server.Tools)
		require.NotEmpty(t, server.Fields, server.ID)
		require.NotEmpty(t, server.Environments, server.ID)
		for _, tool := range server.Tools {
			require.NotEmpty(t, tool.Method+tool.Path, tool.Name)
		}
	}
	require.Equal(t, 144, tools)
	require.Equal(t, map[string]commerce.AuthKind{
		"asaas": commerce.AuthAPIKey, "stripe": commerce.AuthAPIKey, "z-api": commerce.AuthPathSecret, "correios": commerce.AuthAPIKey,
		"nuvem-fiscal": commerce.AuthOAuth, "melhor-envio": commerce.AuthOAuth,
	}, auth)
}

func TestRoutesAreCheckedBeforeATenantIsApplied(t *testing.T) {
	t.Parallel()
	tenants, err := ParseTenants([]byte(`
tenants:
  - id: loja
    servers: [stripe, asaas, z-api]
    routes: {charge: {pix: asaas, card: stripe}, pay: asaas, notify: z-api}
`))
	require.NoError(t, err)
	require.NoError(t, checkServers(tenants))
	require.Equal(t, tenant.ChargeRoutes{Pix: "asaas", Card: "stripe"}, tenants[0].Routes.Charge)
	tenants[0].Routes.Pay = "z-api"
	require.ErrorContains(t, checkServers(tenants), `tenant "loja": routes.pay: "z-api" cannot do it`)
	_, err = ParseTenants([]byte("tenants:\n  - {id: loja, servers: [asaas], routes: {charge: {crypto: asaas}}}\n"))
	require.Error(t, err)
	_, err = ParseTenants([]byte("tenants:\n  - {id: loja, servers: [asaas], routes: {pay: stripe}}\n"))
	require.ErrorContains(t, err, "tenants[0]")
	require.ErrorContains(t, err, "routes.pay")
}
