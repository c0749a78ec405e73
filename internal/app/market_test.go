package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/usage"
	"github.com/feira-dev/feira/internal/vault"
)

const crmToken = "crm-token-91b2c7"

type finding struct {
	Name string `json:"name"`
}

// newCRM is an MCP server that wants a token and tells it in its answers.
func newCRM(t *testing.T) string {
	t.Helper()
	server := sdk.NewServer(&sdk.Implementation{Name: "crm", Version: "1"}, nil)
	sdk.AddTool(server, &sdk.Tool{Name: "find_contact", Description: "Finds a contact."},
		func(_ context.Context, request *sdk.CallToolRequest, args finding) (*sdk.CallToolResult, any, error) {
			text := args.Name + " is a customer; " + request.Extra.Header.Get("Authorization")
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: text}}}, nil, nil
		})
	handler := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{Stateless: true})
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+crmToken {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		host.CloseClientConnections()
		host.Close()
	})
	return host.URL
}

// A tool of an attached server is listed, called, written down and counted as
// any other, and a tenant that has not attached it does not reach it.
func TestATurnWithAToolOfAnAttachedServer(t *testing.T) {
	t.Parallel()
	url := newCRM(t)
	b := setup(t, func(cfg *config.Config) { cfg.MCP.PrivateOrigins = []string{url} })
	customer, err := b.operator.Tenant(t.Context(), "tenant_acme")
	require.NoError(t, err)
	customer.Servers = append(customer.Servers, "crm")
	customer.MCP = []tenant.Attachment{{ID: "crm", Test: tenant.Endpoint{URL: url}, RequireCredential: true}}
	require.NoError(t, b.operator.ApplyTenants(t.Context(), []tenant.Tenant{customer}))

	turn := func(text string) (*events.TurnCompleted, []*events.ToolReturned) {
		var returned []*events.ToolReturned
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		sent, err := b.operator.Send(ctx, events.RequestParams{Tenant: "tenant_acme"}, events.Request{Message: text}, false, func(record events.Record) {
			if event, ok := record.Event.(*events.ToolReturned); ok {
				returned = append(returned, event)
			}
		})
		require.NoError(t, err)
		return sent.Ending, returned
	}
	const asked = `/call crm__find_contact {"name":"Ana"}`
	_, returned := turn(asked)
	require.Len(t, returned, 1)
	require.Equal(t, events.ToolRefused, returned[0].Status, "the vault has no credential yet")
	require.Equal(t, events.FaultNoCredential, returned[0].Error.Code)

	_, err = b.operator.SetCredential(t.Context(), "tenant_acme", "crm", CredentialParams{Text: `{"key":"x"}`})
	require.ErrorContains(t, err, "field token is missing")
	names, err := b.operator.SetCredential(t.Context(), "tenant_acme", "crm", CredentialParams{Text: crmToken + "\n"})
	require.NoError(t, err)
	require.Equal(t, []string{"token"}, names)

	end, returned := turn(asked + "\n/call stripe__retrieve_balance {}")
	require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
	require.Len(t, returned, 2)
	for _, event := range returned {
		require.Equal(t, events.ToolOK, event.Status, "%+v", event.Error)
		if event.Server == "crm" {
			require.Equal(t, "find_contact", event.Tool)
			require.Equal(t, "Ana is a customer; Bearer [redacted]", event.Output)
			require.Equal(t, 1, event.Attempts)
			require.NotEmpty(t, event.Key)
		}
	}

	end = b.deliver(t, events.RequestParams{Tenant: "tenant_loja", Kind: events.KindCall},
		events.Request{Tool: "crm__find_contact", Arguments: json.RawMessage(`{"name":"Ana"}`)})
	require.Equal(t, events.FaultServerNotInSession, end.Reason)

	require.Eventually(t, func() bool {
		page, err := b.operator.ToolCalls(t.Context(), usage.ToolCallFilter{Tenant: "tenant_acme", Server: "crm", Tool: "find_contact"})
		require.NoError(t, err)
		billable := 0
		for _, call := range page.Calls {
			if call.Billable {
				billable++
				require.Equal(t, events.ToolOK, call.Status)
			}
		}
		return billable == 1
	}, 20*time.Second, 50*time.Millisecond)

	log, err := b.operator.kit.kv.Audit(t.Context())
	require.NoError(t, err)
	reasons := map[string]bool{}
	_, err = vault.Verify(t.Context(), log, "tenant_acme", "", func(record vault.Record, _ string) {
		if record.Server == "crm" {
			reasons[record.Purpose.Why] = true
		}
	})
	require.NoError(t, err)
	require.True(t, reasons["tool call"] && reasons["list of tools"], "%v", reasons)
}

func TestAttachmentsAreHeldAgainstTheProvidersThatThereAre(t *testing.T) {
	t.Parallel()
	customer := tenant.Tenant{
		ID: "tenant_acme", Servers: []string{"stripe", "crm"},
		MCP: []tenant.Attachment{{ID: "stripe", Live: tenant.Endpoint{URL: "https://stripe.example"}}},
	}.WithDefaults()
	err := checkServers([]tenant.Tenant{customer})
	require.ErrorContains(t, err, `mcp[0].id: "stripe" is a provider that Feira knows by itself`)
	require.ErrorContains(t, err, `servers[1]: there is no provider "crm"`)
	customer.MCP[0].ID = "crm"
	require.NoError(t, checkServers([]tenant.Tenant{customer}))
}
