package dialogue_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

// turning sends each request to the next of some gateways, with a key.
type turning struct {
	key       string
	addresses []string
	next      atomic.Uint64
}

// RoundTrip implements [http.RoundTripper].
func (r *turning) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	request.URL.Host = r.addresses[r.next.Add(1)%uint64(len(r.addresses))]
	request.Header.Set("Authorization", "Bearer "+r.key)
	return http.DefaultTransport.RoundTrip(request)
}

type mcpBundle struct {
	*wallBundle

	addresses []string
	session   string
}

// setupMCP has two gateways, and a session of a tenant of its own.
func setupMCP(t *testing.T, servers ...string) *mcpBundle {
	t.Helper()
	b := &mcpBundle{wallBundle: &wallBundle{Bed: Start(t, nil), keys: map[string]string{}}}
	b.addresses = []string{b.Address, b.Gateway(t)}
	_, b.keys["own"] = b.Key(t, access.MintParams{Tenant: "tenant_acme", Scopes: []access.Scope{access.ScopeAll}})
	list, err := json.Marshal(servers)
	require.NoError(t, err)
	b.session = b.field(t, b.ask(t, b.keys["own"], "POST", "/v1/sessions", `{"servers":`+string(list)+`}`), "id")
	return b
}

func (b *mcpBundle) client(t *testing.T, key, version string) (*mcp.ClientSession, error) {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	wire := &turning{key: key, addresses: b.addresses}
	opened, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{
		Endpoint: "http://gateway/v1/sessions/" + b.session + "/mcp", HTTPClient: &http.Client{Transport: wire}, MaxRetries: -1,
	}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err == nil {
		t.Cleanup(func() { _ = opened.Close() }) // there is no session of MCP to end
	}
	return opened, err
}

func mcpVersions() []string { return []string{"2025-06-18", "2025-11-25", "2026-07-28"} }

// Show 4 of the gateway: the official client lists the session's tools and calls
// them, whichever gateway each of its requests meets.
func TestMCPClientListsAndCalls(t *testing.T) {
	t.Parallel()
	b := setupMCP(t, "correios")
	var offered struct{ Tools []struct{ Name string } }
	require.NoError(t, json.Unmarshal([]byte(b.ask(t, b.keys["own"], "GET", "/v1/sessions/"+b.session+"/connections", "").Body), &offered))
	for _, version := range mcpVersions() {
		client, err := b.client(t, b.keys["own"], version)
		require.NoError(t, err, version)
		require.Equal(t, version, client.InitializeResult().ProtocolVersion)
		listed, err := client.ListTools(t.Context(), nil)
		require.NoError(t, err, version)
		require.Len(t, listed.Tools, len(offered.Tools))
		for _, tool := range listed.Tools {
			server, _, _ := strings.Cut(tool.Name, "__")
			require.True(t, server == "correios" || strings.HasPrefix(tool.Name, "codespar_"), tool.Name)
		}
		result, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: "correios__find_cep", Arguments: map[string]any{"cep": "01310100"}})
		require.NoError(t, err, version)
		require.False(t, result.IsError)
		require.Contains(t, result.Content[0].(*mcp.TextContent).Text, "Avenida Paulista")
		result, err = client.CallTool(t.Context(), &mcp.CallToolParams{Name: "correios__find_cep", Arguments: map[string]any{"cep": 7}})
		require.NoError(t, err, version)
		require.True(t, result.IsError)
		require.Contains(t, result.Content[0].(*mcp.TextContent).Text, "/cep: want string")
		_, err = client.CallTool(t.Context(), &mcp.CallToolParams{Name: "stripe__retrieve_balance"})
		require.ErrorContains(t, err, "unknown tool", version)
	}
	require.Eventually(t, func() bool { // each call is counted, the refused ones too
		return strings.Contains(b.ask(t, b.keys["own"], "GET", "/v1/usage", "").Body, `"total":6`)
	}, time.Minute, 20*time.Millisecond)
}

// A call that a client cancels ends, whichever gateway hears of it.
func TestMCPCallIsCancelled(t *testing.T) {
	t.Parallel()
	b := setupMCP(t, "correios")
	require.NoError(t, b.Operator.PauseTenant(t.Context(), "tenant_acme", true)) // its calls wait
	for n, version := range mcpVersions() {
		client, err := b.client(t, b.keys["own"], version)
		require.NoError(t, err, version)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := client.CallTool(ctx, &mcp.CallToolParams{Name: "correios__find_cep", Arguments: map[string]any{"cep": "01310100"}})
			ended <- err
		}()
		require.Eventually(t, func() bool {
			heads, err := b.Broker.Requests().List(t.Context(), "tenant_acme")
			return err == nil && len(heads) == 1
		}, time.Minute, 10*time.Millisecond)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.Eventually(t, func() bool {
			records, err := b.Broker.Log().Read(t.Context(), "tenant_acme", events.SessionID(b.session), 0)
			require.NoError(t, err)
			over := 0
			for _, record := range records {
				if end, ok := record.Event.(*events.TurnCompleted); ok {
					require.Equal(t, events.TurnCancelled, end.Status)
					require.Contains(t, end.Detail, "MCP client")
					over++
				}
			}
			return over == n+1
		}, time.Minute, 10*time.Millisecond, version)
	}
}

// A client that leaves without a word, by a version in which that says nothing,
// leaves its call going on.
func TestMCPCallOutlivesItsClient(t *testing.T) {
	t.Parallel()
	b := setupMCP(t, "correios")
	require.NoError(t, b.Operator.PauseTenant(t.Context(), "tenant_acme", true))
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.Address+"/v1/sessions/"+b.session+"/mcp",
		strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"correios__find_cep","arguments":{"cep":"01310100"}}}`))
	require.NoError(t, err)
	for name, value := range map[string]string{
		"Authorization": "Bearer " + b.keys["own"], "Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Session-Id": "mcs_1", "Mcp-Protocol-Version": "2025-06-18",
	} {
		request.Header.Set(name, value)
	}
	left := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = answer.Body.Close()
		}
		left <- err
	}()
	require.Eventually(t, func() bool {
		heads, err := b.Broker.Requests().List(t.Context(), "tenant_acme")
		return err == nil && len(heads) == 1
	}, time.Minute, 10*time.Millisecond)
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	require.NoError(t, b.Operator.PauseTenant(t.Context(), "tenant_acme", false))
	require.Eventually(t, func() bool {
		return strings.Contains(b.ask(t, b.keys["own"], "GET", "/v1/sessions/"+b.session+"/logs", "").Body, `"status":"success"`)
	}, time.Minute, 20*time.Millisecond)
}

func TestMCPNeedsTheKeyOfItsSession(t *testing.T) {
	t.Parallel()
	b := setupMCP(t, "correios")
	_, other := b.Key(t, access.MintParams{Tenant: "tenant_loja", Scopes: []access.Scope{access.ScopeAll}})
	for name, key := range map[string]string{"nobody's": "csk_test_x", "another tenant's": other} {
		_, err := b.client(t, key, "")
		require.Error(t, err, name)
	}
}
