package app

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/vault"
)

const (
	shipping = "melhor-envio"
	payments = "stripe"
)

// keysBundle is the vault on a real broker, the providers' stand-ins, and any
// number of workers' clients between them, on one clock.
type keysBundle struct {
	*vaultBundle

	sandbox *sandbox.Sandbox

	mu    sync.Mutex
	heard []sandbox.Exchange
	// hear, when set, is told of each exchange before its answer leaves.
	hear func(sandbox.Exchange)
}

func setupKeys(t *testing.T) *keysBundle {
	t.Helper()
	b := &keysBundle{vaultBundle: setupVault(t)}
	b.time = b.time.UTC().Truncate(time.Second) // as fields write it
	made, err := sandbox.New(sandbox.Config{Now: b.now, Observe: b.observe})
	require.NoError(t, err)
	require.NoError(t, made.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, made.Stop(context.WithoutCancel(t.Context()))) })
	b.sandbox = made
	return b
}

func (b *keysBundle) observe(exchange sandbox.Exchange) {
	b.mu.Lock()
	b.heard = append(b.heard, exchange)
	hear := b.hear
	b.mu.Unlock()
	if hear != nil {
		hear(exchange)
	}
}

// asked is how often a path was, and answered well.
func (b *keysBundle) asked(path string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	count := 0
	for _, one := range b.heard {
		if strings.HasSuffix(one.Path, path) && one.Status == http.StatusOK {
			count++
		}
	}
	return count
}

// worker is the client of one worker process, with a vault of its own.
func (b *keysBundle) worker(t *testing.T) *provider.Client {
	t.Helper()
	sealed := credentials{vault: b.plainVault(t)}
	client, err := provider.New(provider.Config{
		Manifests: twoServers(t), Credentials: sealed, Renewals: sealed, Registrations: sealed, Now: b.now,
		BaseURLs: map[string]string{shipping: b.sandbox.BaseURLs()[shipping], payments: b.sandbox.BaseURLs()[payments]},
		Wait:     func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) },
	})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

var embedded = sync.OnceValues(provider.Embedded)

// twoServers are manifests with the tools of these tests alone: a client
// compiles the schemas of all that it is given, which takes its time.
func twoServers(t *testing.T) []provider.Manifest {
	t.Helper()
	all, err := embedded()
	require.NoError(t, err)
	var two []provider.Manifest
	for _, manifest := range all {
		if manifest.ID != shipping && manifest.ID != payments {
			continue
		}
		tools := manifest.Tools
		manifest.Tools = nil
		for _, tool := range tools {
			if strings.HasSuffix(tool.Name, "_balance") {
				manifest.Tools = append(manifest.Tools, tool)
			}
		}
		two = append(two, manifest)
	}
	return two
}

func (b *keysBundle) plainVault(t *testing.T) *vault.Vault {
	t.Helper()
	store, err := b.client.Vault(t.Context())
	require.NoError(t, err)
	log, err := b.client.Audit(t.Context())
	require.NoError(t, err)
	made, err := vault.New(vault.Config{KEK: b.kek, Store: store, Audit: log, Now: b.now, Plain: plainFields()})
	require.NoError(t, err)
	return made
}

// seal opens an account at a stand-in and seals its credential.
func (b *keysBundle) seal(t *testing.T, tenant events.TenantID, server string, more map[string]string) {
	t.Helper()
	fields, err := sandbox.Credential("feira", server, string(tenant))
	require.NoError(t, err)
	maps.Copy(fields, more)
	_, err = b.sandbox.Open(server, sandbox.Account{Tenant: string(tenant), Credential: fields})
	require.NoError(t, err)
	b.sealed(t, tenant, server, fields)
}

func (b *keysBundle) sealed(t *testing.T, tenant events.TenantID, server string, fields map[string]string) {
	t.Helper()
	secrets := map[string]vault.Secret{}
	for name, value := range fields {
		secrets[name] = vault.NewSecret(value)
	}
	require.NoError(t, b.plainVault(t).Put(t.Context(), tenant, server, events.EnvironmentTest, secrets))
}

// pair is a pair of tokens that ends after some time.
func (b *keysBundle) pair(left time.Duration) map[string]string {
	return map[string]string{
		"refresh_token": "CANARY-refresh-0000", "client_id": "app-1", "client_secret": "CANARY-app-secret", "expires_at": b.now().Add(left).Format(time.RFC3339),
	}
}

