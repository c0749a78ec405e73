package app

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/vault"
)

// vaultBundle is the vault on the broker's own bucket and stream, as the roles
// have it; the bucket keeps history, which is the worst that an operator can do.
type vaultBundle struct {
	js     jetstream.JetStream
	client *natskv.Client
	kek    vault.KEK

	mu   sync.Mutex
	time time.Time
}

func setupVault(t testing.TB) *vaultBundle {
	t.Helper()
	server := testenv.NATS(t)
	b := &vaultBundle{js: server.JetStream(t), time: time.Now()}
	_, err := b.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: events.BucketVault, History: 10})
	require.NoError(t, err)
	b.client, err = natskv.Connect(t.Context(), natskv.Config{URL: server.URL, User: server.User, Password: server.Password})
	require.NoError(t, err)
	t.Cleanup(b.client.Close)
	require.NoError(t, b.client.ProvisionAudit(t.Context(), natskv.AuditConfig{}))
	b.kek, err = vault.OpenKEK(t.Context(), filepath.Join(t.TempDir(), "kek.json"))
	require.NoError(t, err)
	return b
}

func (b *vaultBundle) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.time
}

func (b *vaultBundle) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.time = b.time.Add(d)
}

// vault is one as of another process.
func (b *vaultBundle) vault(t testing.TB) *vault.Vault {
	t.Helper()
	store, err := b.client.Vault(t.Context())
	require.NoError(t, err)
	log, err := b.client.Audit(t.Context())
	require.NoError(t, err)
	made, err := vault.New(vault.Config{KEK: b.kek, Store: store, Audit: log, Now: b.now})
	require.NoError(t, err)
	return made
}

func (b *vaultBundle) put(t testing.TB, tenant events.TenantID, env events.Environment, value string) {
	t.Helper()
	require.NoError(t, b.vault(t).Put(t.Context(), tenant, "stripe", env, map[string]vault.Secret{"secret_key": vault.NewSecret(value)}))
}

func open(t testing.TB, v *vault.Vault, tenant events.TenantID, env events.Environment) (string, error) {
	t.Helper()
	opened, err := v.Open(t.Context(), tenant, "stripe", env, vault.Purpose{Why: "test"})
	value, _ := opened.Reveal("secret_key")
	return value, err
}

