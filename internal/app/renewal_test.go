package app

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/vault"
	"github.com/feira-dev/feira/workers/upkeep"
)

// entry is what is shown of acme's credential.
func (b *keysBundle) entry(t *testing.T) CredentialEntry {
	t.Helper()
	entries, err := b.plainVault(t).List(t.Context(), "acme")
	require.NoError(t, err)
	require.Len(t, entries, 1)
	return newCredentialEntry(entries[0], b.now())
}

// token is acme's access token as it is stored.
func (b *keysBundle) token(t *testing.T) string {
	t.Helper()
	opened, err := b.plainVault(t).Open(t.Context(), "acme", shipping, "test", vault.Purpose{Why: "test"})
	require.NoError(t, err)
	token, _ := opened.Reveal("access_token")
	return token
}

// all has each worker make a call at once.
func (b *keysBundle) all(t *testing.T, workers []*provider.Client) []agent.Result {
	t.Helper()
	results := make([]agent.Result, len(workers))
	var group sync.WaitGroup
	for i, worker := range workers {
		group.Go(func() { results[i] = balance(t.Context(), worker, "acme", shipping, "test") })
	}
	group.Wait()
	return results
}

// Eight processes with one credential that ends make one renewal, and none uses
// a token that is not stored, while its key is rotated too.
func TestOnePairIsRenewedOnceByAllProcesses(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]time.Duration{"before its end": time.Hour, "after its end": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupKeys(t)
			b.seal(t, "acme", shipping, b.pair(left))
			first := b.token(t)
			early := make(chan string, 64)
			b.hear = func(exchange sandbox.Exchange) {
				token := strings.TrimPrefix(exchange.Header.Get("Authorization"), "Bearer ")
				if strings.HasSuffix(exchange.Path, "/me/balance") && token != first && token != b.token(t) {
					early <- token
				}
			}
			var workers []*provider.Client
			for range 8 {
				workers = append(workers, b.worker(t))
			}
			var group sync.WaitGroup
			rotations := make(chan error, 1)
			group.Go(func() {
				_, err := b.plainVault(t).Rotate(t.Context(), "acme")
				rotations <- err
			})
			for range 3 {
				for _, result := range b.all(t, workers) {
					requireServed(t, result)
				}
			}
			group.Wait()
			require.NoError(t, <-rotations)
			require.Equal(t, 1, b.renewals())
			require.Zero(t, b.sandbox.Journal().Count(journal.Filter{Effect: "token.reused"}))
			require.Equal(t, 24, b.asked("/me/balance"))
			require.Empty(t, early, "a token was used before it was stored")
			require.NotEqual(t, first, b.token(t))
			shown := b.entry(t)
			require.Equal(t, CredentialSealed, shown.State)
			require.Equal(t, b.now().Add(30*24*time.Hour), shown.ExpiresAt)
			b.requireSound(t)
		})
	}
}

// A worker that died between its claim and the exchange leaves a claim that
// runs out.
func TestAClaimOfADeadWorkerRunsOut(t *testing.T) {
	t.Parallel()
	b := setupKeys(t)
	b.seal(t, "acme", shipping, b.pair(time.Hour))
	dead := credentials{vault: b.plainVault(t)}
	was, err := dead.Open(t.Context(), "acme", shipping, "test")
	require.NoError(t, err)
	claim := b.pair(time.Hour)
	claim["access_token"], _ = was.Reveal("access_token")
	claim["renewing_until"] = b.now().Add(time.Minute).Format(time.RFC3339)
	_, err = dead.Replace(t.Context(), provider.Renewal{Tenant: "acme", Server: shipping, Environment: "test", Was: was, Fields: claim})
	require.NoError(t, err)
	_, err = dead.Replace(t.Context(), provider.Renewal{Tenant: "acme", Server: shipping, Environment: "test", Was: was, Fields: claim})
	require.ErrorIs(t, err, provider.ErrReplaced)
	require.Equal(t, CredentialRenewing, b.entry(t).State)

	worker := b.worker(t)
	b.pass(59 * time.Second)
	requireServed(t, balance(t.Context(), worker, "acme", shipping, "test"))
	require.Zero(t, b.renewals())
	b.pass(time.Second)
	requireServed(t, balance(t.Context(), worker, "acme", shipping, "test"))
	require.Equal(t, 1, b.renewals())
	require.Equal(t, CredentialSealed, b.entry(t).State)
}