func (b *keysBundle) renewals() int {
	return b.sandbox.Journal().Count(journal.Filter{Effect: "token.renewed"})
}

func (b *keysBundle) copied(t *testing.T, from, to string) {
	t.Helper()
	store, err := b.client.Vault(t.Context())
	require.NoError(t, err)
	value, _, err := store.Load(t.Context(), from)
	require.NoError(t, err)
	_, revision, err := store.Load(t.Context(), to)
	require.NoError(t, err)
	require.NoError(t, store.Save(t.Context(), to, value, revision))
}

// balance is a call of a tenant's agent that needs its credential.
func balance(ctx context.Context, client *provider.Client, tenant events.TenantID, server string, env events.Environment) agent.Result {
	tool := map[string]string{shipping: "get_balance", payments: "retrieve_balance"}[server]
	call := agent.Call{Tenant: tenant, Session: "s1", Request: "r1", Environment: env, Server: server, Tool: tool, Arguments: json.RawMessage(`{}`), Key: "k"}
	return accountable{client}.Call(ctx, call)
}

func requireServed(t *testing.T, result agent.Result) {
	t.Helper()
	require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
}

func requireRefused(t *testing.T, result agent.Result, says string) {
	t.Helper()
	require.Equal(t, events.ToolRefused, result.Status)
	require.Equal(t, events.FaultNoCredential, result.Fault.Code)
	require.Contains(t, result.Fault.Message, says)
	require.NotContains(t, result.Fault.Message, "CANARY")
}

// Each key that is wrong, gone or new, seen from a tool call: it fails closed,
// and nothing reaches the provider, or it reads on. The client has called once
// with the good one before, so that its keyset is in memory.
func TestKeysSeenFromACall(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(t *testing.T, b *keysBundle)
		tenant events.TenantID
		env    events.Environment
		// says is the refusal's word; empty: the call is served.
		says string
	}{
		"untouched":                        {func(*testing.T, *keysBundle) {}, "acme", "test", ""},
		"nobody's":                         {func(*testing.T, *keysBundle) {}, "nobody", "test", "there is no test credential"},
		"another tenant's":                 {wrongTenant, "loja", "test", "cannot be opened"},
		"another tenant's, keyset and all": {wrongKeyset, "loja", "test", "cannot be opened"},
		"of no environment":                {func(*testing.T, *keysBundle) {}, "acme", "live", "there is no live credential"},
		"another environment's":            {wrongEnvironment, "acme", "live", "cannot be opened"},
		"live in a test":                   {liveInTest, "acme", "test", "field secret_key of the credential is not one for the test environment"},
		"deleted":                          {deleted, "acme", "test", "there is no test credential"},
		"shredded":                         {shredded, "acme", "test", "cannot be opened"},
		"shredded, and put back":           {putBack, "acme", "test", "cannot be opened"},
		"a shredding that died":            {halfShredded, "acme", "test", "cannot be opened"},
		"shredded, and sealed anew":        {sealedAnew, "acme", "test", ""},
		"rotated":                          {rotated, "acme", "test", ""},
		"rotated to its end":               {rotatedToItsEnd, "acme", "test", ""},
		"sealed by a rival since":          {func(t *testing.T, b *keysBundle) { t.Helper(); b.seal(t, "acme", payments, nil) }, "acme", "test", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupKeys(t)
			b.seal(t, "acme", payments, nil)
			b.seal(t, "loja", payments, nil)
			client := b.worker(t)
			requireServed(t, balance(t.Context(), client, "acme", payments, "test"))
			requireServed(t, balance(t.Context(), client, "loja", payments, "test"))
			test.change(t, b)
			for _, worker := range []*provider.Client{client, b.worker(t)} {
				before := b.asked("/balance")
				result := balance(t.Context(), worker, test.tenant, payments, test.env)
				if test.says == "" {
					requireServed(t, result)
					require.Equal(t, before+1, b.asked("/balance"))
					continue
				}
				requireRefused(t, result, test.says)
				require.Equal(t, before, b.asked("/balance"), "something was sent")
			}
			b.requireSound(t)
		})
	}
}

func wrongTenant(t *testing.T, b *keysBundle) {
	t.Helper()
	b.copied(t, "acme.cred.stripe.test", "loja.cred.stripe.test")
}

func wrongKeyset(t *testing.T, b *keysBundle) {
	t.Helper()
	wrongTenant(t, b)
	b.copied(t, "acme.keyset", "loja.keyset")
}

