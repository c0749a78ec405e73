package provider

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// operator has an application at every server, or at none.
type operator struct {
	fields
	err    error
	opened *int
}

func (o operator) Registration(context.Context, string, events.Environment) (Credential, error) {
	if o.opened != nil {
		*o.opened++
	}
	if o.err != nil {
		return nil, o.err
	}
	if o.fields == nil {
		return nil, ErrNoCredential
	}
	return o.fields, nil
}

var errVaultAway = errors.New("the vault is away")

// desk is a provider that exchanges codes.
type desk struct {
	status int
	answer string
	bodies []string
	types  []string
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	d.bodies, d.types = append(d.bodies, r.URL.Path+" "+string(body)), append(d.types, r.Header.Get("Content-Type"))
	answerWith(d.status, d.answer)(w, r)
}

const goodPair = `{"token_type":"Bearer","expires_in":2592000,"access_token":"access-0001","refresh_token":"refresh-0001"}`

type connectBundle struct {
	desk   *desk
	store  *safe
	client *Client
	logs   *syncBuffer
	clock  time.Time
}

func setupConnect(t *testing.T, change func(*Config, *Manifest)) *connectBundle {
	t.Helper()
	b := &connectBundle{desk: &desk{status: 200, answer: goodPair}, store: &safe{}, clock: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	host := httptest.NewServer(b.desk)
	t.Cleanup(host.Close)
	made := setup(t, "melhor-envio", nil, func(c *Config) {
		c.Credentials, c.Renewals, c.BaseURLs["melhor-envio"] = b.store, b.store, host.URL
		c.Registrations = operator{fields: fields{"client_id": "app-1", "client_secret": "app-secret-0001"}}
		c.Now = func() time.Time { return b.clock }
		c.Manifests = slices.Clone(c.Manifests)
		if change != nil {
			change(c, &c.Manifests[0])
		}
	})
	b.client, b.logs = made.client, made.logs
	return b
}

func authorize() AuthorizeParams {
	return AuthorizeParams{Tenant: "acme", Server: "melhor-envio", Environment: "test", State: "state-1", Redirect: "https://saas.example/connected?x=1"}
}

func connect() ConnectParams {
	return ConnectParams{Tenant: "acme", Server: "melhor-envio", Environment: "test", Code: "code{client_secret}", Redirect: "https://saas.example/connected?x=1"}
}

func pkce(_ *Config, m *Manifest) {
	spec := *m.Auth.Authorize
	spec.PKCE, spec.Form = true, maps.Clone(spec.JSON)
	spec.Form["code_verifier"], spec.JSON = "{$code_verifier}", nil
	m.Auth.Authorize = &spec
}

func TestThePageThatConnectsAnAccount(t *testing.T) {
	t.Parallel()
	b := setupConnect(t, func(c *Config, _ *Manifest) { c.BaseURLs = nil })
	address, err := b.client.AuthorizeURL(t.Context(), authorize())
	require.NoError(t, err)
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, "https://sandbox.melhorenvio.com.br/oauth/authorize", parsed.Scheme+"://"+parsed.Host+parsed.Path)
	query := parsed.Query()
	require.Contains(t, query.Get("scope"), "cart-read cart-write ")
	query.Del("scope")
	require.Equal(t, url.Values{"response_type": {"code"}, "client_id": {"app-1"}, "redirect_uri": {"https://saas.example/connected?x=1"}, "state": {"state-1"}}, query)
	require.NotContains(t, address, "secret")

	b.store.fields = fields{"client_id": "own-app", FieldAccessToken: "access-0000"}
	params := authorize()
	params.Scopes, params.Environment = []string{"orders-read"}, "live"
	address, err = b.client.AuthorizeURL(t.Context(), params)
	require.NoError(t, err)
	require.Contains(t, address, "https://melhorenvio.com.br/oauth/authorize?")
	require.Contains(t, address, "client_id=own-app")
	require.Contains(t, address, "scope=orders-read&")

	challenged := setupConnect(t, pkce)
	params = authorize()
	params.Challenge = strings.Repeat("a", challenge)
	address, err = challenged.client.AuthorizeURL(t.Context(), params)
	require.NoError(t, err)
	require.Contains(t, address, "code_challenge="+params.Challenge+"&code_challenge_method=S256")
}

