package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

var errDisk = errors.New("the disk is full")

// safe keeps one credential, as [Renewals] asks of every store.
type safe struct {
	mu      sync.Mutex
	fields  fields
	version int
	// broken is how many writes fail from now on, and skip how many do not before.
	skip, broken int
}

// kept is a credential as a safe gives it.
type kept struct {
	fields
	version int
}

func (s *safe) Open(context.Context, events.TenantID, string, events.Environment) (Credential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fields == nil {
		return nil, ErrNoCredential
	}
	return kept{fields: maps.Clone(s.fields), version: s.version}, nil
}

func (s *safe) Replace(_ context.Context, renewal Renewal) (Credential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := renewal.Was.(kept); renewal.Was != nil && (!ok || was.version != s.version) {
		return nil, fmt.Errorf("writing: %w", ErrReplaced)
	}
	if s.skip--; s.skip < 0 && s.broken > 0 {
		s.broken--
		return nil, errDisk
	}
	s.version++
	s.fields = maps.Clone(renewal.Fields)
	return kept{fields: maps.Clone(s.fields), version: s.version}, nil
}

func (s *safe) now() fields {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.fields)
}

// issuer is a provider whose refresh tokens are good once: one that comes again
// ends the connection, as OAuth 2 has it (RFC 9700, 4.14.2).
type issuer struct {
	t     *testing.T
	store *safe

	mu        sync.Mutex
	refresh   string
	exchanges int
	reused    bool
	refuse    int // a status for every exchange; 0 for none
	tokens    []string
	early     bool // a token was used before it was stored
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/oauth/token") {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		i.tokens = append(i.tokens, token)
		i.early = i.early || i.store.now()[FieldAccessToken] != token && token != "access-0000"
		answerWith(http.StatusOK, `{"balance":1}`)(w, r)
		return
	}
	i.exchanges++
	var body map[string]string
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body["grant_type"] != "refresh_token" || body["client_id"] != "app-1" || body["client_secret"] != "app-secret-0001" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if i.refuse != 0 {
		answerWith(i.refuse, `{"error":"`+body["refresh_token"]+`"}`)(w, r)
		return
	}
	if body["refresh_token"] != i.refresh {
		i.reused = true
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	i.refresh = fmt.Sprintf("refresh-%04d", i.exchanges)
	answerWith(http.StatusOK, fmt.Sprintf(`{"token_type":"Bearer","expires_in":2592000,"access_token":"access-%04d","refresh_token":%q}`, i.exchanges, i.refresh))(w, r)
}

// renewalBundle is workers of one tenant at Melhor Envio.
type renewalBundle struct {
	store   *safe
	issuer  *issuer
	workers []*testBundle
	clock   time.Time
}

func setupRenewal(t *testing.T, workers int, left time.Duration) *renewalBundle {
	t.Helper()
	clock := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	store := &safe{version: 1, fields: fields{
		FieldAccessToken: "access-0000", FieldRefreshToken: "refresh-0000", "client_id": "app-1", "client_secret": "app-secret-0001",
		FieldExpiresAt: clock.Add(left).Format(time.RFC3339),
	}}
	b := &renewalBundle{store: store, issuer: &issuer{t: t, store: store, refresh: "refresh-0000"}, clock: clock}
	host := httptest.NewServer(b.issuer)
	t.Cleanup(host.Close)
	for range workers {
		b.workers = append(b.workers, setup(t, "melhor-envio", nil, func(c *Config) {
			c.Credentials, c.Renewals, c.BaseURLs["melhor-envio"] = store, store, host.URL
			c.Now = func() time.Time { return clock }
			c.Wait = func(ctx context.Context, _ time.Duration) error { return sleep(ctx, time.Millisecond) }
		}))
	}
	return b
}

// all makes a call of each worker at once.
func (b *renewalBundle) all(t *testing.T) []agent.Result {
	t.Helper()
	results := make([]agent.Result, len(b.workers))
	var group sync.WaitGroup
	for i, worker := range b.workers {
		group.Go(func() { results[i] = worker.call(t, "get_balance", `{}`) })
	}
	group.Wait()
	return results
}

func TestTokensAreRenewedOnceByAllWorkers(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]time.Duration{"before the end": time.Hour, "after the end": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupRenewal(t, 8, left)
			for range 3 {
				for _, result := range b.all(t) {
					require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
				}
			}
			require.Equal(t, 1, b.issuer.exchanges)
			require.False(t, b.issuer.reused)
			require.False(t, b.issuer.early, "a token was used before it was stored")
			if left < 0 {
				require.NotContains(t, b.issuer.tokens, "access-0000", "a token that had ended was used")
			}
			require.Equal(t, "access-0001", b.issuer.tokens[len(b.issuer.tokens)-1])
			require.Equal(t, fields{
				FieldAccessToken: "access-0001", FieldRefreshToken: "refresh-0001", "client_id": "app-1", "client_secret": "app-secret-0001",
				FieldExpiresAt: b.clock.Add(30 * 24 * time.Hour).Format(time.RFC3339),
			}, b.store.now())
			for _, worker := range b.workers {
				requireNoToken(t, worker.logs.String())
			}
		})
	}
}

func requireNoToken(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"access-0", "refresh-0", "app-secret-0001"} {
		require.NotContains(t, text, secret)
	}
}

