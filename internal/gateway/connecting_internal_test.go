package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/tenant"
)

// connectBundle is a gateway as far as connecting needs one. It is its own
// grants, provider and registry.
type connectBundle struct {
	*Gateway
	Directory

	now      time.Time
	kept     map[string][]byte
	page     ConnectPage
	code     ConnectCode
	redeemed int
	refusal  error
	customer tenant.Tenant
	gone     bool
	said     strings.Builder
}

func (b *connectBundle) Put(_ context.Context, id string, value []byte) error {
	b.kept[id] = value
	return nil
}

func (b *connectBundle) Take(_ context.Context, id string) ([]byte, bool, error) {
	value, found := b.kept[id]
	delete(b.kept, id)
	return value, found, nil
}

func (b *connectBundle) Page(_ context.Context, _ tenant.Tenant, page ConnectPage) (string, error) {
	b.page = page
	return "https://provider.example/authorize", nil
}

func (b *connectBundle) Redeem(_ context.Context, _ tenant.Tenant, code ConnectCode) error {
	b.code = code
	b.redeemed++
	return b.refusal
}

func (b *connectBundle) Lookup(context.Context, tenant.ID) (tenant.Tenant, bool, error) {
	return b.customer, !b.gone, nil
}

func (b *connectBundle) Tagged(context.Context, string) ([]tenant.ID, error) { return nil, nil }

func (b *connectBundle) Server(_ context.Context, _ tenant.Tenant, id string) (Server, bool) {
	return Server{ID: id}, true
}

func setupConnect(t *testing.T) *connectBundle {
	t.Helper()
	b := &connectBundle{
		now: time.Unix(1_800_000_000, 0), kept: map[string][]byte{},
		customer: tenant.Tenant{ID: "acme", Environment: events.EnvironmentTest}.WithDefaults(),
	}
	returns, err := parseRedirects([]string{"https://app.example/connected"})
	require.NoError(t, err)
	b.Gateway = &Gateway{returns: returns, cfg: Config{
		Tenants: b, Directory: b, Logger: slog.New(slog.NewTextHandler(&b.said, nil)), Now: func() time.Time { return b.now },
		Connecting: Connecting{Grants: b, Connector: b, PublicURL: func() string { return "https://feira.example" }},
	}}
	return b
}

// begin returns the link's token.
func (b *connectBundle) begin(t *testing.T) string {
	t.Helper()
	in := &connectStartIn{}
	in.Body.ServerID, in.Body.UserID, in.Body.Redirect = "melhor-envio", "acme", "https://app.example/connected?a=b"
	caller := platform(t)
	ctx := context.WithValue(t.Context(), exchangeKey{}, &exchange{charged: true})
	out, err := b.connectStart(ctx, caller, in)
	require.NoError(t, err)
	require.Equal(t, b.now.Add(10*time.Minute).UTC(), time.Time(out.Body.ExpiresAt).UTC())
	return out.Body.LinkToken
}

func (b *connectBundle) comeBack(t *testing.T, in connectReturnIn) (url.Values, error) {
	t.Helper()
	out, err := b.connectReturn(t.Context(), access.Caller{}, &in)
	if err != nil {
		require.Nil(t, out)
		return nil, err
	}
	require.Equal(t, http.StatusFound, out.Status)
	to, err := url.Parse(out.Location)
	require.NoError(t, err)
	require.Equal(t, "https://app.example/connected", to.Scheme+"://"+to.Host+to.Path)
	return to.Query(), nil
}

