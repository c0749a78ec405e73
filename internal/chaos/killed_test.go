package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/provider/providertest"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

const (
	// victims is how many calls of each class lose a worker.
	victims = 10
	// killPatience bounds what takes a lease or two on an idle machine.
	killPatience = 2 * time.Minute
	killPace     = 50 * time.Millisecond
	killSession  = events.SessionID("ses_1")
)

// victim is one call, of a tenant of its own, that workers die over.
type victim struct {
	providertest.Subject

	tenant    events.TenantID
	fields    credential
	arguments string
	// before says, for each request that is held, whether it is held before its
	// effect; later requests pass.
	before []bool
}

// ward stands before the fakes and holds requests until their worker is dead.
type ward struct {
	*httptest.Server

	behind string
	client *http.Client

	mu      sync.Mutex
	victims map[string]*victim // by what tells their credential
	waiting map[events.TenantID]bool
}

// ServeHTTP implements [http.Handler].
func (w *ward) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	whose, before, held := w.next(r)
	answer := httptest.NewRecorder()
	if !held || !before {
		w.forward(answer, r, body)
	}
	if held {
		w.wait(whose, true)
		<-r.Context().Done() // the worker is dead
		w.wait(whose, false)
		return
	}
	maps.Copy(out.Header(), answer.Header())
	out.WriteHeader(answer.Code)
	_, _ = out.Write(answer.Body.Bytes())
}

// next is what becomes of a request.
func (w *ward) next(r *http.Request) (whose events.TenantID, before, held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	sent := r.URL.Path + r.Header.Get("Authorization") + r.Header.Get("Access_token")
	for key, one := range w.victims {
		if strings.Contains(sent, key) && len(one.before) > 0 {
			before, one.before = one.before[0], one.before[1:]
			return one.tenant, before, true
		}
	}
	return "", false, false
}

func (w *ward) wait(whose events.TenantID, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if on {
		w.waiting[whose] = true
	} else {
		delete(w.waiting, whose)
	}
}

func (w *ward) held() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting)
}

func (w *ward) forward(out http.ResponseWriter, r *http.Request, body []byte) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, w.behind+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		out.WriteHeader(http.StatusTeapot)
		return
	}
	request.Header = r.Header.Clone()
	response, err := w.client.Do(request)
	if err != nil {
		out.WriteHeader(http.StatusTeapot)
		return
	}
	defer func() { _ = response.Body.Close() }()
	out.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	out.WriteHeader(response.StatusCode)
	_, _ = io.Copy(out, response.Body)
}

// credential is one tenant's, and what opens as one.
type credential map[string]string

// Reveal implements [provider.Credential].
func (c credential) Reveal(field string) (string, bool) {
	value, ok := c[field]
	return value, ok
}

// Open implements [provider.Credentials].
func (c credential) Open(context.Context, events.TenantID, string, events.Environment) (provider.Credential, error) {
	return c, nil
}

// infirmary is a Feira whose workers are processes that are killed.
type infirmary struct {
	sandbox *sandbox.Sandbox
	ward    *ward
	server  *testenv.Server
	js      jetstream.JetStream
	env     []string
	cfg     config.Config
	all     []*victim
}

// TestEffectsWhenWorkersAreKilled makes calls of each class by real workers,
// holds each request before or after its effect, and kills its worker with -9;
// for some, the worker that takes over as well. The fakes' journals and the
// sessions' logs judge: one effect of a key, none doubled without, and an
// outcome that nobody can know is told as such.
func TestEffectsWhenWorkersAreKilled(t *testing.T) {
	t.Parallel()
	b := setupInfirmary(t)
	b.role(t, "scheduler").WaitForOutput(t, regexp.MustCompile(`"msg":"leading"`))
	first, second := b.role(t, "worker"), b.role(t, "worker")
	b.ask(t)
	b.waitForHeld(t, len(b.all))
	first.Kill(t)
	second.Kill(t)
	b.waitForHeld(t, 0)

	again := 0
	for _, one := range b.all {
		again += len(one.before)
	}
	require.Positive(t, again)
	third := b.role(t, "worker")
	b.waitForHeld(t, again)
	third.Kill(t)
	b.role(t, "worker")
	require.Eventually(t, func() bool { return b.drained(t) }, killPatience, killPace)
	b.judge(t)
}