// The provider has renewed the pair and nobody knows it: the connection is lost,
// which is what a worker that dies there comes to. The old token does as long as
// it lasts, then the account has to be connected again, and says so everywhere.
func TestALostPairIsReportedAsItIs(t *testing.T) {
	t.Parallel()
	b := setupKeys(t)
	b.seal(t, "acme", shipping, b.pair(time.Hour))
	require.NoError(t, b.sandbox.Fault(fault.Fault{Kind: fault.KindCut, Server: shipping, Path: "/oauth/token", AfterEffect: true}))
	worker := b.worker(t)
	requireServed(t, balance(t.Context(), worker, "acme", shipping, "test"))
	require.Equal(t, 1, b.renewals(), "at the provider")
	require.Equal(t, CredentialRenewing, b.entry(t).State, "the claim is left to run out")

	b.pass(time.Minute)
	requireServed(t, balance(t.Context(), worker, "acme", shipping, "test"))
	require.Equal(t, 1, b.sandbox.Journal().Count(journal.Filter{Effect: "token.reused"}))
	require.Equal(t, CredentialRefused, b.entry(t).State)

	b.pass(time.Hour)
	requireRefused(t, balance(t.Context(), worker, "acme", shipping, "test"), "the account has to be connected again")
	require.Equal(t, 1, b.renewals())

	// A person connects it again, as by "feira credential set".
	b.sealed(t, "acme", shipping, map[string]string{"access_token": b.connected(t)})
	requireServed(t, balance(t.Context(), worker, "acme", shipping, "test"))
	require.Equal(t, CredentialSealed, b.entry(t).State)
	b.requireSound(t)
}

// connected is a new access token of acme's account.
func (b *keysBundle) connected(t *testing.T) string {
	t.Helper()
	params := connection()
	location := b.grant(t, params)
	require.NoError(t, b.worker(t).Connect(t.Context(), provider.ConnectParams{
		Tenant: "acme", Server: shipping, Environment: "test", Code: location.Get("code"), Redirect: params.Redirect,
	}))
	return b.token(t)
}

func connection() provider.AuthorizeParams {
	return provider.AuthorizeParams{Tenant: "acme", Server: shipping, Environment: "test", State: "state-1", Redirect: "https://saas.example/connected"}
}

// grant has a person say yes, and returns what comes back with them.
func (b *keysBundle) grant(t *testing.T, params provider.AuthorizeParams) url.Values {
	t.Helper()
	page, err := b.worker(t).AuthorizeURL(t.Context(), params)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, page, nil)
	require.NoError(t, err)
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusFound, response.StatusCode)
	location, err := response.Location()
	require.NoError(t, err)
	require.Equal(t, "saas.example", location.Host)
	return location.Query()
}

// An account's whole life by the operator's own application: connected by a
// person, renewed by a call, its secret in the operator's place alone.
func TestAnAccountIsConnected(t *testing.T) {
	t.Parallel()
	b := setupKeys(t)
	_, err := b.worker(t).AuthorizeURL(t.Context(), connection())
	require.ErrorIs(t, err, provider.ErrNotConnectable, "nobody has registered an application")
	b.registered(t)
	_, err = b.sandbox.Open(shipping, sandbox.Account{Tenant: "acme", Credential: map[string]string{
		"access_token": "nobody-has-it", "client_id": "saas-app", "client_secret": "CANARY-saas-secret",
	}})
	require.NoError(t, err)
	back := b.grant(t, connection())
	require.Equal(t, "state-1", back.Get("state"))
	connect := provider.ConnectParams{Tenant: "acme", Server: shipping, Environment: "test", Code: back.Get("code"), Redirect: "https://saas.example/other"}
	worker := b.worker(t)
	require.ErrorIs(t, worker.Connect(t.Context(), connect), provider.ErrRefused, "another redirect")
	connect.Redirect = connection().Redirect
	require.NoError(t, worker.Connect(t.Context(), connect))
	require.ErrorIs(t, worker.Connect(t.Context(), connect), provider.ErrRefused, "a code is good once")
	requireServed(t, balance(t.Context(), worker, "acme", shipping, "test"))
	require.Equal(t, []string{"access_token", "expires_at", "refresh_token"}, b.entry(t).Fields)
	requireRefused(t, balance(t.Context(), worker, "loja", shipping, "test"), "there is no test credential")

	b.pass(24 * 24 * time.Hour) // six days are left
	requireServed(t, balance(t.Context(), worker, "acme", shipping, "test"))
	require.Equal(t, 1, b.renewals())
	require.Equal(t, []string{"access_token", "expires_at", "refresh_token"}, b.entry(t).Fields, "the application's secret stays the operator's")
	b.requireSound(t)
}