func wrongEnvironment(t *testing.T, b *keysBundle) {
	t.Helper()
	b.copied(t, "acme.cred.stripe.test", "acme.cred.stripe.live")
}

func liveInTest(t *testing.T, b *keysBundle) {
	t.Helper()
	b.sealed(t, "acme", payments, map[string]string{"secret_key": "sk_live_CANARY00000000"})
}

func deleted(t *testing.T, b *keysBundle) {
	t.Helper()
	require.NoError(t, b.plainVault(t).Delete(t.Context(), "acme", payments, "test"))
}

func shredded(t *testing.T, b *keysBundle) {
	t.Helper()
	_, err := b.plainVault(t).Shred(t.Context(), "acme")
	require.NoError(t, err)
}

func putBack(t *testing.T, b *keysBundle) {
	t.Helper()
	for _, key := range []string{"acme.keyset", "acme.cred.stripe.test"} {
		b.copied(t, key, "backup."+key)
	}
	shredded(t, b)
	for _, key := range []string{"acme.keyset", "acme.cred.stripe.test"} {
		b.copied(t, "backup."+key, key)
	}
}

// halfShredded is a shredding that died before it destroyed the first key.
func halfShredded(t *testing.T, b *keysBundle) {
	t.Helper()
	store, err := b.client.Vault(t.Context())
	require.NoError(t, err)
	require.NoError(t, store.Save(t.Context(), "_shred.acme", []byte(`{"generation":1,"pending":true,"at":"2026-11-24T00:00:00Z"}`), 0))
}

func sealedAnew(t *testing.T, b *keysBundle) {
	t.Helper()
	shredded(t, b)
	fields, err := sandbox.Credential("feira", payments, "acme")
	require.NoError(t, err)
	b.sealed(t, "acme", payments, fields)
}

func rotated(t *testing.T, b *keysBundle) {
	t.Helper()
	progress, err := b.plainVault(t).Rotate(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, 1, progress.Rewrapped)
}

func rotatedToItsEnd(t *testing.T, b *keysBundle) {
	t.Helper()
	rotated(t, b)
	b.pass(vault.MaxCacheFor)
	progress, err := b.plainVault(t).Rewrap(t.Context(), "acme")
	require.NoError(t, err)
	require.True(t, progress.OldKeysUntil.IsZero(), "the old key is destroyed")
}

// requireSound holds every chain to its rules, and looks for secrets in all
// that is stored.
func (b *keysBundle) requireSound(t *testing.T) {
	t.Helper()
	log, err := b.client.Audit(t.Context())
	require.NoError(t, err)
	tenants, err := log.Tenants(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, tenants)
	for _, tenant := range tenants {
		_, err := vault.Verify(t.Context(), log, tenant, "", nil)
		require.NoError(t, err)
	}
	for _, stream := range []string{"KV_" + events.BucketVault, events.StreamAudit} {
		for subject, text := range b.stored(t, stream) {
			require.NotContains(t, string(text), "CANARY", subject)
		}
	}
}

// A tenant's key is rotated again and again, to the end each time, while its
// calls run: not one of them fails.
func TestAKeyRotatedWhileCallsRun(t *testing.T) {
	t.Parallel()
	const workers, rotations = 4, 8
	b := setupKeys(t)
	b.seal(t, "acme", payments, nil)
	over := make(chan struct{})
	var served atomic.Int64
	var group sync.WaitGroup
	results := make(chan agent.Result, workers)
	for range workers {
		client := b.worker(t)
		group.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if result := balance(t.Context(), client, "acme", payments, "test"); result.Status != events.ToolOK {
					results <- result
					return
				}
				served.Add(1)
			}
		})
	}
	keys := map[uint32]bool{}
	for range rotations {
		rotated(t, b)
		after := served.Load()
		require.Eventually(t, func() bool { return served.Load() >= after+workers || len(results) > 0 }, time.Minute, time.Millisecond)
		b.pass(vault.MaxCacheFor)
		progress, err := b.plainVault(t).Rewrap(t.Context(), "acme")
		require.NoError(t, err)
		keys[progress.Key] = true
	}
	close(over)
	group.Wait()
	close(results)
	for result := range results {
		requireServed(t, result)
	}
	require.Len(t, keys, rotations)
	require.GreaterOrEqual(t, served.Load(), int64(workers*rotations))
	b.requireSound(t)
}
