package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/feira-dev/feira/events"
)

func TestARotatedKeyReadsOnAndIsDestroyedInTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	require.NoError(t, b.vault.Put(t.Context(), "acme", "asaas", events.EnvironmentLive, one("secret-b")))
	elsewhere := b.another(t)
	requireOpens(t, elsewhere, "acme", "secret-a") // holds the old key alone
	before, err := b.vault.List(t.Context(), "acme")
	require.NoError(t, err)
	old := b.keyOf(t, "acme.cred.stripe.test")

	progress, err := b.vault.Rotate(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, 2, progress.Rewrapped)
	require.Zero(t, progress.Unreadable)
	require.Equal(t, b.now.Add(MaxCacheFor), progress.OldKeysUntil)
	require.NotEqual(t, old, progress.Key)
	require.Equal(t, progress.Key, b.keyOf(t, "acme.cred.stripe.test"))
	require.Equal(t, progress.Key, b.keyOf(t, "acme.cred.asaas.live"))
	requireOpens(t, elsewhere, "acme", "secret-a")
	requireOpens(t, b.vault, "acme", "secret-a")
	after, err := b.vault.List(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, before, after, "a new key is no new version")

	again, err := b.vault.Rewrap(t.Context(), "acme")
	require.NoError(t, err)
	require.Zero(t, again.Rewrapped, "what is done is done")
	b.now = b.now.Add(MaxCacheFor - 1)
	early, err := b.vault.Rewrap(t.Context(), "acme")
	require.NoError(t, err)
	require.False(t, early.OldKeysUntil.IsZero(), "an instant before the grace is over")
	require.Len(t, b.keysOf(t, "acme"), 2)
	b.now = b.now.Add(1)
	last, err := b.vault.Rewrap(t.Context(), "acme")
	require.NoError(t, err)
	require.True(t, last.OldKeysUntil.IsZero())
	require.Equal(t, []uint32{progress.Key}, b.keysOf(t, "acme"))
	unfinished, err := b.vault.Unfinished(t.Context())
	require.NoError(t, err)
	require.Empty(t, unfinished)
	requireOpens(t, elsewhere, "acme", "secret-a")
}

func TestACiphertextOfADestroyedKeyFailsClosed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	backup := b.store.value("acme.cred.stripe.test")
	b.rotateToTheEnd(t, "acme")
	requireOpens(t, b.vault, "acme", "secret-a")
	b.store.plant("acme.cred.stripe.test", backup)
	_, err := b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrSealed)
}

// What is sealed with the old key while a rotation runs is found by the look
// that ends it.
func TestASealingThatARotationOvertakesIsRewrapped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "first")
	rival := b.another(t)
	b.store.before = func(key string) {
		if key == "acme.cred.stripe.test" {
			b.store.before = nil
			_, err := rival.Rotate(t.Context(), "acme")
			require.NoError(t, err)
		}
	}
	b.put(t, "acme", "second")
	requireOpens(t, b.vault, "acme", "second")
	b.now = b.now.Add(MaxCacheFor)
	progress, err := rival.Rewrap(t.Context(), "acme")
	require.NoError(t, err)
	require.True(t, progress.OldKeysUntil.IsZero())
	require.Equal(t, progress.Key, b.keyOf(t, "acme.cred.stripe.test"))
	requireOpens(t, b.another(t), "acme", "second")
}

func TestAKeysetMovesToAnotherKEK(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	b.put(t, "loja", "secret-b")
	old, next := b.kek, newKEK(t)
	_, err := b.vault.Rekey(t.Context(), "acme", next.Name)
	require.ErrorIs(t, err, ErrUnknownKEK)

	b.others = []KEK{next}
	both := b.another(t)
	progress, err := both.Rekey(t.Context(), "acme", next.Name)
	require.NoError(t, err)
	require.Equal(t, next.Name, progress.KEK)
	written := b.store.revision
	_, err = both.Rekey(t.Context(), "acme", next.Name)
	require.NoError(t, err)
	require.Equal(t, uint64(1), b.store.revision-written, "the mark alone: the keyset is there already")
	requireOpens(t, both, "acme", "secret-a")
	requireOpens(t, both, "loja", "secret-b")

	b.kek, b.others = next, nil
	alone := b.another(t)
	requireOpens(t, alone, "acme", "secret-a")
	_, err = alone.Open(t.Context(), "loja", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrSealed)
	require.ErrorContains(t, err, old.Name, "which KEK it is said to need")
	b.kek = old
	_, err = b.another(t).Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrSealed)
}

