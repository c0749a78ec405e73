package sandbox_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// An account that an application is connected to: a code and a refresh token
// are good once, each for its time, for the application that they were given to.
func TestMelhorEnvioGivesOutTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := map[string]string{"access_token": "access-0", "refresh_token": "refresh-0", "client_id": "app-1", "client_secret": "secret-1"}
	_, err := b.Open("melhor-envio", sandbox.Account{Tenant: "anna", Credential: app})
	require.NoError(t, err)
	_, err = b.Open("melhor-envio", sandbox.Account{Tenant: "bia", Credential: map[string]string{"access_token": "access-1", "client_id": "app-2", "client_secret": "secret-2"}})
	require.NoError(t, err)
	p := b.peer(t, "melhor-envio", acme)
	renew := func(refresh, client, secret string) answer {
		return p.call(t, http.MethodPost, "/oauth/token", `{"grant_type":"refresh_token","client_id":"`+client+`","client_secret":"`+secret+`","refresh_token":"`+refresh+`"}`)
	}
	for _, wrong := range []answer{
		renew("refresh-0", "app-1", "secret-2"), renew("refresh-0", "app-2", "secret-2"), renew("refresh-x", "app-1", "secret-1"), renew("refresh-0", "", ""),
	} {
		require.Equal(t, http.StatusUnauthorized, wrong.status)
		require.NotContains(t, wrong.raw, "refresh-0")
	}
	first := renew("refresh-0", "app-1", "secret-1")
	require.Equal(t, http.StatusOK, first.status, first.raw)
	require.Equal(t, http.StatusUnauthorized, renew("refresh-0", "app-1", "secret-1").status)
	require.Equal(t, 1, b.Journal().Count(journal.Filter{Account: "anna", Effect: "token.reused"}))
	second := renew(first.text("refresh_token"), "app-1", "secret-1")
	require.Equal(t, http.StatusOK, second.status)
	require.Equal(t, 2, b.Journal().Count(journal.Filter{Account: "anna", Effect: "token.renewed"}))
	p.header.Set("Authorization", "Bearer "+second.text("access_token"))
	p.ok(t, http.MethodGet, "/me/balance", "")

	page := func(change func(url.Values)) answer {
		query := url.Values{"client_id": {"app-1"}, "response_type": {"code"}, "redirect_uri": {"https://saas.example/x?y=1"}, "state": {"s"}}
		change(query)
		return p.call(t, http.MethodGet, "/oauth/authorize?"+query.Encode(), "")
	}
	for want, change := range map[int]func(url.Values){
		401: func(q url.Values) { q.Set("client_id", "app-3") },
		400: func(q url.Values) { q.Set("redirect_uri", "x") },
	} {
		require.Equal(t, want, page(change).status)
	}
	require.Equal(t, http.StatusBadRequest, page(func(q url.Values) { q.Set("response_type", "token") }).status)
	require.Equal(t, http.StatusBadRequest, p.call(t, http.MethodPost, "/oauth/token", `{"grant_type":"password","client_id":"app-1","client_secret":"secret-1"}`).status)
	require.Equal(t, http.StatusBadRequest, p.call(t, http.MethodPost, "/oauth/token", `{`).status)

	b.clock.advance(31 * 24 * time.Hour)
	require.Equal(t, http.StatusUnauthorized, p.call(t, http.MethodGet, "/me/balance", "").status, "an access token ends")
	b.clock.advance(15 * 24 * time.Hour)
	require.Equal(t, http.StatusUnauthorized, renew(second.text("refresh_token"), "app-1", "secret-1").status, "a refresh token ends too")
	require.NotContains(t, second.raw, "access-0")
}