func TestWhatIsNoGrantIsNotSent(t *testing.T) {
	t.Parallel()
	plain, challenged := setupConnect(t, nil), setupConnect(t, pkce)
	for name, test := range map[string]struct {
		on     *connectBundle
		change func(*AuthorizeParams, *ConnectParams)
		want   error
		says   string
	}{
		"no state":             {plain, func(a *AuthorizeParams, _ *ConnectParams) { a.State = "" }, ErrInvalidGrant, "state"},
		"a long state":         {plain, func(a *AuthorizeParams, _ *ConnectParams) { a.State = strings.Repeat("s", maxState+1) }, ErrInvalidGrant, "state"},
		"an unknown scope":     {plain, func(a *AuthorizeParams, _ *ConnectParams) { a.Scopes = []string{"orders-read", "admin"} }, ErrInvalidGrant, "scopes[1]"},
		"no redirect":          {plain, redirected(""), ErrInvalidGrant, "redirect"},
		"a plain redirect":     {plain, redirected("http://saas.example/x"), ErrInvalidGrant, "redirect"},
		"a redirect's user":    {plain, redirected("https://a@saas.example/x"), ErrInvalidGrant, "redirect"},
		"a redirect's end":     {plain, redirected("https://saas.example/x#y"), ErrInvalidGrant, "redirect"},
		"a foreign redirect":   {plain, redirected("javascript:alert(1)"), ErrInvalidGrant, "redirect"},
		"a long redirect":      {plain, redirected("https://saas.example/" + strings.Repeat("x", maxRedirect)), ErrInvalidGrant, "redirect"},
		"no challenge":         {challenged, func(*AuthorizeParams, *ConnectParams) {}, ErrInvalidGrant, ""},
		"a short verifier":     {challenged, func(_ *AuthorizeParams, c *ConnectParams) { c.Verifier = strings.Repeat("v", minVerifier-1) }, ErrInvalidGrant, "verifier"},
		"a long verifier":      {challenged, func(_ *AuthorizeParams, c *ConnectParams) { c.Verifier = strings.Repeat("v", maxVerifier+1) }, ErrInvalidGrant, "verifier"},
		"an odd verifier":      {challenged, func(_ *AuthorizeParams, c *ConnectParams) { c.Verifier = strings.Repeat("=", minVerifier) }, ErrInvalidGrant, "verifier"},
		"no code":              {plain, func(_ *AuthorizeParams, c *ConnectParams) { c.Code = "" }, ErrInvalidGrant, "code"},
		"a long code":          {plain, func(_ *AuthorizeParams, c *ConnectParams) { c.Code = strings.Repeat("c", maxCode+1) }, ErrInvalidGrant, "code"},
		"a code of two lines":  {plain, func(_ *AuthorizeParams, c *ConnectParams) { c.Code = "a\nb" }, ErrInvalidGrant, "code"},
		"an unknown server":    {plain, served("nobody"), ErrUnknownServer, "nobody"},
		"no environment":       {setupConnect(t, func(c *Config, _ *Manifest) { c.BaseURLs = nil }), func(a *AuthorizeParams, c *ConnectParams) { a.Environment, c.Environment = "x", "x" }, ErrUnknownServer, ""},
		"an application alone": {setupConnect(t, func(c *Config, _ *Manifest) { c.Registrations = operator{} }), func(*AuthorizeParams, *ConnectParams) {}, ErrNotConnectable, "no application"},
		"nobody to ask":        {setupConnect(t, func(c *Config, _ *Manifest) { c.Registrations = nil }), func(*AuthorizeParams, *ConnectParams) {}, ErrNotConnectable, "no application"},
		"the vault is away":    {setupConnect(t, func(c *Config, _ *Manifest) { c.Registrations = operator{err: errVaultAway} }), func(*AuthorizeParams, *ConnectParams) {}, errVaultAway, ""},
		"a server of keys":     {setupConnect(t, func(_ *Config, m *Manifest) { m.Auth.Authorize = nil }), func(*AuthorizeParams, *ConnectParams) {}, ErrNotConnectable, ""},
	} {
		a, c := authorize(), connect()
		test.change(&a, &c)
		_, pageErr := test.on.client.AuthorizeURL(t.Context(), a)
		connectErr := test.on.client.Connect(t.Context(), c)
		err := pageErr
		if err == nil || strings.HasPrefix(test.says, "verifier") {
			err = connectErr
		}
		require.ErrorIs(t, err, test.want, name)
		require.ErrorContains(t, err, test.says, name)
	}
	require.Empty(t, challenged.desk.bodies)
}