// A KEK is taken from the configuration alone: what is written beside a keyset
// is a hint, and one that lies changes nothing.
func TestTheNameBesideAKeysetIsAHint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	var read envelope
	require.NoError(t, json.Unmarshal(b.store.value("acme.keyset"), &read))
	read.KEK = "file:///tmp/evil"
	forged, err := json.Marshal(read)
	require.NoError(t, err)
	b.store.plant("acme.keyset", forged)
	requireOpens(t, b.another(t), "acme", "secret-a")
	for name, change := range map[string]func(*envelope){
		"generation": func(e *envelope) { e.Generation++ },
		"rotated_at": func(e *envelope) { e.RotatedAt = e.RotatedAt.Add(1) },
		"format":     func(e *envelope) { e.Format = 3 },
		"keyset":     func(e *envelope) { e.Keyset = []byte("x") },
	} {
		spoilt := read
		change(&spoilt)
		forged, err := json.Marshal(spoilt)
		require.NoError(t, err)
		b.store.plant("acme.keyset", forged)
		_, err = b.another(t).Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
		require.Error(t, err, name)
		require.True(t, errors.Is(err, ErrSealed) || errors.Is(err, ErrShredded), name)
	}
}

// A keyset of before the envelope opens, rotates and moves.
func TestABareKeysetReadsOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	keys, err := b.vault.keys.load(t.Context(), "acme")
	require.NoError(t, err)
	var sealed bytes.Buffer
	bare := envelope{Format: bareEnvelope}.associatedData("acme")
	require.NoError(t, keys.handle.WriteWithContext(t.Context(), keyset.NewBinaryWriter(&sealed), b.kek.Key, bare))
	b.store.plant("acme.keyset", sealed.Bytes())
	requireOpens(t, b.another(t), "acme", "secret-a")
	next := newKEK(t)
	b.others = []KEK{next}
	_, err = b.another(t).Rekey(t.Context(), "acme", next.Name)
	require.NoError(t, err)
	requireOpens(t, b.another(t), "acme", "secret-a")
	b.store.plant("acme.keyset", sealed.Bytes())
	b.rotateToTheEnd(t, "acme")
	requireOpens(t, b.another(t), "acme", "secret-a")
	require.Len(t, b.keysOf(t, "acme"), 1)
}

// TestARotationMayStopAnywhere kills a rotation at each of its writes, looks
// that all reads on, and lets another process finish.
func TestARotationMayStopAnywhere(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(context.Context, *Vault, string) error{
		"rotate": func(ctx context.Context, v *Vault, _ string) error { return fault(v.Rotate(ctx, "acme")) },
		"rekey":  func(ctx context.Context, v *Vault, to string) error { return fault(v.Rekey(ctx, "acme", to)) },
		"rewrap": func(ctx context.Context, v *Vault, _ string) error { return fault(v.Rewrap(ctx, "acme")) },
	} {
		for step := 1; ; step++ {
			b := setup(t)
			next := newKEK(t)
			b.others = []KEK{next}
			b.put(t, "acme", "secret-a")
			require.NoError(t, b.vault.Put(t.Context(), "acme", "asaas", events.EnvironmentLive, one("secret-b")))
			if name == "rewrap" { // of a rotation that got no further than the new key
				b.store.dieAt(3)
				require.Error(t, fault(b.another(t).Rotate(t.Context(), "acme")))
				b.store.live()
				b.now = b.now.Add(MaxCacheFor)
			}
			b.store.dieAt(step)
			err := begin(t.Context(), b.another(t), next.Name)
			b.store.live()
			for range 2 {
				survivor := b.another(t)
				requireOpens(t, survivor, "acme", "secret-a")
				opened, openErr := survivor.Open(t.Context(), "acme", "asaas", events.EnvironmentLive, use())
				require.NoError(t, openErr, "%s stopped at write %d", name, step)
				value, _ := opened.Reveal("key")
				require.Equal(t, "secret-b", value)
				b.finish(t)
			}
			require.Empty(t, unfinished(t, b.vault))
			require.Len(t, b.keysOf(t, "acme"), 1)
			if err == nil {
				require.Greater(t, step, 2, "%s has steps", name)
				break
			}
			require.ErrorIs(t, err, errDead)
		}
	}
}

func TestRotationsOfOneTenantAtOneTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 5 {
		require.NoError(t, b.vault.Put(t.Context(), "acme", fmt.Sprintf("s%d", i), events.EnvironmentTest, one("secret")))
	}
	var hands sync.WaitGroup
	faults := make([]error, 4)
	for i := range faults {
		made := b.another(t)
		hands.Go(func() { faults[i] = fault(made.Rotate(t.Context(), "acme")) })
	}
	hands.Wait()
	require.NoError(t, errors.Join(faults...))
	b.finish(t)
	require.Len(t, b.keysOf(t, "acme"), 1)
	for i := range 5 {
		_, err := b.another(t).Open(t.Context(), "acme", fmt.Sprintf("s%d", i), events.EnvironmentTest, use())
		require.NoError(t, err)
	}
	b.log.records(t, "acme")
}

func TestARotationPassesOverWhatNeverOpened(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	b.store.plant("acme.cred.asaas.live", []byte("garbage"))
	progress, err := b.vault.Rotate(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, 1, progress.Rewrapped)
	require.Equal(t, 1, progress.Unreadable)
	require.ErrorIs(t, fault(b.vault.Rotate(t.Context(), "nobody")), ErrNoCredential)
	require.NotContains(t, strings.Join(b.store.keys(), " "), "nobody")
}

func TestTenantsAreThoseWithAKeyset(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "loja", "x")
	b.put(t, "acme", "x")
	b.put(t, "gone", "x")
	b.shred(t, "gone")
	tenants, err := b.vault.Tenants(t.Context())
	require.NoError(t, err)
	require.Equal(t, []events.TenantID{"acme", "loja"}, tenants)
}

func TestTheRewrapperFinishesWhatWasBegun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "secret-a")
	_, err := b.vault.Rotate(t.Context(), "acme")
	require.NoError(t, err)
	b.now = b.now.Add(MaxCacheFor)
	finished := make(chan struct{})
	b.store.removed = func(key string) {
		if key == rewrapKey("acme") {
			close(finished)
		}
	}
	rewrapper, err := NewRewrapper(RewrapperConfig{Vault: b.another(t), Every: time.Millisecond})
	require.NoError(t, err)
	require.NoError(t, rewrapper.Start(t.Context()))
	<-finished
	require.NoError(t, rewrapper.Stop(t.Context()))
	require.Len(t, b.keysOf(t, "acme"), 1)
	_, err = NewRewrapper(RewrapperConfig{})
	require.ErrorContains(t, err, "Vault")
	_, err = NewRewrapper(RewrapperConfig{Vault: b.vault, Every: -1})
	require.ErrorContains(t, err, "Every")
}

// finish lets the grace pass and all that is marked come to its end.
func (b *testBundle) finish(t *testing.T) {
	t.Helper()
	b.now = b.now.Add(MaxCacheFor)
	for _, tenant := range unfinished(t, b.vault) {
		_, err := b.another(t).Rewrap(t.Context(), tenant)
		require.NoError(t, err)
	}
}

func unfinished(t *testing.T, vault *Vault) []events.TenantID {
	t.Helper()
	tenants, err := vault.Unfinished(t.Context())
	require.NoError(t, err)
	return tenants
}

func (b *testBundle) rotateToTheEnd(t *testing.T, tenant events.TenantID) {
	t.Helper()
	_, err := b.another(t).Rotate(t.Context(), tenant)
	require.NoError(t, err)
	b.finish(t)
}

// keyOf is the key that sealed what lies in the store.
func (b *testBundle) keyOf(t *testing.T, key string) uint32 {
	t.Helper()
	read, err := parseRecord(b.store.value(key))
	require.NoError(t, err)
	require.NotZero(t, keyID(read.Ciphertext))
	return keyID(read.Ciphertext)
}

func (b *testBundle) keysOf(t *testing.T, tenant events.TenantID) []uint32 {
	t.Helper()
	keys, err := b.another(t).keys.load(t.Context(), tenant)
	require.NoError(t, err)
	return append(keys.old(), keys.primary)
}