func platform(t *testing.T) access.Caller {
	t.Helper()
	key, secret, err := access.Mint(zeros{}, access.MintParams{
		Name: "test", Environment: events.EnvironmentTest, Scopes: []access.Scope{access.ScopeAll}, CreatedAt: time.Unix(1, 0),
	})
	require.NoError(t, err)
	caller, err := key.Admit(secret, time.Unix(2, 0))
	require.NoError(t, err)
	return caller
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// The verifier that goes with the code is that of the challenge which went with
// the page, and neither it nor the token is kept in between.
func TestConnectKeepsNoSecret(t *testing.T) {
	t.Parallel()
	b := setupConnect(t)
	token := b.begin(t)
	require.Equal(t, token, b.page.State)
	require.Equal(t, "https://feira.example/v1/connect/return", b.page.Return)
	require.Len(t, b.kept, 1)
	for id, value := range b.kept {
		for _, secret := range []string{token, verifierOf(token)} {
			require.NotContains(t, id+string(value), secret)
		}
	}
	query, err := b.comeBack(t, connectReturnIn{State: token, Code: "the-code"})
	require.NoError(t, err)
	require.Equal(t, "connected", query.Get("status"))
	require.Equal(t, "b", query.Get("a"))
	require.Equal(t, b.page.Challenge, challengeOf(b.code.Verifier))
	require.Equal(t, ConnectCode{Server: "melhor-envio", Code: "the-code", Return: b.page.Return, Verifier: b.code.Verifier}, b.code)
	_, err = b.comeBack(t, connectReturnIn{State: token, Code: "the-code"})
	require.Error(t, err, "it is good once")
	require.Equal(t, 1, b.redeemed)
}

func TestConnectThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*connectBundle)
		in     connectReturnIn
		why    string // empty where the person is sent nowhere
		sent   int
	}{
		"ten minutes later":               {func(b *connectBundle) { b.now = b.now.Add(grantTime) }, connectReturnIn{Code: "c"}, "", 0},
		"a place that is allowed no more": {func(b *connectBundle) { b.returns = nil }, connectReturnIn{Code: "c"}, "", 0},
		"what was kept cannot be read": {func(b *connectBundle) {
			for id := range b.kept {
				b.kept[id] = []byte("{")
			}
		}, connectReturnIn{Code: "c"}, "", 0},
		"the tenant is gone":         {func(b *connectBundle) { b.gone = true }, connectReturnIn{Code: "c"}, "tenant_not_found", 0},
		"the tenant is live now":     {func(b *connectBundle) { b.customer.Environment = events.EnvironmentLive }, connectReturnIn{Code: "c"}, "tenant_not_found", 0},
		"the person says no":         {nil, connectReturnIn{Error: "access_denied", Code: "c"}, "access_denied", 0},
		"a word that is none":        {nil, connectReturnIn{Error: "Se\r\ncret"}, "provider_error", 0},
		"no code":                    {nil, connectReturnIn{}, "provider_error", 0},
		"the provider says no":       {func(b *connectBundle) { b.refusal = ErrUnfit }, connectReturnIn{Code: "c"}, "invalid_grant", 1},
		"the provider cannot be had": {func(b *connectBundle) { b.refusal = errors.New("away") }, connectReturnIn{Code: "c-o-d-e"}, "temporarily_unavailable", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupConnect(t)
			row.in.State = b.begin(t)
			if row.change != nil {
				row.change(b)
			}
			query, err := b.comeBack(t, row.in)
			require.Equal(t, row.sent, b.redeemed)
			require.NotContains(t, b.said.String(), "c-o-d-e")
			require.NotContains(t, b.said.String(), row.in.State)
			require.Empty(t, b.kept, "the link is spent, whatever came of it")
			if row.why == "" {
				refused, ok := errors.AsType[*APIError](err)
				require.True(t, ok)
				require.Equal(t, http.StatusBadRequest, refused.status)
				return
			}
			require.NoError(t, err)
			require.Equal(t, url.Values{"a": {"b"}, "status": {"error"}, "error": {row.why}, "server_id": {"melhor-envio"}}, query)
		})
	}
}

// A grant says of whom and of what it is.
func TestGrantsAreBound(t *testing.T) {
	t.Parallel()
	b := setupConnect(t)
	b.begin(t)
	for _, value := range b.kept {
		var kept grant
		require.NoError(t, json.Unmarshal(value, &kept))
		require.Equal(t, tenant.ID("acme"), kept.Tenant)
		require.Equal(t, events.EnvironmentTest, kept.Environment)
		require.Equal(t, "melhor-envio", kept.Server)
	}
}
