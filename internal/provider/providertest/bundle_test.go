package providertest

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const tenant = "loja"

// credential is one tenant's, in the fields of its provider.
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

// testBundle is a client of one provider's fake, and an ear at the fake.
type testBundle struct {
	server   string
	manifest provider.Manifest
	fields   credential
	sandbox  *sandbox.Sandbox
	client   *provider.Client
	// saved are the parts of answers that later calls need.
	saved map[string]string

	mu    sync.Mutex
	now   time.Time
	heard []sandbox.Exchange
}

var manifests = sync.OnceValues(provider.Embedded)

func manifestOf(t *testing.T, server string) provider.Manifest {
	t.Helper()
	all, err := manifests()
	require.NoError(t, err)
	for _, one := range all {
		if one.ID == server {
			one.Tools = slices.Clone(one.Tools) // A test may change its own.
			return one
		}
	}
	require.FailNow(t, "no manifest", server)
	return provider.Manifest{}
}

func setup(t *testing.T, server string, change ...func(*provider.Config)) *testBundle {
	t.Helper()
	b := &testBundle{
		server: server, manifest: manifestOf(t, server), saved: map[string]string{}, now: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
	}
	started, err := sandbox.New(sandbox.Config{Now: b.clock, Observe: b.hear})
	require.NoError(t, err)
	b.sandbox = started
	require.NoError(t, started.Start(t.Context()))
	fields, err := started.Open(server, sandbox.Account{Tenant: tenant})
	require.NoError(t, err)
	b.fields = maps.Clone(fields)
	if server == "nuvem-fiscal" { // what its fake asks nobody for, and a tool sends
		b.fields["certificate"], b.fields["certificate_password"] = "MIIKwgIBAzCC", "not-a-real-one"
	}
	config := provider.Config{
		Manifests: []provider.Manifest{b.manifest}, Credentials: b.fields, BaseURLs: map[string]string{server: started.BaseURLs()[server]},
		RetryWait: time.Microsecond, Now: b.clock, Wait: func(context.Context, time.Duration) error { return nil },
	}
	for _, one := range change {
		one(&config)
	}
	config.BreakerFailures = 1000 // the faults here are of single calls
	b.client, err = provider.New(config)
	require.NoError(t, err)
	t.Cleanup(func() {
		b.client.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		require.NoError(t, started.Stop(ctx))
	})
	return b
}

func (b *testBundle) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *testBundle) advance(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func (b *testBundle) hear(exchange sandbox.Exchange) {
	if strings.HasSuffix(exchange.Path, "/oauth/token") || strings.Contains(exchange.Path, "/token/v1/autentica/") {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, exchange)
}

// took hands out what was heard since it was last asked.
func (b *testBundle) took() []sandbox.Exchange {
	b.mu.Lock()
	defer b.mu.Unlock()
	heard := b.heard
	b.heard = nil
	return heard
}

// begin makes the call of a turn. The key is the turn's own.
func (b *testBundle) begin(t *testing.T, one turn, number int) agent.Call {
	t.Helper()
	b.advance(one.advance)
	b.saved["key"] = "key-" + strconv.Itoa(number)
	return agent.Call{
		Tenant: tenant, Session: "ses_1", Request: "req_1", Environment: events.EnvironmentTest, Server: b.server, Tool: one.tool,
		Arguments: json.RawMessage(filled(t, one.arguments, b.saved)), Key: b.saved["key"],
	}
}

// elsewhere does what somebody else does before a call: a customer who pays.
func (b *testBundle) elsewhere(t *testing.T, one turn) {
	t.Helper()
	if one.meanwhile == "" {
		return
	}
	method, rest, _ := strings.Cut(filled(t, one.meanwhile, b.saved), " ")
	path, body, _ := strings.Cut(rest, " ")
	header := http.Header{"Access_token": {b.fields["api_key"]}, "Content-Type": {"application/json"}}
	if b.server == "nuvem-fiscal" {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {b.fields["client_id"]}, "client_secret": {b.fields["client_secret"]}}
		token := b.send(t, http.MethodPost, "/oauth/token", form.Encode(), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		header.Set("Authorization", "Bearer "+pick(t, token, "/access_token"))
	}
	answer := b.send(t, method, path, body, header)
	for _, keep := range one.keeps {
		b.saved[keep[0]] = pick(t, answer, keep[1])
	}
	b.took()
}

// send asks the fake for something without the client.
func (b *testBundle) send(t *testing.T, method, path, body string, header http.Header) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, b.sandbox.BaseURLs()[b.server]+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header, request.Close = header, true
	request.Header.Set("User-Agent", "somebody else")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", path, answer)
	return answer
}

// save keeps the parts of an answer that later turns need.
func (b *testBundle) save(t *testing.T, one turn, answer []byte) {
	t.Helper()
	for _, save := range one.saves {
		b.saved[save[0]] = pick(t, answer, save[1])
	}
}

// base is the path that all tools share.
func (b *testBundle) base(t *testing.T) string {
	t.Helper()
	parsed, err := url.Parse(b.sandbox.BaseURLs()[b.server])
	require.NoError(t, err)
	shared := strings.TrimPrefix(parsed.EscapedPath(), "/"+b.server)
	if b.server == "z-api" {
		shared += "/instances/" + b.fields["instance_id"] + "/token/" + b.fields["token"]
	}
	return shared
}

// effects are the names of what the journal holds from a line on.
func (b *testBundle) effects(from int) []string {
	var names []string
	for _, entry := range b.sandbox.Journal().Entries(journal.Filter{Server: b.server, Account: tenant})[from:] {
		names = append(names, entry.Effect)
	}
	return names
}

func (b *testBundle) lines() int {
	return b.sandbox.Journal().Count(journal.Filter{Server: b.server, Account: tenant})
}

func (b *testBundle) spec(t *testing.T, tool string) provider.ToolSpec {
	t.Helper()
	for _, one := range b.manifest.Tools {
		if one.Name == tool {
			return one
		}
	}
	require.FailNow(t, "no tool", "%s of %s", tool, b.server)
	return provider.ToolSpec{}
}