// registered seals the operator's application.
func (b *keysBundle) registered(t *testing.T) {
	t.Helper()
	b.sealed(t, vault.Operator, shipping, map[string]string{"client_id": "saas-app", "client_secret": "CANARY-saas-secret"})
}

// upkeep is a process of the role.
func (b *keysBundle) upkeep(t *testing.T) {
	t.Helper()
	accounts := rested{vault: b.plainVault(t), client: b.worker(t)}
	part, err := upkeep.NewRenewals(upkeep.Config{Accounts: accounts, Renewer: accounts, Pace: time.Millisecond, Now: b.now})
	require.NoError(t, err)
	require.NoError(t, part.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, part.Stop(context.WithoutCancel(t.Context()))) })
}

// Accounts that nobody uses are renewed, once each by any number of processes,
// and what cannot be is shown.
func TestIdleAccountsAreRenewed(t *testing.T) {
	t.Parallel()
	b := setupKeys(t)
	b.seal(t, "acme", shipping, b.pair(6*24*time.Hour))
	for tenant, left := range map[events.TenantID]time.Duration{"loja": time.Hour, "later": 8 * 24 * time.Hour, "lost": time.Hour} {
		pair := b.pair(left)
		pair["refresh_token"] += string(tenant)
		b.seal(t, tenant, shipping, pair)
		if tenant == "lost" {
			pair["refresh_token"] = "CANARY-unknown"
			pair["access_token"] = "CANARY-access"
			b.sealed(t, tenant, shipping, pair)
		}
	}
	b.sealed(t, "plain", shipping, map[string]string{"access_token": "CANARY-alone"})
	for range 3 {
		b.upkeep(t)
	}
	state := func(tenant events.TenantID) CredentialEntry {
		entries, err := b.plainVault(t).List(t.Context(), tenant)
		require.NoError(t, err)
		return newCredentialEntry(entries[0], b.now())
	}
	fresh := b.now().Add(30 * 24 * time.Hour)
	require.Eventually(t, func() bool {
		return state("acme").ExpiresAt.Equal(fresh) && state("loja").ExpiresAt.Equal(fresh) && state("lost").State == CredentialRefused
	}, time.Minute, 10*time.Millisecond)
	require.Equal(t, 2, b.renewals())
	require.True(t, state("later").ExpiresAt.Equal(b.now().Add(8*24*time.Hour)))
	require.EqualValues(t, 1, state("plain").Version)
	log, err := b.client.Audit(t.Context())
	require.NoError(t, err)
	var whys []string
	_, err = vault.Verify(t.Context(), log, "loja", "", func(record vault.Record, _ string) { whys = append(whys, record.Purpose.Why) })
	require.NoError(t, err)
	require.Contains(t, whys, "renewal of an idle account")
	b.requireSound(t)
}

// The vault away is an error, and no replacing.
func TestRenewalsAreTheVaults(t *testing.T) {
	t.Parallel()
	b := setupKeys(t)
	sealed := credentials{vault: b.plainVault(t)}
	_, err := sealed.Replace(t.Context(), provider.Renewal{Tenant: "acme", Server: shipping, Environment: "test", Was: foreign{}, Fields: b.pair(0)})
	require.ErrorIs(t, err, provider.ErrReplaced)
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errGone)
	was, err := sealed.Replace(t.Context(), provider.Renewal{Tenant: "acme", Server: shipping, Environment: "test", Fields: b.pair(0)})
	require.NoError(t, err)
	require.Nil(t, was)
	held, err := sealed.Open(t.Context(), "acme", shipping, "test")
	require.NoError(t, err)
	_, err = sealed.Replace(ended, provider.Renewal{Tenant: "acme", Server: shipping, Environment: "test", Was: held, Fields: b.pair(0)})
	require.Error(t, err)
	require.NotErrorIs(t, err, provider.ErrReplaced)
	_, err = sealed.Registration(t.Context(), shipping, "live")
	require.ErrorIs(t, err, provider.ErrNoCredential)
}

var errGone = errors.New("gone")

// foreign is a credential of nobody's vault.
type foreign struct{}

func (foreign) Reveal(string) (string, bool) { return "", false }