// stored is every message that the stream of a bucket still holds, by subject.
func (b *vaultBundle) stored(t testing.TB, stream string) map[string][]byte {
	t.Helper()
	opened, err := b.js.Stream(t.Context(), stream)
	require.NoError(t, err)
	info, err := opened.Info(t.Context())
	require.NoError(t, err)
	all := map[string][]byte{}
	for sequence := info.State.FirstSeq; sequence <= info.State.LastSeq; sequence++ {
		message, err := opened.GetMsg(t.Context(), sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		require.NoError(t, err)
		all[message.Subject] = append(all[message.Subject], message.Data...)
	}
	return all
}

// TestKeysFailClosedOrReadOn is the vault's acceptance, on a real broker:
// wrong tenant, wrong environment, shredded, rotated.
func TestKeysFailClosedOrReadOn(t *testing.T) {
	t.Parallel()
	copied := func(t *testing.T, b *vaultBundle, from, to string) {
		t.Helper()
		store, err := b.client.Vault(t.Context())
		require.NoError(t, err)
		value, _, err := store.Load(t.Context(), from)
		require.NoError(t, err)
		_, revision, err := store.Load(t.Context(), to)
		require.NoError(t, err)
		require.NoError(t, store.Save(t.Context(), to, value, revision))
	}
	for name, test := range map[string]func(t *testing.T, b *vaultBundle){
		"wrong tenant": func(t *testing.T, b *vaultBundle) {
			t.Helper()
			b.put(t, "loja", "test", "CANARY-loja")
			copied(t, b, "acme.cred.stripe.test", "loja.cred.stripe.test")
			_, err := open(t, b.vault(t), "loja", "test")
			require.ErrorIs(t, err, vault.ErrSealed)
			copied(t, b, "acme.keyset", "loja.keyset")
			_, err = open(t, b.vault(t), "loja", "test")
			require.ErrorIs(t, err, vault.ErrSealed, "the keyset along with it")
		},
		"wrong environment": func(t *testing.T, b *vaultBundle) {
			t.Helper()
			_, err := open(t, b.vault(t), "acme", "live")
			require.ErrorIs(t, err, vault.ErrNoCredential)
			copied(t, b, "acme.cred.stripe.test", "acme.cred.stripe.live")
			_, err = open(t, b.vault(t), "acme", "live")
			require.ErrorIs(t, err, vault.ErrSealed)
		},
		"shredded": func(t *testing.T, b *vaultBundle) {
			t.Helper()
			other := b.vault(t)
			_, err := open(t, other, "acme", "test") // holds the keyset in memory
			require.NoError(t, err)
			_, err = other.Rotate(t.Context(), "acme") // and the history more than one of them
			require.NoError(t, err)
			require.NotEmpty(t, b.stored(t, "KV_"+events.BucketVault)["$KV."+events.BucketVault+".acme.keyset"])
			_, err = b.vault(t).Shred(t.Context(), "acme")
			require.NoError(t, err)
			for subject, value := range b.stored(t, "KV_"+events.BucketVault) {
				require.True(t, len(value) == 0 || subject == "$KV."+events.BucketVault+"._shred.acme", "%s is still stored", subject)
			}
			for _, v := range []*vault.Vault{other, b.vault(t)} {
				_, err = open(t, v, "acme", "test")
				require.ErrorIs(t, err, vault.ErrShredded)
			}
			b.put(t, "acme", "test", "CANARY-new")
			value, err := open(t, other, "acme", "test")
			require.NoError(t, err)
			require.Equal(t, "CANARY-new", value)
		},
		"rotated": func(t *testing.T, b *vaultBundle) {
			t.Helper()
			other := b.vault(t)
			_, err := open(t, other, "acme", "test")
			require.NoError(t, err)
			_, err = b.vault(t).Rotate(t.Context(), "acme")
			require.NoError(t, err)
			for range 2 {
				for _, v := range []*vault.Vault{other, b.vault(t)} {
					value, err := open(t, v, "acme", "test")
					require.NoError(t, err)
					require.Equal(t, "CANARY-acme", value)
				}
				b.pass(vault.MaxCacheFor)
				progress, err := b.vault(t).Rewrap(t.Context(), "acme")
				require.NoError(t, err)
				require.True(t, progress.OldKeysUntil.IsZero())
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupVault(t)
			b.put(t, "acme", "test", "CANARY-acme")
			test(t, b)
			log, err := b.client.Audit(t.Context())
			require.NoError(t, err)
			for _, tenant := range []events.TenantID{"acme", "loja"} {
				_, err = vault.Verify(t.Context(), log, tenant, "", nil)
				require.NoError(t, err)
			}
			for _, stream := range []string{"KV_" + events.BucketVault, events.StreamAudit} {
				for subject, text := range b.stored(t, stream) {
					require.False(t, bytes.Contains(text, []byte("CANARY")), subject)
				}
			}
		})
	}
}

// The processes of a Feira write one chain.
func TestManyVaultsWriteOneChain(t *testing.T) {
	t.Parallel()
	b := setupVault(t)
	b.put(t, "acme", "test", "x")
	const vaults, each = 6, 50
	faults := make(chan error, vaults*each)
	var group sync.WaitGroup
	for range vaults {
		made := b.vault(t)
		for range each {
			group.Go(func() {
				_, err := open(t, made, "acme", "test")
				faults <- err
			})
		}
	}
	group.Wait()
	close(faults)
	for err := range faults {
		require.NoError(t, err)
	}
	log, err := b.client.Audit(t.Context())
	require.NoError(t, err)
	chain, err := vault.Verify(t.Context(), log, "acme", "", nil)
	require.NoError(t, err)
	require.EqualValues(t, vaults*each, chain.Last)
}

// What the agent calls is what the record says, and a provider client that
// opens a credential for nobody's call is on record as such.
func TestThePurposeOfACallReachesTheVault(t *testing.T) {
	t.Parallel()
	spy := &spyProvider{}
	call := agent.Call{Tenant: "acme", Session: "s1", Request: "r1", Tool: "retrieve_balance", Server: "stripe"}
	accountable{spy}.Call(t.Context(), call)
	require.Equal(t, vault.Purpose{Why: "tool call", Session: "s1", Request: "r1", Tool: "retrieve_balance"}, spy.saw)
	_, found := accountable{spy}.Lookup(t.Context(), call)
	require.True(t, found)
	require.Equal(t, "look-up of a call in doubt", spy.saw.Why)
	require.Empty(t, accountable{spy}.Tools(t.Context(), agent.Reach{Session: "s2"}))
	require.Equal(t, vault.Purpose{Why: "list of tools", Session: "s2"}, spy.saw)
	require.Equal(t, vault.Purpose{Why: "unknown"}, purposeOf(t.Context()))
	b := setupVault(t)
	_, err := credentials{vault: b.vault(t)}.Open(t.Context(), "acme", "stripe", "test")
	require.ErrorIs(t, err, provider.ErrNoCredential)
}

type spyProvider struct {
	stall
	saw vault.Purpose
}

func (s *spyProvider) Call(ctx context.Context, _ agent.Call) agent.Result {
	s.saw = purposeOf(ctx)
	return agent.Result{}
}

func (s *spyProvider) Tools(ctx context.Context, _ agent.Reach) []agent.Tool {
	s.saw = purposeOf(ctx)
	return nil
}

func (s *spyProvider) Lookup(ctx context.Context, _ agent.Call) (agent.Result, bool) {
	s.saw = purposeOf(ctx)
	return agent.Result{}, true
}

// BenchmarkOpen is what a decryption costs, its record included, one at a time
// and many at once.
func BenchmarkOpen(bench *testing.B) {
	b := setupVault(bench)
	b.put(bench, "acme", "test", "x")
	made := b.vault(bench)
	purpose := vault.Purpose{Why: "bench"}
	bench.Run("one", func(bench *testing.B) {
		for bench.Loop() {
			_, err := made.Open(bench.Context(), "acme", "stripe", "test", purpose)
			require.NoError(bench, err)
		}
	})
	bench.Run("many", func(bench *testing.B) {
		bench.SetParallelism(64)
		bench.RunParallel(func(next *testing.PB) {
			for next.Next() {
				_, err := made.Open(bench.Context(), "acme", "stripe", "test", purpose)
				require.NoError(bench, err)
			}
		})
	})
}
