package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/tenant"
)

// built is the folder of the example servers, made when they are first needed.
var built struct {
	once   sync.Once
	folder string
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.folder != "" {
		_ = os.RemoveAll(built.folder)
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// example is one of the servers that come with the SDK, built from its module.
func example(t *testing.T, name string) string {
	t.Helper()
	built.once.Do(func() {
		if built.folder, built.err = os.MkdirTemp("", "feira-mcp-servers-"); built.err != nil { //nolint:usetesting // it is all tests'
			return
		}
		const module = "github.com/modelcontextprotocol/go-sdk/"
		output, err := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "build", "-o", built.folder+"/",
			module+"examples/server/everything", module+"conformance/everything-server").CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("%w: %s", err, output)
		}
	})
	require.NoError(t, built.err)
	return filepath.Join(built.folder, name)
}

// keys are the credentials of a test, by tenant.
type keys map[events.TenantID]string

func (k keys) Open(_ context.Context, id events.TenantID, _ string, _ events.Environment) (Credential, error) {
	if token, ok := k[id]; ok {
		return oneField(token), nil
	}
	return nil, fmt.Errorf("opening: %w", ErrNoCredential)
}

type oneField string

func (t oneField) Reveal(field string) (string, bool) { return string(t), field == TokenField }

// testBundle is a client with a tenant that has one server, "box".
type testBundle struct {
	client   *Client
	attached tenant.Attachment
	logs     *syncBuffer
}

type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// setup attaches an endpoint that the operator allows.
func setup(t *testing.T, endpoint tenant.Endpoint, change func(*Config)) *testBundle {
	t.Helper()
	b := &testBundle{logs: &syncBuffer{}, attached: tenant.Attachment{ID: "box", Test: endpoint}}
	config := Config{Credentials: keys{}, Logger: slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if endpoint.URL != "" {
		parsed, err := url.Parse(endpoint.URL)
		require.NoError(t, err)
		config.PrivateOrigins = []string{parsed.Scheme + "://" + parsed.Host}
	} else if len(endpoint.Command) > 0 {
		config.Commands = endpoint.Command[:1]
	}
	if change != nil {
		change(&config)
	}
	client, err := New(config)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	b.client = client
	return b
}

func (b *testBundle) reach() agent.Reach {
	return agent.Reach{
		Tenant:  tenant.Tenant{ID: "acme", Servers: []string{"box"}, MCP: []tenant.Attachment{b.attached}},
		Session: "ses_1", Environment: events.EnvironmentTest, Servers: []string{"box"},
	}
}

func (b *testBundle) request(tool, arguments string) agent.Call {
	return agent.Call{
		Tenant: "acme", Session: "ses_1", Request: "req_1", Environment: events.EnvironmentTest,
		Server: "box", Tool: tool, Arguments: json.RawMessage(arguments), Key: "key-0001", Reach: b.reach(),
	}
}

func (b *testBundle) call(t *testing.T, tool, arguments string) agent.Result {
	t.Helper()
	return b.client.Call(t.Context(), b.request(tool, arguments))
}

func (b *testBundle) names(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, tool := range b.client.Tools(t.Context(), b.reach()) {
		names = append(names, tool.Name)
	}
	return names
}

func requireOK(t *testing.T, result agent.Result) string {
	t.Helper()
	require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
	return result.Output
}

func requireFault(t *testing.T, result agent.Result, status events.ToolStatus, code string) {
	t.Helper()
	require.NotNil(t, result.Fault, "%+v", result)
	require.Equal(t, status, result.Status, result.Fault.Message)
	require.Equal(t, code, result.Fault.Code, result.Fault.Message)
	require.Empty(t, result.Output)
}

// serve runs a server that answers HTTP at an address, until the test ends.
func serve(t *testing.T, env []string, command ...string) {
	t.Helper()
	child := exec.CommandContext(context.WithoutCancel(t.Context()), command[0], command[1:]...)
	child.Env = append(os.Environ(), env...)
	require.NoError(t, child.Start())
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
}

// address is one that nobody listens on.
func address(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func awaitAddress(t *testing.T, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp4", address)
		if err != nil {
			return false
		}
		_ = connection.Close()
		return true
	}, 20*time.Second, 20*time.Millisecond)
}

// scripted is a server of the SDK in this process, with the test's tools.
func scripted(t *testing.T, options *sdk.StreamableHTTPOptions, tools func(*sdk.Server)) (*httptest.Server, *sdk.Server) {
	t.Helper()
	server := sdk.NewServer(&sdk.Implementation{Name: "box", Version: "1"}, nil)
	tools(server)
	host := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, options))
	t.Cleanup(func() {
		for open := range server.Sessions() {
			_ = open.Close()
		}
		host.CloseClientConnections()
		host.Close()
	})
	return host, server
}
