package natskv_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/natskv"
)

func noon() time.Time { return time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC) }

func mint(t *testing.T, params access.MintParams) access.Key {
	t.Helper()
	if params.Name == "" {
		params.Name = "shop"
	}
	if params.CreatedAt.IsZero() {
		params.CreatedAt = noon()
	}
	key, _, err := access.Mint(rand.Reader, params)
	require.NoError(t, err)
	return key
}

// keys opens the keys' bucket on a connection of its own.
func (b *bench) keys(t *testing.T) *natskv.Keys {
	t.Helper()
	keys, err := b.client(t, "").Keys(t.Context())
	require.NoError(t, err)
	return keys
}

func (b *bench) create(t *testing.T, params access.MintParams) access.Key {
	t.Helper()
	key := mint(t, params)
	require.NoError(t, b.keys(t).Create(t.Context(), key))
	return key
}

func TestKeysAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.keys(t)
	acme := mint(t, access.MintParams{Tenant: "acme", Project: "prj_0123456789abcdef", ExpiresAt: noon().Add(time.Hour)})
	_, found, err := keys.Lookup(t.Context(), acme.Hash)
	require.NoError(t, err)
	require.False(t, found)

	platform := mint(t, access.MintParams{Environment: events.EnvironmentLive, CreatedAt: noon().Add(-time.Hour)})
	for _, key := range []access.Key{acme, platform} {
		require.NoError(t, keys.Create(t.Context(), key))
		got, found, err := keys.Lookup(t.Context(), key.Hash)
		require.NoError(t, err)
		require.True(t, found)
		require.Empty(t, cmp.Diff(key, got))
	}
	require.ErrorIs(t, keys.Create(t.Context(), acme), natskv.ErrConflict, "a key is made once")

	all, err := keys.List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]access.Key{platform, acme}, all), "the oldest first")
	own, err := keys.List(t.Context(), "acme")
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]access.Key{acme}, own))
	got, found, err := keys.Find(t.Context(), platform.ID)
	require.NoError(t, err)
	require.True(t, found)
	require.Empty(t, cmp.Diff(platform, got))
}

func TestKeysRefuseWhatIsInvalid(t *testing.T) {
	t.Parallel()
	keys := setup(t).keys(t)
	require.ErrorIs(t, keys.Create(t.Context(), access.Key{}), access.ErrInvalid)
	_, err := keys.RevokeTenant(t.Context(), "a.b", noon())
	require.ErrorIs(t, err, events.ErrInvalidID)
}

func TestKeysAreRevokedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.keys(t)
	key := b.create(t, access.MintParams{Tenant: "acme"})
	_, found, err := keys.Revoke(t.Context(), "key_00000000000000000000", noon())
	require.NoError(t, err)
	require.False(t, found)
	key.RevokedAt = noon().Add(time.Minute)
	for range 2 {
		got, found, err := keys.Revoke(t.Context(), key.ID, noon().Add(time.Minute))
		require.NoError(t, err)
		require.True(t, found)
		require.Empty(t, cmp.Diff(key, got))
	}
	got, _, err := keys.Revoke(t.Context(), key.ID, noon().Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(key, got), "the first revocation stands")
	got, found, err = keys.Lookup(t.Context(), key.Hash)
	require.NoError(t, err)
	require.True(t, found, "a revoked key is known, so that its holder can be told")
	require.Empty(t, cmp.Diff(key, got))
}

func TestKeysOfATenantAreRevokedTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.keys(t)
	first, second := b.create(t, access.MintParams{Tenant: "acme"}), b.create(t, access.MintParams{Tenant: "acme"})
	other, platform := b.create(t, access.MintParams{Tenant: "acme2"}), b.create(t, access.MintParams{})
	_, _, err := keys.Revoke(t.Context(), first.ID, noon())
	require.NoError(t, err)
	count, err := keys.RevokeTenant(t.Context(), "acme", noon().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1, count)
	for hash, want := range map[access.Hash]time.Time{
		first.Hash: noon(), second.Hash: noon().Add(time.Hour), other.Hash: {}, platform.Hash: {},
	} {
		got, _, err := keys.Lookup(t.Context(), hash)
		require.NoError(t, err)
		require.Equal(t, want, got.RevokedAt)
	}
}

// What cannot be read lets nobody in, and is said.
func TestMalformedKeysAreNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.keys(t)
	key := mint(t, access.MintParams{})
	bucket := b.bucket(t, events.BucketKeys)
	for name, value := range map[string]string{
		key.Hash.String(): "garbage", "nohash": "{}", mint(t, access.MintParams{}).Hash.String(): `{"id":"key_1","scopes":["*"]}`,
	} {
		_, err := bucket.PutString(t.Context(), name, value)
		require.NoError(t, err)
	}
	_, found, err := keys.Lookup(t.Context(), key.Hash)
	require.NoError(t, err)
	require.False(t, found)
	all, err := keys.List(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, all)
	require.Contains(t, b.logs.String(), "API key entry passed over")
	ring := b.ring(t, keys)
	_, found, err = ring.Lookup(t.Context(), key.Hash)
	require.NoError(t, err)
	require.False(t, found)
}
