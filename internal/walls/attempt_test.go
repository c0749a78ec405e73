package walls

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// attempt is one call that tries to get through a wall, and the refusal that it
// meets. A row says what it changes of a call that is served.
type attempt struct {
	server string // Defaults to "open".
	// handler plays the server where the call is to reach one.
	handler http.HandlerFunc
	change  func(*provider.Config)
	visit   func(*visit)
	// past makes the call at the providers' client, as if the session's wall had
	// let it pass.
	past func(*agent.Call)
	// welcome is how many calls are served before the one that is refused.
	welcome int

	status events.ToolStatus
	code   string
	says   string
	// sent is how many requests the server saw, all refused in effect.
	sent int
}

// visit is a session and what it asks for.
type visit struct {
	tenant      tenant.Tenant
	servers     []string // that the session was opened with
	environment events.Environment
	name        string // of the tool
	arguments   string
}

// run makes the attempt, and returns what the caller is told.
func (row attempt) run(t *testing.T) string {
	t.Helper()
	if row.server == "" {
		row.server = "open"
	}
	handler := row.handler
	if handler == nil {
		handler = answer(`{}`)
	}
	var reached atomic.Int32
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		handler(w, r)
	}))
	t.Cleanup(host.Close)
	config := provider.Config{
		BaseURLs: map[string]string{row.server: host.URL + "/base"}, Tries: 1, RetryWait: time.Millisecond,
		Credentials: fields{"secret_key": "stripe-key-0001", "client_id": "id", "client_secret": "nuvem-secret-0001", "key": "open-key-0001"},
	}
	if row.server == "open" {
		config.Manifests = []provider.Manifest{openManifest()}
	}
	if row.change != nil {
		row.change(&config)
	}
	client, err := provider.New(config)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	for range row.welcome {
		status, fault := row.try(t, client)
		require.Equal(t, events.ToolOK, status, "%+v", fault)
	}
	status, fault := row.try(t, client)
	require.NotNil(t, fault, "it was not refused: %s", status)
	require.Equal(t, row.status, status, fault.Message)
	require.Equal(t, row.code, fault.Code, fault.Message)
	require.Contains(t, fault.Message, row.says)
	require.EqualValues(t, row.sent+row.welcome, reached.Load())
	return string(status) + " " + fault.Code + ": " + fault.Message
}

func (row attempt) try(t *testing.T, client *provider.Client) (events.ToolStatus, *events.ToolFault) {
	t.Helper()
	if row.past != nil {
		call := agent.Call{
			Tenant: "acme", Session: "ses_1", Request: "req_1", Environment: events.EnvironmentTest,
			Server: row.server, Tool: "read", Arguments: json.RawMessage(`{"id":"1"}`), Key: "key-0001",
		}
		row.past(&call)
		result := client.Call(t.Context(), call)
		require.Empty(t, result.Output)
		return result.Status, result.Fault
	}
	v := visit{
		tenant:  tenant.Tenant{ID: "acme", Servers: []string{row.server, "asaas"}},
		servers: []string{row.server}, environment: events.EnvironmentTest,
		name: agent.ToolName(row.server, "read"), arguments: `{"id":"1"}`,
	}
	if row.visit != nil {
		row.visit(&v)
	}
	returned := v.call(t, client)
	return returned.Status, returned.Error
}

// call runs a turn that asks for the tool, and returns its outcome. The model
// asks, so that a name may be anything.
func (v visit) call(t *testing.T, client *provider.Client) *events.ToolReturned {
	t.Helper()
	log := &journal{state: session.New(v.tenant.ID, "ses_1")}
	require.NoError(t, log.Append(t.Context(), &events.SessionOpened{Servers: v.servers, Environment: v.environment}))
	require.NoError(t, log.Append(t.Context(), &events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "w1", Message: "hello", RequestSequence: 1}))
	loop, err := agent.New(agent.Config{Model: asking(v), Catalogue: client, Provider: client})
	require.NoError(t, err)
	_, err = loop.Run(t.Context(), agent.Scope{Tenant: v.tenant.WithDefaults(), State: log.state}, log)
	require.NoError(t, err)
	require.NotNil(t, log.returned)
	return log.returned
}

// asking is a model that asks for one call, and then is done.
type asking visit

// Reply implements [agent.Model].
func (m asking) Reply(_ context.Context, prompt agent.Prompt, _ func(string)) (agent.Reply, error) {
	if prompt.Messages[len(prompt.Messages)-1].Role == agent.RoleTool {
		return agent.Reply{Model: "m", Text: "done"}, nil
	}
	return agent.Reply{Model: "m", ToolCalls: []events.ToolCall{{ID: "a", Name: m.name, Arguments: m.arguments}}}, nil
}

// journal is kept in memory.
type journal struct {
	mu       sync.Mutex
	state    *session.State
	returned *events.ToolReturned
}

// Turn implements [agent.Journal].
func (j *journal) Turn() *session.Turn {
	turn, _ := j.state.Turn("req_1")
	return turn
}

// Append implements [agent.Journal].
func (j *journal) Append(_ context.Context, event events.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if returned, ok := event.(*events.ToolReturned); ok {
		j.returned = returned
	}
	return errors.Join(event.Validate(), j.state.Apply(events.Record{
		Sequence: j.state.Last + 1, Event: event, Envelope: events.Envelope{Request: "req_1", Type: event.EventType(), Time: time.Now()},
	}))
}

// Decide implements [agent.Journal].
func (j *journal) Decide(ctx context.Context, decide func() events.Event) error {
	return j.Append(ctx, decide())
}

// fields is a credential, and what opens as one for every tenant.
type fields map[string]string

// Reveal implements [provider.Credential].
func (f fields) Reveal(name string) (string, bool) {
	value, ok := f[name]
	return value, ok
}

// Open implements [provider.Credentials].
func (f fields) Open(context.Context, events.TenantID, string, events.Environment) (provider.Credential, error) {
	return f, nil
}

// opener opens what a test says.
type opener func(tenant events.TenantID) (provider.Credential, error)

// Open implements [provider.Credentials].
func (o opener) Open(_ context.Context, tenant events.TenantID, _ string, _ events.Environment) (provider.Credential, error) {
	return o(tenant)
}

// openManifest is a server of one reading tool.
func openManifest() provider.Manifest {
	return provider.Manifest{
		ID: "open", Name: "Open", Body: provider.EncodingJSON,
		BaseURLs:   map[events.Environment]string{events.EnvironmentLive: "https://open.example"},
		Credential: provider.CredentialSpec{Fields: []provider.CredentialField{{Name: "key", Secret: true}}},
		Auth:       provider.Auth{Kind: provider.AuthHeader, Headers: map[string]string{"X-Key": "{key}"}},
		Tools: []provider.ToolSpec{{
			Name: "read", Description: "Reads a thing.", Safety: agent.SafetyRead, Method: http.MethodGet, Path: "/things/{id}/parts",
			Parameters: json.RawMessage(`{"type":"object","additionalProperties":false,"required":["id"],"properties":{"id":{"type":"string"}}}`),
		}},
	}
}

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// oneLine makes a refusal fit a table.
func oneLine(text string) string {
	const most = 150
	if text = strings.Join(strings.Fields(text), " "); len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