func redirected(to string) func(*AuthorizeParams, *ConnectParams) {
	return func(a *AuthorizeParams, c *ConnectParams) { a.Redirect, c.Redirect = to, to }
}

func served(by string) func(*AuthorizeParams, *ConnectParams) {
	return func(a *AuthorizeParams, c *ConnectParams) { a.Server, c.Server = by, by }
}

func TestACodeBecomesAPair(t *testing.T) {
	t.Parallel()
	pair := fields{FieldAccessToken: "access-0001", FieldRefreshToken: "refresh-0001", FieldExpiresAt: "2026-12-24T12:00:00Z"}
	for name, test := range map[string]struct {
		had  fields
		app  string
		want fields
	}{
		"the first":               {nil, "app-1", pair},
		"in place of another":     {fields{FieldAccessToken: "access-0000", FieldRefreshToken: "r", FieldRefusedAt: "2026-01-01T00:00:00Z"}, "app-1", pair},
		"of an application of it": {fields{"client_id": "own-app", "client_secret": "app-secret-0001"}, "own-app", withOwn(pair)},
	} {
		b := setupConnect(t, nil)
		b.store.fields = test.had
		require.NoError(t, b.client.Connect(t.Context(), connect()), name)
		require.Equal(t, test.want, b.store.now(), name)
		path, body, _ := strings.Cut(b.desk.bodies[0], " ")
		require.Equal(t, "/oauth/token", path)
		var sent map[string]string
		require.NoError(t, json.Unmarshal([]byte(body), &sent))
		require.Equal(t, map[string]string{
			"grant_type": "authorization_code", "client_id": test.app, "client_secret": "app-secret-0001",
			"redirect_uri": "https://saas.example/connected?x=1", "code": "code{client_secret}",
		}, sent, name)
	}
	b := setupConnect(t, pkce)
	params := connect()
	params.Verifier = strings.Repeat("v", minVerifier)
	require.NoError(t, b.client.Connect(t.Context(), params))
	require.Contains(t, b.desk.bodies[0], "code_verifier="+params.Verifier)
	require.Equal(t, "application/x-www-form-urlencoded", b.desk.types[0])
}

func withOwn(pair fields) fields {
	own := maps.Clone(pair)
	own["client_id"], own["client_secret"] = "own-app", "app-secret-0001"
	return own
}