func setupInfirmary(t *testing.T) *infirmary {
	t.Helper()
	world, err := sandbox.New(sandbox.Config{Now: func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }})
	require.NoError(t, err)
	require.NoError(t, world.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, world.Stop(context.WithoutCancel(t.Context()))) })
	b := &infirmary{sandbox: world, server: testenv.NATS(t)}
	b.js = b.server.JetStream(t)
	parsed, err := url.Parse(world.BaseURLs()["stripe"])
	require.NoError(t, err)
	b.ward = &ward{
		behind: parsed.Scheme + "://" + parsed.Host, client: &http.Client{Transport: &http.Transport{}},
		victims: map[string]*victim{}, waiting: map[events.TenantID]bool{},
	}
	b.ward.Server = httptest.NewServer(b.ward)
	t.Cleanup(func() {
		b.ward.Close()
		b.ward.client.CloseIdleConnections()
	})
	b.configure(t)
	b.admit(t)
	return b
}

func (b *infirmary) through(server string) string {
	return strings.Replace(b.sandbox.BaseURLs()[server], b.ward.behind, b.ward.URL, 1)
}

func (b *infirmary) configure(t *testing.T) {
	t.Helper()
	b.cfg = config.Default()
	b.cfg.DataDir = testenv.Dir(t)
	b.cfg.NATS.URL, b.cfg.NATS.User, b.cfg.NATS.Password = b.server.URL, b.server.User, config.Redacted(b.server.Password)
	var urls []string
	for _, server := range sandbox.Servers() {
		urls = append(urls, server+"="+b.through(server))
	}
	b.env = []string{
		"FEIRA_DATA_DIR=" + b.cfg.DataDir, "FEIRA_PROVIDER_URLS=" + strings.Join(urls, ";"), "FEIRA_WORKER_SLOTS=" + strconv.Itoa(victims*len(providertest.Subjects())),
		"OPENAI_API_KEY=test-key-of-the-sandbox", "OPENAI_BASE_URL=" + b.sandbox.ModelURL(), "FEIRA_MODEL=feira-offline",
		"FEIRA_NATS_URL=" + b.server.URL, "FEIRA_NATS_USER=" + b.server.User, "FEIRA_NATS_PASSWORD=" + b.server.Password,
	}
}

// admit registers a tenant for each call, and makes what the call is about.
func (b *infirmary) admit(t *testing.T) {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: io.Discard})
	require.NoError(t, err)
	operator := app.NewOperator(b.cfg, tel)
	defer operator.Close()
	var tenants []tenant.Tenant
	for class, about := range providertest.Subjects() {
		for n := range victims {
			name := fmt.Sprintf("%s-%d", regexp.MustCompile(`[^a-z]+`).ReplaceAllString(class, "-"), n)
			one := &victim{Subject: about, tenant: events.TenantID(name), before: []bool{n%2 == 0}}
			if n%3 == 0 && class != "unsafe" { // which nobody asks about again
				one.before = append(one.before, n%4 == 0)
			}
			b.all = append(b.all, one)
			tenants = append(tenants, tenant.Tenant{ID: one.tenant, Servers: []string{about.Server}}.WithDefaults())
		}
	}
	require.NoError(t, operator.ApplyTenants(t.Context(), tenants))
	for _, one := range b.all {
		opened, err := b.sandbox.Open(one.Server, sandbox.Account{Tenant: string(one.tenant)})
		require.NoError(t, err)
		one.fields = opened
		text, err := json.Marshal(opened)
		require.NoError(t, err)
		_, err = operator.SetCredential(t.Context(), one.tenant, one.Server, app.CredentialParams{Text: string(text)})
		require.NoError(t, err)
		one.arguments = b.prepared(t, one)
	}
	b.ward.mu.Lock()
	defer b.ward.mu.Unlock()
	for _, one := range b.all {
		key := one.fields["secret_key"] + one.fields["api_key"] + one.fields["token"]
		b.ward.victims[key] = one
	}
}

// manifest is the part of one that prepares a call.
func (b *infirmary) manifest(t *testing.T, one *victim) []provider.Manifest {
	t.Helper()
	manifests, err := provider.Embedded()
	require.NoError(t, err)
	manifests = slices.DeleteFunc(manifests, func(m provider.Manifest) bool { return m.ID != one.Server })
	require.Len(t, manifests, 1)
	manifests[0].Tools = slices.DeleteFunc(manifests[0].Tools, func(spec provider.ToolSpec) bool {
		return !slices.ContainsFunc(one.Prepare, func(step [2]string) bool { return step[0] == spec.Name })
	})
	return manifests
}

// prepared makes what a call is about, and gives its arguments.
func (b *infirmary) prepared(t *testing.T, one *victim) string {
	t.Helper()
	if len(one.Prepare) == 0 {
		return one.Arguments
	}
	client, err := provider.New(provider.Config{
		Manifests: b.manifest(t, one), Credentials: one.fields, BaseURLs: map[string]string{one.Server: b.sandbox.BaseURLs()[one.Server]},
	})
	require.NoError(t, err)
	defer client.Close()
	id := ""
	for _, step := range one.Prepare {
		result := client.Call(t.Context(), agent.Call{
			Tenant: one.tenant, Environment: events.EnvironmentTest, Server: one.Server, Tool: step[0],
			Arguments: json.RawMessage(strings.ReplaceAll(step[1], "%s", id)), Key: step[0],
		})
		require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
		var made struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(result.Output), &made))
		id = made.ID
	}
	return strings.ReplaceAll(one.Arguments, "%s", id)
}

