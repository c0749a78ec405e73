package natskv_test

import (
	"bytes"
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
)

// vaultPort is internal/vault's Store, word for word; adapters do not import
// each other, so internal/app is where the two meet.
type vaultPort interface {
	Load(ctx context.Context, key string) (value []byte, revision uint64, err error)
	Save(ctx context.Context, key string, value []byte, revision uint64) error
	Delete(ctx context.Context, key string) error
	List(ctx context.Context, prefix string) ([]string, error)
}

func openVault(t *testing.T, b *bench) vaultPort {
	t.Helper()
	store, err := b.client(t, "").Vault(t.Context())
	require.NoError(t, err)
	return store
}

func TestVaultComparesAndSets(t *testing.T) {
	t.Parallel()
	store := openVault(t, setup(t))
	ctx, key := t.Context(), "acme.cred.stripe.live"
	value, revision, err := store.Load(ctx, key)
	require.NoError(t, err)
	require.Zero(t, revision)
	require.Empty(t, value)

	require.ErrorIs(t, store.Save(ctx, key, []byte("v"), 7), natskv.ErrConflict, "there is no revision 7")
	require.NoError(t, store.Save(ctx, key, []byte("v1"), 0))
	require.ErrorIs(t, store.Save(ctx, key, []byte("v"), 0), natskv.ErrConflict, "there is one already")
	value, first, err := store.Load(ctx, key)
	require.NoError(t, err)
	require.Equal(t, "v1", string(value))
	require.NoError(t, store.Save(ctx, key, []byte("v2"), first))
	require.ErrorIs(t, store.Save(ctx, key, []byte("v"), first), natskv.ErrConflict, "it has moved on")
	value, second, err := store.Load(ctx, key)
	require.NoError(t, err)
	require.Equal(t, "v2", string(value))
	require.Greater(t, second, first)

	require.NoError(t, store.Delete(ctx, key))
	require.NoError(t, store.Delete(ctx, key), "deleting what is not there")
	_, revision, err = store.Load(ctx, key)
	require.NoError(t, err)
	require.Zero(t, revision)
	require.ErrorIs(t, store.Save(ctx, key, []byte("v"), second), natskv.ErrConflict)
	require.NoError(t, store.Save(ctx, key, []byte("v3"), 0), "a deleted entry may come again")
}

func TestVaultOneRivalWins(t *testing.T) {
	t.Parallel()
	store := openVault(t, setup(t))
	for _, from := range []uint64{0, 1} { // a create, then an update of it
		var won atomic.Int64
		var rivals sync.WaitGroup
		for i := range 8 {
			rivals.Go(func() {
				if err := store.Save(t.Context(), "key", []byte(strconv.Itoa(i)), from); err == nil {
					won.Add(1)
				}
			})
		}
		rivals.Wait()
		require.Equal(t, int64(1), won.Load())
	}
}

func TestVaultLists(t *testing.T) {
	t.Parallel()
	store := openVault(t, setup(t))
	keys := []string{"a.keyset", "a.cred.stripe.live", "a.cred.stripe.test", "a.cred.stark.live", "ab.keyset", "b.cred.stripe.live"}
	for _, key := range append(keys, "a.cred.gone.live") {
		require.NoError(t, store.Save(t.Context(), key, []byte("sealed"), 0))
	}
	require.NoError(t, store.Delete(t.Context(), "a.cred.gone.live"))
	for prefix, want := range map[string][]string{
		"":              keys,
		"a.":            keys[:4],
		"a":             keys[:5],
		"a.cred.":       keys[1:4],
		"a.cred.st":     keys[1:4],
		"a.cred.stripe": keys[1:3],
		"c.":            {},
	} {
		got, err := store.List(t.Context(), prefix)
		require.NoError(t, err)
		require.ElementsMatch(t, want, got, "prefix %q", prefix)
	}
}

// A bucket may keep history; what is deleted must leave it too.
func TestVaultDeleteKeepsNoCiphertext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kv, err := b.js.UpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: events.BucketVault, History: 10})
	require.NoError(t, err)
	store := openVault(t, b)
	const ciphertext = "sealed-9c2a"
	revision := uint64(0)
	for range 3 {
		require.NoError(t, store.Save(t.Context(), "acme.keyset", []byte(ciphertext), revision))
		_, revision, err = store.Load(t.Context(), "acme.keyset")
		require.NoError(t, err)
	}
	history, err := kv.History(t.Context(), "acme.keyset")
	require.NoError(t, err)
	require.Len(t, history, 3)
	require.NoError(t, store.Delete(t.Context(), "acme.keyset"))
	history, err = kv.History(t.Context(), "acme.keyset")
	require.NoError(t, err)
	require.Len(t, history, 1, "the mark of the deletion alone")
	require.False(t, bytes.Contains(history[0].Value(), []byte(ciphertext)))
}

func TestVaultSaysWhenTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.client(t, "")
	store, err := client.Vault(t.Context())
	require.NoError(t, err)
	client.Close()
	const secret = "sealed-51be"
	_, _, err = store.Load(t.Context(), "k")
	require.Error(t, err)
	err = store.Save(t.Context(), "k", []byte(secret), 0)
	require.Error(t, err)
	require.NotErrorIs(t, err, natskv.ErrConflict, "a failure is no lost race")
	require.NotContains(t, err.Error(), secret)
	require.Error(t, store.Delete(t.Context(), "k"))
	_, err = store.List(t.Context(), "")
	require.Error(t, err)
}
