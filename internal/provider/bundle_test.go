package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fields is a credential, and what opens as one for every tenant.
type fields map[string]string

func (f fields) Reveal(name string) (string, bool) {
	value, ok := f[name]
	return value, ok
}

func (f fields) Open(context.Context, events.TenantID, string, events.Environment) (Credential, error) {
	return f, nil
}

type opener func(tenant events.TenantID) (Credential, error)

func (o opener) Open(_ context.Context, tenant events.TenantID, _ string, _ events.Environment) (Credential, error) {
	return o(tenant)
}

// credentialOf is a credential of each server, in forms that no known secret has.
func credentialOf(server string) fields {
	return map[string]fields{
		"stripe":       {"secret_key": "stripe-key-0001"},
		"correios":     {"user": "loja", "access_code": "correios-code-0001", "posting_card": "0067599079"},
		"nuvem-fiscal": {"client_id": "nuvem-id", "client_secret": "nuvem-secret-0001"},
		"asaas":        {"api_key": "asaas-key-0001"},
		"melhor-envio": {"access_token": "melhor-token-0001"},
		"z-api":        {"instance_id": "3C01", "token": "zapi-token-0001", "client_token": "zapi-client-0001"},
	}[server]
}

// seen is a request as the provider got it.
type seen struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

// testBundle is a client of one provider that the test plays itself.
type testBundle struct {
	client *Client
	server string
	logs   *syncBuffer

	mu    sync.Mutex
	calls []seen
	waits []time.Duration
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

func answerWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// setup plays a provider; requests for a token are answered beside the test.
func setup(t *testing.T, server string, handler http.HandlerFunc, change func(*Config)) *testBundle {
	t.Helper()
	b := &testBundle{server: server, logs: &syncBuffer{}}
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isTokenPath(r.URL.Path) {
			answerWith(http.StatusOK, `{"token":"short-lived-0001","access_token":"short-lived-0001","expires_in":3600,"expiraEm":"2099-01-01T00:00:00"}`)(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.calls = append(b.calls, seen{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Body: string(body), Header: r.Header.Clone()})
		b.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler(w, r)
	}))
	t.Cleanup(host.Close)
	config := Config{
		Manifests:   manifestOf(t, server),
		Credentials: credentialOf(server),
		BaseURLs:    map[string]string{server: host.URL + "/base"},
		RetryWait:   time.Millisecond,
		Logger:      slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Wait: func(_ context.Context, d time.Duration) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.waits = append(b.waits, d)
			return nil
		},
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

var loadOnce = sync.OnceValues(Embedded)

// manifestOf spares each test the reading of all.
func manifestOf(t *testing.T, server string) []Manifest {
	t.Helper()
	manifests, err := loadOnce()
	require.NoError(t, err)
	for _, manifest := range manifests {
		if manifest.ID == server {
			return []Manifest{manifest}
		}
	}
	return nil // the test brings its own
}

func isTokenPath(path string) bool {
	return strings.HasSuffix(path, "/oauth/token") || strings.Contains(path, "/token/v1/autentica/")
}

func (b *testBundle) call(t *testing.T, tool, arguments string) agent.Result {
	t.Helper()
	return b.client.Call(t.Context(), b.request(tool, arguments))
}

func (b *testBundle) request(tool, arguments string) agent.Call {
	return agent.Call{
		Tenant: "acme", Session: "ses_1", Request: "req_1", Environment: events.EnvironmentTest,
		Server: b.server, Tool: tool, Arguments: json.RawMessage(arguments), Key: "key-0001",
	}
}

func (b *testBundle) requests() []seen {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]seen(nil), b.calls...)
}

// cut breaks the connection off without an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

func requireFault(t *testing.T, result agent.Result, status events.ToolStatus, code string) {
	t.Helper()
	require.NotNil(t, result.Fault, "%+v", result)
	require.Equal(t, status, result.Status, result.Fault.Message)
	require.Equal(t, code, result.Fault.Code, result.Fault.Message)
	require.Empty(t, result.Output)
}