func (b *infirmary) role(t *testing.T, role string) *testenv.Child {
	t.Helper()
	child := testenv.Start(t, testenv.ChildParams{Path: testenv.Binary(t), Env: b.env, Args: []string{"run", role}})
	child.WaitForOutput(t, regexp.MustCompile(`roles are up`))
	return child
}

func (b *infirmary) connect(t *testing.T) *bus.Bus {
	t.Helper()
	broker, err := bus.Connect(t.Context(), bus.Config{URL: b.server.URL, User: b.server.User, Password: b.server.Password, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	return broker
}

// ask publishes the calls.
func (b *infirmary) ask(t *testing.T) {
	t.Helper()
	broker := b.connect(t)
	for _, one := range b.all {
		message, err := events.NewRequest(events.RequestParams{Tenant: one.tenant, Session: killSession, Kind: events.KindCall, ID: "req_1"},
			events.Request{Tool: agent.ToolName(one.Server, one.Tool), Arguments: json.RawMessage(one.arguments)})
		require.NoError(t, err)
		_, err = broker.Requests().Publish(t.Context(), message)
		require.NoError(t, err)
	}
}

func (b *infirmary) waitForHeld(t *testing.T, want int) {
	t.Helper()
	require.Eventually(t, func() bool { return b.ward.held() == want }, killPatience, killPace, "%d requests are to be held", want)
}

func (b *infirmary) drained(t *testing.T) bool {
	t.Helper()
	for _, name := range []string{events.StreamRequests, events.StreamRuns} {
		stream, err := b.js.Stream(t.Context(), name)
		if err != nil || stream.CachedInfo().State.Msgs > 0 {
			return false
		}
	}
	return true
}

// judge holds every call's journal against its log.
func (b *infirmary) judge(t *testing.T) {
	t.Helper()
	broker, met := b.connect(t), map[string]int{}
	for _, one := range b.all {
		records, err := broker.Log().Read(t.Context(), one.tenant, killSession, 0)
		require.NoError(t, err)
		var returned []*events.ToolReturned
		ends, attempts := 0, 0
		for _, record := range records {
			switch event := record.Event.(type) {
			case *events.ToolReturned:
				returned = append(returned, event)
			case *events.TurnCompleted:
				ends++
			case *events.TurnStarted:
				attempts = max(attempts, event.Attempt)
			}
		}
		require.Len(t, returned, 1, one.tenant)
		require.Equal(t, 1, ends, one.tenant)
		require.GreaterOrEqual(t, attempts, 2, "%s: no worker died over it", one.tenant)
		met[string(one.Safety)+" "+string(returned[0].Status)]++
		b.judgeOne(t, one, returned[0])
	}
	t.Logf("%v", met)
}

func (b *infirmary) judgeOne(t *testing.T, one *victim, returned *events.ToolReturned) {
	t.Helper()
	entries := b.sandbox.Journal().Entries(journal.Filter{Server: one.Server, Account: string(one.tenant), Effect: one.Effect})
	told := []any{"%s: %s: %+v", one.tenant, returned.Status, returned.Error}
	if one.Safety == agent.SafetyRead {
		require.Empty(t, entries, told...)
		require.Equal(t, events.ToolOK, returned.Status, told...)
		return
	}
	require.LessOrEqual(t, len(entries), 1, told...)
	switch {
	case one.Safety == agent.SafetyKeyed: // it is done once, whoever did it
		require.Equal(t, events.ToolOK, returned.Status, told...)
		require.Len(t, entries, 1, told...)
		require.Equal(t, returned.Key, entries[0].Key, told...)
	case one.Safety == agent.SafetyIdempotent: // the second time, it may be refused for being done
		require.Len(t, entries, 1, told...)
		require.Contains(t, []events.ToolStatus{events.ToolOK, events.ToolUnknown}, returned.Status, told...)
	case one.Traced && len(entries) == 1: // it is found again
		require.Equal(t, events.ToolOK, returned.Status, told...)
	case one.Traced:
		require.NotEqual(t, events.ToolOK, returned.Status, told...)
	default:
		require.Equal(t, events.ToolUnknown, returned.Status, told...)
		require.Equal(t, events.FaultOutcomeUnknown, returned.Error.Code, told...)
	}
}
