package commercetest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/commerce"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	shop = tenant.ID("loja")
	cpf  = "529.982.247-25"
	cnpj = "11222333000181"
)

// noon is when the tests take place.
func noon() time.Time { return time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC) }

// fields is one credential.
type fields map[string]string

// Reveal implements [provider.Credential].
func (f fields) Reveal(name string) (string, bool) {
	value, ok := f[name]
	return value, ok
}

// safe is the credentials of one account, by server.
type safe map[string]fields

// Open implements [provider.Credentials].
func (s safe) Open(_ context.Context, _ events.TenantID, server string, _ events.Environment) (provider.Credential, error) {
	if found, ok := s[server]; ok {
		return found, nil
	}
	return nil, provider.ErrNoCredential
}

// testBundle is a market over the fakes.
type testBundle struct {
	sandbox *sandbox.Sandbox
	safe    safe
	client  *provider.Client
	market  *commerce.Market
	reach   agent.Reach
	calls   int

	mu    sync.Mutex
	now   time.Time
	heard []sandbox.Exchange
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
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, exchange)
}

// sent is the body of the last request that a fake got at a path.
func (b *testBundle) sent(t *testing.T, path string) string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range slices.Backward(b.heard) {
		if strings.HasSuffix(one.Path, path) && one.Method != http.MethodGet {
			return string(one.Body)
		}
	}
	require.FailNow(t, "nothing was sent there", path)
	return ""
}

func setup(t *testing.T, servers ...string) *testBundle {
	t.Helper()
	b := &testBundle{safe: safe{}, now: noon()}
	started, err := sandbox.New(sandbox.Config{Now: b.clock, Observe: b.hear})
	require.NoError(t, err)
	require.NoError(t, started.Start(t.Context()))
	b.sandbox = started
	for _, server := range sandbox.Servers() {
		opened, err := started.Open(server, sandbox.Account{Tenant: string(shop)})
		require.NoError(t, err)
		b.safe[server] = opened
	}
	b.client, err = provider.New(provider.Config{
		Manifests: manifests(t), Credentials: b.safe, BaseURLs: started.BaseURLs(), RetryWait: time.Microsecond, Now: b.clock,
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }, BreakerFailures: 1000,
	})
	require.NoError(t, err)
	b.market, err = commerce.New(commerce.Config{Catalogue: b.client, Provider: b.client, Now: b.clock})
	require.NoError(t, err)
	b.reach = agent.Reach{
		Tenant: tenant.Tenant{ID: shop, Servers: servers}.WithDefaults(), Session: "ses_1", Environment: events.EnvironmentTest, Servers: servers, Opened: servers,
	}
	t.Cleanup(func() {
		b.client.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		require.NoError(t, started.Stop(ctx))
	})
	return b
}

var embedded = sync.OnceValues(provider.Embedded)

func manifests(t *testing.T) []provider.Manifest {
	t.Helper()
	all, err := embedded()
	require.NoError(t, err)
	return slices.Clone(all)
}

// call makes a call of a tool by the name that a model gives it.
func (b *testBundle) call(t *testing.T, name, arguments string) agent.Result {
	t.Helper()
	server, tool, ok := agent.SplitTool(name)
	require.True(t, ok, name)
	b.calls++
	return b.market.Call(t.Context(), agent.Call{
		Tenant: shop, Session: "ses_1", Request: "req_1", Environment: events.EnvironmentTest, Server: server, Tool: tool,
		Arguments: json.RawMessage(arguments), Key: "feira_key_" + string(rune('a'+b.calls)), Reach: b.reach,
	})
}

// ok is the answer of a call that goes well.
func (b *testBundle) ok(t *testing.T, name, arguments string) map[string]any {
	t.Helper()
	result := b.call(t, name, arguments)
	require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
	decoder := json.NewDecoder(strings.NewReader(result.Output))
	decoder.UseNumber()
	var answer map[string]any
	require.NoError(t, decoder.Decode(&answer))
	return answer
}

// refused is the word on why a call is not made.
func (b *testBundle) refused(t *testing.T, name, arguments string) string {
	t.Helper()
	before := len(b.effects())
	result := b.call(t, name, arguments)
	require.Equal(t, events.ToolRefused, result.Status, "%s %+v", result.Output, result.Fault)
	require.Len(t, b.effects(), before)
	return result.Fault.Message
}

// effects are the names of what the journal holds.
func (b *testBundle) effects() []string {
	var names []string
	for _, entry := range b.sandbox.Journal().Entries(journal.Filter{Account: string(shop)}) {
		names = append(names, entry.Effect)
	}
	return names
}

// booked holds an answer against the journal: its id is that of an effect.
func (b *testBundle) booked(t *testing.T, server, effect string, answer map[string]any) {
	t.Helper()
	require.Equal(t, 1, b.sandbox.Journal().Count(journal.Filter{
		Server: server, Account: string(shop), Effect: effect, Object: answer["id"].(string),
	}), effect)
}

// elsewhere asks Asaas's fake for something that no tool does: a buyer who pays.
func (b *testBundle) elsewhere(t *testing.T, path string) {
	t.Helper()
	elsewhere(t, b.sandbox.BaseURLs()["asaas"]+path, b.safe["asaas"]["api_key"])
}

func elsewhere(t require.TestingT, address, key string) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address, bytes.NewReader([]byte("{}")))
	require.NoError(t, err)
	request.Header, request.Close = http.Header{"Access_token": {key}, "User-Agent": {"somebody else"}}, true
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", answer)
}

// stocked gives the account at Asaas some money, by a charge that is paid.
func (b *testBundle) stocked(t *testing.T) {
	t.Helper()
	made := b.ok(t, "codespar_charge", `{"amount":500,"currency":"BRL","method":"pix","description":"Stock","buyer":{"name":"Maria Silva","document":"`+cpf+`"}}`)
	b.elsewhere(t, "/sandbox/payment/"+url.PathEscape(made["id"].(string))+"/confirm")
}

// shaped holds an answer against the fields of the protocol: all that must be,
// none beyond those that may be.
func shaped(t *testing.T, answer map[string]any, must, may string) {
	t.Helper()
	for name := range strings.FieldsSeq(must) {
		require.Contains(t, answer, name)
		require.NotEmpty(t, answer[name], name)
	}
	allowed := strings.Fields(must + " " + may)
	for name := range answer {
		require.Contains(t, allowed, name)
	}
}