func TestWhenATokenIsRenewed(t *testing.T) {
	t.Parallel()
	const before = 7 * 24 * time.Hour
	for name, test := range map[string]struct {
		left   time.Duration
		change func(*renewalBundle)
		want   int
	}{
		"a second early":             {before + time.Second, nil, 0},
		"at the time":                {before, nil, 1},
		"a second late":              {before - time.Second, nil, 1},
		"its end is not known":       {0, func(b *renewalBundle) { delete(b.store.fields, FieldExpiresAt) }, 1},
		"its end is nonsense":        {0, func(b *renewalBundle) { b.store.fields[FieldExpiresAt] = "soon" }, 1},
		"an access token alone":      {time.Hour, func(b *renewalBundle) { b.store.fields = fields{FieldAccessToken: "access-0000"} }, 0},
		"no refresh token":           {time.Hour, func(b *renewalBundle) { delete(b.store.fields, FieldRefreshToken) }, 0},
		"no application":             {time.Hour, func(b *renewalBundle) { delete(b.store.fields, "client_secret") }, 0},
		"another renews it":          {time.Hour, func(b *renewalBundle) { b.claim(time.Second) }, 0},
		"another died over it":       {time.Hour, func(b *renewalBundle) { b.claim(0) }, 1},
		"nowhere to store a renewal": {time.Hour, func(b *renewalBundle) { b.workers[0].client.config.Renewals = nil }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupRenewal(t, 1, test.left)
			if test.change != nil {
				test.change(b)
			}
			require.Equal(t, events.ToolOK, b.all(t)[0].Status)
			require.Equal(t, test.want, b.issuer.exchanges)
			require.Equal(t, []string{"access-000" + strconv.Itoa(test.want)}, b.issuer.tokens)
		})
	}
}

// claim is another worker's, with so much time left.
func (b *renewalBundle) claim(left time.Duration) {
	b.store.fields[FieldRenewingUntil] = b.clock.Add(left).Format(time.RFC3339)
}

func TestARenewalThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		left   time.Duration
		want   events.ToolStatus
		code   string
		says   string
	}{
		"while the token lasts":    {http.StatusUnauthorized, time.Hour, events.ToolOK, "", ""},
		"a fault while it lasts":   {http.StatusBadGateway, time.Hour, events.ToolOK, "", ""},
		"after the token's end":    {http.StatusUnauthorized, -time.Hour, events.ToolRefused, events.FaultNoCredential, "has to be connected again"},
		"a fault after its end":    {http.StatusBadGateway, -time.Hour, events.ToolRefused, events.FaultProviderError, "nothing was sent; try again in 60 s"},
		"a limit after its end":    {http.StatusTooManyRequests, -time.Hour, events.ToolRefused, events.FaultProviderError, "nothing was sent; try again in 60 s"},
		"a limit while it lasts":   {http.StatusTooManyRequests, time.Hour, events.ToolOK, "", ""},
		"a redirect after its end": {http.StatusTemporaryRedirect, -time.Hour, events.ToolRefused, events.FaultNoCredential, "has to be connected again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupRenewal(t, 1, test.left)
			b.issuer.refuse = test.status
			result := b.all(t)[0]
			require.Equal(t, test.want, result.Status, "%+v", result.Fault)
			requireNoToken(t, b.workers[0].logs.String())
			_, claimed := b.store.now()[FieldRenewingUntil]
			require.Equal(t, test.code != events.FaultNoCredential, claimed)
			if test.want == events.ToolOK {
				require.Equal(t, events.ToolOK, b.all(t)[0].Status)
				require.Equal(t, 1, b.issuer.exchanges, "the provider is asked at every call")
				require.Equal(t, []string{"access-0000", "access-0000"}, b.issuer.tokens)
				return
			}
			requireFault(t, result, test.want, test.code)
			require.Contains(t, result.Fault.Message, test.says)
			requireNoToken(t, result.Fault.Message)
			require.Empty(t, b.issuer.tokens)
		})
	}
}

// However many workers call, a provider that has refused is asked once.
func TestARefusalIsTheAnswerForAll(t *testing.T) {
	t.Parallel()
	b := setupRenewal(t, 8, -time.Hour)
	b.issuer.refuse = http.StatusUnauthorized
	for range 3 {
		for _, result := range b.all(t) {
			requireFault(t, result, events.ToolRefused, events.FaultNoCredential)
			require.Contains(t, result.Fault.Message, "has to be connected again")
		}
	}
	require.Equal(t, 1, b.issuer.exchanges)
	require.Empty(t, b.issuer.tokens)
}

func TestARenewedPairIsStoredThoughTheStoreFails(t *testing.T) {
	t.Parallel()
	for broken, stored := range map[int]bool{keepTries - 1: true, keepTries: false} {
		b := setupRenewal(t, 1, time.Hour)
		b.store.skip, b.store.broken = 1, broken // the claim goes through
		require.Equal(t, events.ToolOK, b.all(t)[0].Status)
		require.Equal(t, 1, b.issuer.exchanges)
		require.Equal(t, stored, b.store.now()[FieldAccessToken] == "access-0001")
		require.False(t, b.issuer.early, "a token was used before it was stored")
		requireNoToken(t, b.workers[0].logs.String())
	}
}

func TestARenewalThatCannotBeClaimedIsNotBegun(t *testing.T) {
	t.Parallel()
	b := setupRenewal(t, 1, -time.Hour)
	b.store.broken = 1
	requireFault(t, b.all(t)[0], events.ToolRefused, events.FaultProviderError)
	require.Zero(t, b.issuer.exchanges)
	require.Equal(t, events.ToolOK, b.all(t)[0].Status, "another call does it")
}
