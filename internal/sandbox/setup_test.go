package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox"
)

const (
	acme = "acme"
	loja = "loja"
)

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type bundle struct {
	*sandbox.Sandbox
	clock *clock
	http  *http.Client
}

// setup starts a sandbox in which both tenants have accounts everywhere.
func setup(t *testing.T, change ...func(*sandbox.Config)) *bundle {
	t.Helper()
	c := &clock{now: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
	config := sandbox.Config{Now: c.Now, Accounts: map[string][]sandbox.Account{}}
	for _, server := range sandbox.Servers() {
		config.Accounts[server] = []sandbox.Account{{Tenant: acme}, {Tenant: loja}}
	}
	for _, one := range change {
		one(&config)
	}
	s, err := sandbox.New(config)
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context()))
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return &bundle{Sandbox: s, clock: c, http: &http.Client{Transport: transport}}
}

func (b *bundle) credential(t *testing.T, server, tenant string) map[string]string {
	t.Helper()
	fields, err := b.Open(server, sandbox.Account{Tenant: tenant})
	require.NoError(t, err)
	return fields
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	list   []any
	raw    string
}

// text follows names, or numbers of a list, to a text.
func (a answer) text(path ...string) string {
	var at any = a.body
	for _, name := range path {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	switch at := at.(type) {
	case string:
		return at
	case json.Number:
		return at.String()
	default:
		return ""
	}
}

// peer calls one server as one tenant.
type peer struct {
	*bundle
	server string
	base   string
	header http.Header
}

func (b *bundle) peer(t *testing.T, server, tenant string) *peer {
	t.Helper()
	fields := b.credential(t, server, tenant)
	p := &peer{bundle: b, server: server, base: b.BaseURLs()[server], header: http.Header{}}
	switch server {
	case "stripe":
		p.header.Set("Authorization", "Bearer "+fields["secret_key"])
	case "asaas":
		p.header.Set("Access_token", fields["api_key"])
	case "melhor-envio":
		p.header.Set("Authorization", "Bearer "+fields["access_token"])
	case "z-api":
		p.base += "/instances/" + fields["instance_id"] + "/token/" + fields["token"]
		p.header.Set("Client-Token", fields["client_token"])
	case "correios":
		p.header.Set("Authorization", "Bearer "+b.correiosToken(t, fields, fields["posting_card"]).text("token"))
	case "nuvem-fiscal":
		p.header.Set("Authorization", "Bearer "+b.nuvemToken(t, fields, "").text("access_token"))
	}
	return p
}

func (b *bundle) correiosToken(t *testing.T, fields map[string]string, card string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		b.BaseURLs()["correios"]+"/token/v1/autentica/cartaopostagem", strings.NewReader(`{"numero":"`+card+`"}`))
	require.NoError(t, err)
	request.SetBasicAuth(fields["user"], fields["access_code"])
	return b.do(t, request)
}

func (b *bundle) nuvemToken(t *testing.T, fields map[string]string, scope string) answer {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {fields["client_id"]}, "client_secret": {fields["client_secret"]}, "scope": {scope}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.BaseURLs()["nuvem-fiscal"]+"/oauth/token", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(t, request)
}

// call sends JSON, or for stripe a form that is a text already.
func (p *peer) call(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	return p.do(t, p.request(t, method, path, body, header...))
}

func (p *peer) request(t *testing.T, method, path, body string, header ...string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.base+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header = p.header.Clone()
	if body != "" {
		kind := "application/json"
		if p.server == "stripe" {
			kind = "application/x-www-form-urlencoded"
		}
		request.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return request
}

func (p *peer) ok(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	got := p.call(t, method, path, body, header...)
	require.Less(t, got.status, 300, got.raw)
	return got
}

func (b *bundle) do(t *testing.T, request *http.Request) answer {
	t.Helper()
	response, err := b.http.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	got := answer{status: response.StatusCode, header: response.Header, raw: string(data)}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	require.NoError(t, decoder.Decode(&value), got.raw)
	got.body, _ = value.(map[string]any)
	got.list, _ = value.([]any)
	return got
}

func (b *bundle) openai(key string) *openai.Client {
	config := openai.DefaultConfig(key)
	config.BaseURL = b.ModelURL()
	config.HTTPClient = b.http
	return openai.NewClientWithConfig(config)
}
