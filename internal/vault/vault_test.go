package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
)

func environments() []events.Environment {
	return []events.Environment{events.EnvironmentLive, events.EnvironmentTest}
}

func TestWhatIsPutOpensAsItWas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rapid.Check(t, func(r *rapid.T) {
		tenant := events.TenantID(rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`).Draw(r, "tenant"))
		server := rapid.StringMatching(`[a-z0-9_-]{1,64}`).Draw(r, "server")
		env := rapid.SampledFrom(environments()).Draw(r, "env")
		values := rapid.MapOfN(rapid.StringMatching(`[a-z0-9_-]{1,64}`), rapid.StringN(1, 200, 4000), 1, maxFields).Draw(r, "fields")
		given := map[string]Secret{}
		for name, value := range values {
			given[name] = NewSecret(value)
		}
		require.NoError(r, b.vault.Put(t.Context(), tenant, server, env, given))
		opened, err := b.another(t).Open(t.Context(), tenant, server, env, use())
		require.NoError(r, err)
		require.Len(r, opened.Fields(), len(values))
		for name, value := range values {
			got, ok := opened.Reveal(name)
			require.True(r, ok)
			// JSON holds text: what is no UTF-8 would not come back, and is not drawn.
			require.Equal(r, value, got)
		}
		for key := range b.store.entries {
			require.Regexp(r, `^[A-Za-z0-9_-]+\.(keyset|cred\.[a-z0-9_-]+\.(live|test))$`, key)
		}
	})
}

// TestACiphertextOpensOnlyInItsPlace plants each of the ciphertexts in each
// other's place, and under forged words in clear.
func TestACiphertextOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var places []place
	for _, tenant := range []events.TenantID{"acme", "loja"} {
		for _, server := range []string{"asaas", "stripe"} {
			for _, env := range environments() {
				at := place{tenant, server, env}
				require.NoError(t, b.vault.Put(t.Context(), tenant, server, env, one("CANARY of "+at.key())))
				places = append(places, at)
			}
		}
	}
	for _, from := range places {
		for _, to := range places {
			own := b.store.value(to.key())
			b.store.plant(to.key(), b.store.value(from.key()))
			opened, err := b.another(t).Open(t.Context(), to.tenant, to.server, to.env, use())
			if from == to {
				require.NoError(t, err)
				value, _ := opened.Reveal("key")
				require.Equal(t, "CANARY of "+to.key(), value)
			} else {
				require.ErrorIs(t, err, ErrSealed, "%s as %s", from.key(), to.key())
				require.NotContains(t, err.Error(), "CANARY")
			}
			b.store.plant(to.key(), own)
		}
	}
}

func TestATenantsKeysetOpensForNoOtherTenant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	b.put(t, "loja", "secret-b")
	// Even with acme's keyset and ciphertext both, loja's place opens neither.
	b.store.plant("loja.keyset", b.store.value("acme.keyset"))
	require.ErrorIs(t, b.another(t).Put(t.Context(), "loja", "stripe", events.EnvironmentTest, one("x")), ErrSealed)
	b.store.plant("loja.cred.stripe.test", b.store.value("acme.cred.stripe.test"))
	_, err := b.another(t).Open(t.Context(), "loja", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrSealed)
}

func TestTamperingIsNoticed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	const key = "acme.cred.stripe.test"
	original := b.store.value(key)
	forge := func(change func(*record)) []byte {
		var read record
		require.NoError(t, json.Unmarshal(original, &read))
		change(&read)
		forged, err := json.Marshal(read)
		require.NoError(t, err)
		return forged
	}
	for name, value := range map[string][]byte{
		"version":     forge(func(r *record) { r.Version++ }),
		"time":        forge(func(r *record) { r.UpdatedAt = r.UpdatedAt.Add(1) }),
		"field names": forge(func(r *record) { r.Fields = []string{"kei"} }),
		"format":      forge(func(r *record) { r.Format++ }),
		"old format":  forge(func(r *record) { r.Format-- }),
		"plain value": forge(func(r *record) { r.Plain = map[string]string{"expires_at": "2036-01-01T00:00:00Z"} }),
		"ciphertext":  forge(func(r *record) { r.Ciphertext[len(r.Ciphertext)/2] ^= 1 }),
		"empty":       forge(func(r *record) { r.Ciphertext = nil }),
		"garbage":     []byte("not a record"),
		"half":        original[:len(original)/2],
	} {
		b.store.plant(key, value)
		_, err := b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
		require.ErrorIs(t, err, ErrSealed, name)
	}
	b.store.plant(key, original)
	requireOpens(t, b.vault, "acme", "secret-a")
	// What cannot be read can be replaced.
	b.store.plant(key, []byte("not a record"))
	b.put(t, "acme", "secret-b")
	requireOpens(t, b.vault, "acme", "secret-b")
}

func TestAnotherKEKOpensNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	b.kek = newKEK(t)
	stranger := b.another(t)
	_, err := stranger.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrSealed)
	require.ErrorIs(t, stranger.Put(t.Context(), "acme", "stripe", events.EnvironmentTest, one("x")), ErrSealed)
}

func TestTheStoreHoldsNoPlaintext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "CANARY-7f3a")
	for _, key := range b.store.keys() {
		require.False(t, bytes.Contains(b.store.value(key), []byte("CANARY")), key)
	}
}

func TestTwoVaultsThatMeetANewTenantAgree(t *testing.T) {
	t.Parallel()
	for range 20 {
		b := setup(t)
		const vaults = 8
		var gate, done sync.WaitGroup
		gate.Add(vaults)
		b.store.before = func(key string) { // each waits at its first save till all are there
			if key == "acme.keyset" {
				gate.Done()
				gate.Wait()
			}
		}
		faults := make([]error, vaults)
		for i := range vaults {
			made := b.another(t)
			done.Go(func() {
				faults[i] = made.Put(t.Context(), "acme", fmt.Sprintf("s%d", i), events.EnvironmentLive, one(fmt.Sprintf("secret-%d", i)))
			})
		}
		done.Wait()
		require.NoError(t, errors.Join(faults...))
		reader := b.another(t)
		for i := range vaults {
			opened, err := reader.Open(t.Context(), "acme", fmt.Sprintf("s%d", i), events.EnvironmentLive, use())
			require.NoError(t, err)
			value, _ := opened.Reveal("key")
			require.Equal(t, fmt.Sprintf("secret-%d", i), value)
		}
	}
}

func TestARaceForOneCredentialLosesNoVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "first")
	rival := b.another(t)
	var stepped atomic.Bool // the rival's own save must not step in again
	b.store.before = func(key string) {
		if key == "acme.cred.stripe.test" && stepped.CompareAndSwap(false, true) {
			require.NoError(t, rival.Put(t.Context(), "acme", "stripe", events.EnvironmentTest, one("rival's")))
		}
	}
	b.put(t, "acme", "ours")
	requireOpens(t, b.vault, "acme", "ours")
	entries, err := b.vault.List(t.Context(), "acme")
	require.NoError(t, err)
	require.EqualValues(t, 3, entries[0].Version)
}

func TestKeysetsAreCachedForAWhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	reader := b.another(t)
	before := b.store.loaded("acme.keyset")
	for range 10 {
		requireOpens(t, reader, "acme", "secret-a")
	}
	require.Equal(t, 1, b.store.loaded("acme.keyset")-before)
	b.now = b.now.Add(MaxCacheFor)
	requireOpens(t, reader, "acme", "secret-a")
	require.Equal(t, 2, b.store.loaded("acme.keyset")-before)
}

func TestShreddingIsForGood(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	b.put(t, "loja", "secret-b")
	backup := b.store.value("acme.cred.stripe.test")
	elsewhere := b.another(t)
	requireOpens(t, elsewhere, "acme", "secret-a")

	b.shred(t, "acme")
	require.Equal(t, []string{"_shred.acme", "loja.cred.stripe.test", "loja.keyset"}, b.store.keys())
	_, err := b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrShredded)
	require.NotErrorIs(t, err, ErrNoCredential)

	b.store.plant("acme.cred.stripe.test", backup)
	_, err = b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrShredded)
	b.now = b.now.Add(MaxCacheFor)
	_, err = elsewhere.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrShredded)

	b.put(t, "acme", "secret-c") // a new keyset, which every vault takes up
	requireOpens(t, elsewhere, "acme", "secret-c")
	requireOpens(t, b.vault, "loja", "secret-b")
}

func TestAKeysetMadeAnewIsTakenUpAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	elsewhere := b.another(t)
	requireOpens(t, elsewhere, "acme", "secret-a") // holds the old keyset
	b.shred(t, "acme")
	b.put(t, "acme", "secret-b")
	requireOpens(t, elsewhere, "acme", "secret-b")
	require.NoError(t, elsewhere.Put(t.Context(), "acme", "stripe", events.EnvironmentTest, one("secret-c")))
	requireOpens(t, b.vault, "acme", "secret-c")
}

func TestListShowsNoValues(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	require.NoError(t, b.vault.Put(ctx, "acme", "z-api", events.EnvironmentLive, map[string]Secret{"token": NewSecret("CANARY"), "instance_id": NewSecret("CANARY")}))
	require.NoError(t, b.vault.Put(ctx, "acme", "asaas", events.EnvironmentTest, one("CANARY")))
	b.now = b.now.Add(time.Hour)
	require.NoError(t, b.vault.Put(ctx, "acme", "asaas", events.EnvironmentTest, one("CANARY")))
	require.NoError(t, b.vault.Put(ctx, "acme-2", "asaas", events.EnvironmentTest, one("CANARY")))
	got, err := b.vault.List(ctx, "acme")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]Entry{
		{Server: "asaas", Environment: events.EnvironmentTest, Fields: []string{"key"}, Version: 2, UpdatedAt: b.now},
		{Server: "z-api", Environment: events.EnvironmentLive, Fields: []string{"instance_id", "token"}, Version: 1, UpdatedAt: b.now.Add(-time.Hour)},
	}, got))
	require.NotContains(t, fmt.Sprintf("%+v", got), "CANARY")

	require.NoError(t, b.vault.Delete(ctx, "acme", "asaas", events.EnvironmentTest))
	require.NoError(t, b.vault.Delete(ctx, "acme", "asaas", events.EnvironmentTest))
	_, err = b.vault.Open(ctx, "acme", "asaas", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrNoCredential)
	got, err = b.vault.List(ctx, "nobody")
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestNamesThatCouldLeaveTheirPlaceAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	for name, refusal := range map[string]error{
		"tenant with a dot":  b.vault.Put(ctx, "acme.cred", "stripe", "test", one("hush")),
		"no tenant":          b.vault.Put(ctx, "", "stripe", "test", one("hush")),
		"server with a dot":  b.vault.Put(ctx, "acme", "stripe.live", "test", one("hush")),
		"server with a bar":  b.vault.Put(ctx, "acme", "stripe|", "test", one("hush")),
		"server in capitals": b.vault.Put(ctx, "acme", "Stripe", "test", one("hush")),
		"environment":        b.vault.Put(ctx, "acme", "stripe", "prod", one("hush")),
		"no fields":          b.vault.Put(ctx, "acme", "stripe", "test", nil),
		"empty value":        b.vault.Put(ctx, "acme", "stripe", "test", one("")),
		"long value":         b.vault.Put(ctx, "acme", "stripe", "test", one(string(make([]byte, maxValue+1)))),
		"field with a comma": b.vault.Put(ctx, "acme", "stripe", "test", map[string]Secret{"a,b": NewSecret("hush")}),
		"shred":              fault(b.vault.Shred(ctx, "*")),
		"rotate":             fault(b.vault.Rotate(ctx, ">")),
		"rekey":              fault(b.vault.Rekey(ctx, "a.b", b.kek.Name)),
		"no purpose":         fault(b.vault.Open(ctx, "acme", "stripe", "test", Purpose{})),
		"long purpose":       fault(b.vault.Open(ctx, "acme", "stripe", "test", Purpose{Why: strings.Repeat("a", maxPurpose+1)})),
		"delete":             b.vault.Delete(ctx, "acme", ">", "test"),
	} {
		require.ErrorIs(t, refusal, ErrInvalid, name)
		require.NotContains(t, refusal.Error(), "hush", name)
	}
	require.Empty(t, b.store.keys())
}

func TestAFailingStoreIsNoMissingCredential(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	b.store.fail = errors.New("store is down")
	_, err := b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, b.store.fail)
	require.NotErrorIs(t, err, ErrNoCredential)
	require.ErrorIs(t, b.vault.Put(t.Context(), "new", "stripe", events.EnvironmentTest, one("x")), b.store.fail)
	require.ErrorIs(t, fault(b.vault.Shred(t.Context(), "acme")), b.store.fail)
	require.ErrorIs(t, fault(b.vault.Rotate(t.Context(), "acme")), b.store.fail)
	require.ErrorIs(t, b.vault.Delete(t.Context(), "acme", "stripe", events.EnvironmentTest), b.store.fail)
	_, err = b.vault.List(t.Context(), "acme")
	require.ErrorIs(t, err, b.store.fail)
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Config{CacheFor: time.Hour, CacheSize: -1, OtherKEKs: []KEK{{}}, Grace: MaxCacheFor - 1, AuditPatience: -1})
	for _, part := range []string{"KEK is missing", "OtherKEKs[0]", "Store", "Audit is missing", "CacheFor", "CacheSize", "Grace", "AuditPatience"} {
		require.ErrorContains(t, err, part)
	}
}