func TestACodeThatIsNotTaken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status  int
		answer  string
		refused bool
	}{
		"refused":          {401, `{"error":"code{client_secret}"}`, true},
		"a fault":          {502, ``, false},
		"no token":         {200, `{"refresh_token":"refresh-0001"}`, false},
		"no refresh token": {200, `{"access_token":"access-0001","expires_in":60}`, false},
		"no JSON":          {200, `access-0001`, false},
		"control":          {200, `{"access_token":"a\nb","refresh_token":"refresh-0001"}`, false},
	} {
		b := setupConnect(t, nil)
		b.desk.status, b.desk.answer = test.status, test.answer
		err := b.client.Connect(t.Context(), connect())
		require.Error(t, err, name)
		require.Equal(t, test.refused, errors.Is(err, ErrRefused), name)
		requireNoToken(t, err.Error()+b.logs.String())
		require.NotContains(t, err.Error(), "code{")
		require.Empty(t, b.store.now(), name)
		require.Len(t, b.desk.bodies, 1, "a code is sent once")
	}
}

// The operator's application renews what was connected to it, is opened only
// when it is time, and is not stored with the tenant's credential.
func TestTheOperatorsApplicationRenews(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		left   time.Duration
		app    operator
		want   int
		opened bool
	}{
		"in time":            {time.Hour, operator{fields: fields{"client_id": "app-1", "client_secret": "app-secret-0001"}}, 1, true},
		"before it is time":  {30 * 24 * time.Hour, operator{fields: fields{"client_id": "app-1", "client_secret": "app-secret-0001"}}, 0, false},
		"half of one":        {time.Hour, operator{fields: fields{"client_id": "app-1"}}, 0, true},
		"none":               {time.Hour, operator{}, 0, true},
		"it cannot be asked": {time.Hour, operator{err: errVaultAway}, 0, true},
	} {
		b := setupRenewal(t, 1, test.left)
		delete(b.store.fields, "client_id")
		delete(b.store.fields, "client_secret")
		opened := 0
		test.app.opened = &opened
		b.workers[0].client.config.Registrations = test.app
		require.Equal(t, events.ToolOK, b.all(t)[0].Status, name)
		require.Equal(t, test.want, b.issuer.exchanges, name)
		require.Equal(t, test.opened, opened > 0, name)
		require.NotContains(t, b.store.now(), "client_secret")
		requireNoToken(t, b.workers[0].logs.String())
	}
}

func TestRenewIsWhatACallWouldDo(t *testing.T) {
	t.Parallel()
	b := setupRenewal(t, 1, time.Hour)
	renew := func() error { return b.workers[0].client.Renew(t.Context(), "acme", "melhor-envio", "test") }
	require.NoError(t, renew())
	require.NoError(t, renew(), "nothing is left to do")
	require.Equal(t, 1, b.issuer.exchanges)
	require.Equal(t, "access-0001", b.store.now()[FieldAccessToken])
	require.ErrorIs(t, b.workers[0].client.Renew(t.Context(), "acme", "nobody", "test"), ErrUnknownServer)

	for _, left := range []time.Duration{time.Hour, -time.Hour} {
		b = setupRenewal(t, 1, left)
		b.issuer.refuse = http.StatusUnauthorized
		err := renew()
		require.ErrorIs(t, err, ErrRefused)
		requireNoToken(t, err.Error())
		require.Equal(t, b.clock.Format(time.RFC3339), b.store.now()[FieldRefusedAt])
		b.issuer.refuse = 0
		b.claim(0)
		b.store.fields[FieldRefusedAt] = b.clock.Add(time.Second - refusedPause).Format(time.RFC3339)
		require.NoError(t, renew(), "it is left alone for a while")
		require.Equal(t, 1, b.issuer.exchanges)
		b.store.fields[FieldRefusedAt] = b.clock.Add(-refusedPause).Format(time.RFC3339)
		require.NoError(t, renew(), "a provider may think better of it")
		require.Equal(t, 2, b.issuer.exchanges)
		require.NotContains(t, b.store.now(), FieldRefusedAt)
	}
	b = setupRenewal(t, 1, time.Hour)
	b.issuer.refuse = http.StatusBadGateway
	require.NotErrorIs(t, renew(), ErrRefused)
	require.NotContains(t, b.store.now(), FieldRefusedAt)
}
