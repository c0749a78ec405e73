package natskv_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/testenv"
)

// Not parallel: it looks for goroutines left behind.
func TestKeyringKeepsTheContract(t *testing.T) {
	b := setup(t)
	keys := b.keys(t)
	require.NoError(t, keys.Create(t.Context(), mint(t, access.MintParams{})))
	lifecycletest.Stress(t, func() lifecycle.Part {
		ring, err := natskv.NewKeyring(natskv.KeyringConfig{Keys: keys})
		require.NoError(t, err)
		return ring
	}, testenv.ServerGoroutines()...)
}

func (b *bench) ring(t *testing.T, keys *natskv.Keys) *natskv.Keyring {
	t.Helper()
	return startRing(t, natskv.KeyringConfig{Keys: keys})
}

func startRing(t *testing.T, config natskv.KeyringConfig) *natskv.Keyring {
	t.Helper()
	ring, err := natskv.NewKeyring(config)
	require.NoError(t, err)
	require.NoError(t, ring.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { require.NoError(t, ring.Stop(bounded(t))) })
	return ring
}

// requireKnown finds a key at once, as it was stored.
func requireKnown(t *testing.T, ring *natskv.Keyring, key access.Key) {
	t.Helper()
	got, found, err := ring.Lookup(t.Context(), key.Hash)
	require.NoError(t, err)
	require.True(t, found)
	require.Empty(t, cmp.Diff(key, got))
}

// obeys returns how long it took until the ring knew of a revocation.
func obeys(t *testing.T, ring *natskv.Keyring, key access.Key) time.Duration {
	t.Helper()
	begun := time.Now()
	require.Eventually(t, func() bool {
		got, found, err := ring.Lookup(t.Context(), key.Hash)
		return err == nil && found && !got.RevokedAt.IsZero()
	}, patience, poll)
	return time.Since(begun)
}

func TestKeyringSeesWhatOthersDo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.create(t, access.MintParams{Tenant: "acme"})
	here, there := b.ring(t, b.keys(t)), b.ring(t, b.keys(t))
	requireKnown(t, here, old)

	// A key is known everywhere at the moment at which its making has been
	// confirmed, although it was asked for before.
	for range 20 {
		fresh := mint(t, access.MintParams{})
		for _, ring := range []*natskv.Keyring{here, there} {
			_, found, err := ring.Lookup(t.Context(), fresh.Hash)
			require.NoError(t, err)
			require.False(t, found)
		}
		another := b.create(t, access.MintParams{})
		requireKnown(t, here, another)
		requireKnown(t, there, another)
	}
	_, _, err := b.keys(t).Revoke(t.Context(), old.ID, noon())
	require.NoError(t, err)
	for _, ring := range []*natskv.Keyring{here, there} {
		require.Less(t, obeys(t, ring, old), time.Second)
	}
}

// A hash that was refused a moment ago is let in once it has a key.
func TestKeyringForgetsStrangers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keys := b.keys(t)
	ring := b.ring(t, keys)
	key := mint(t, access.MintParams{})
	_, found, err := ring.Lookup(t.Context(), key.Hash)
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, keys.Create(t.Context(), key))
	begun := time.Now()
	require.Eventually(t, func() bool {
		_, found, err := ring.Lookup(t.Context(), key.Hash)
		return err == nil && found
	}, patience, poll)
	require.Less(t, time.Since(begun), time.Second)
}

// The broker is there and says nothing: for MaxAge the memory counts, then
// nobody is let in, and nobody who was revoked meanwhile is let in again.
func TestKeyringFailsClosed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good, bad := b.create(t, access.MintParams{}), b.create(t, access.MintParams{})
	proxy := testenv.NewProxy(t, b.server.URL)
	keys, err := b.client(t, proxy.URL).Keys(t.Context())
	require.NoError(t, err)
	ring := startRing(t, natskv.KeyringConfig{Keys: keys, MaxAge: 400 * time.Millisecond})
	stranger := mint(t, access.MintParams{}).Hash
	_, found, err := ring.Lookup(t.Context(), stranger)
	require.NoError(t, err)
	require.False(t, found)

	proxy.Freeze()
	frozen := time.Now()
	_, found, err = ring.Lookup(t.Context(), stranger)
	require.NoError(t, err, "nobody is asked twice about a stranger")
	require.False(t, found)
	revoked, found, err := b.keys(t).Revoke(t.Context(), bad.ID, noon())
	require.NoError(t, err)
	require.True(t, found)
	for {
		_, found, err := ring.Lookup(t.Context(), bad.Hash)
		if err != nil {
			require.ErrorIs(t, err, natskv.ErrUnsure)
			require.False(t, found)
			break
		}
		require.Less(t, time.Since(frozen), time.Second, "a revoked key is let in by what was known before")
	}
	_, _, err = ring.Lookup(t.Context(), good.Hash)
	require.ErrorIs(t, err, natskv.ErrUnsure, "nor is anybody else")
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, _, err = ring.Lookup(short, good.Hash)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	proxy.Thaw()
	require.Eventually(t, func() bool {
		got, found, err := ring.Lookup(t.Context(), bad.Hash)
		if err != nil {
			return false
		}
		require.True(t, found)
		require.Empty(t, cmp.Diff(revoked, got), "the first answer knows of the revocation")
		return true
	}, patience, poll)
	requireKnown(t, ring, good)
	require.Contains(t, b.logs.String(), "may be out of date")
	require.Eventually(t, func() bool { return strings.Contains(b.logs.String(), "up to date again") }, patience, poll)
}

// A watch that hears nothing, of a broker that answers, is found out.
func TestKeyringNoticesADeafWatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := b.create(t, access.MintParams{})
	ring := b.ring(t, b.keys(t))
	requireKnown(t, ring, key)
	stream, err := b.js.Stream(t.Context(), "KV_"+events.BucketKeys)
	require.NoError(t, err)
	names := stream.ConsumerNames(t.Context())
	for name := range names.Name() {
		require.NoError(t, stream.DeleteConsumer(t.Context(), name))
	}
	require.NoError(t, names.Err())
	_, _, err = b.keys(t).Revoke(t.Context(), key.ID, noon())
	require.NoError(t, err)
	require.Less(t, obeys(t, ring, key), 1500*time.Millisecond)
}

// What a keyring missed while the broker was away it learns on its return.
func TestKeyringSurvivesTheBroker(t *testing.T) {
	t.Parallel()
	server := testenv.Restartable(t)
	b := furnish(t, &server.Server)
	proxy := testenv.NewProxy(t, server.URL)
	keys, err := b.client(t, proxy.URL).Keys(t.Context())
	require.NoError(t, err)
	good, bad, gone := b.create(t, access.MintParams{}), b.create(t, access.MintParams{}), b.create(t, access.MintParams{})
	ring := b.ring(t, keys)
	for _, key := range []access.Key{good, bad, gone} {
		requireKnown(t, ring, key)
	}

	proxy.Freeze()
	server.Stop(t)
	server.Start(t)
	straight := b.keys(t)
	_, _, err = straight.Revoke(t.Context(), bad.ID, noon())
	require.NoError(t, err)
	require.NoError(t, b.bucket(t, events.BucketKeys).Delete(t.Context(), gone.Hash.String()))
	require.NoError(t, b.bucket(t, events.BucketKeys).PurgeDeletes(t.Context(), jetstream.DeleteMarkersOlderThan(-1)))
	fresh := b.create(t, access.MintParams{})

	proxy.Thaw()
	require.Eventually(t, func() bool {
		_, found, err := ring.Lookup(t.Context(), fresh.Hash)
		return err == nil && found
	}, patience, poll)
	obeys(t, ring, bad)
	require.Eventually(t, func() bool {
		_, found, err := ring.Lookup(t.Context(), gone.Hash)
		return err == nil && !found
	}, patience, poll)
	_, _, err = straight.Revoke(t.Context(), good.ID, noon())
	require.NoError(t, err)
	require.Less(t, obeys(t, ring, good), time.Second)
}

func TestKeyringNotesUses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key, idle := b.create(t, access.MintParams{Tenant: "acme"}), b.create(t, access.MintParams{})
	keys := b.keys(t)
	at := noon().Add(time.Hour)
	config := natskv.KeyringConfig{Keys: keys, NoteUse: 20 * time.Millisecond, Now: func() time.Time { return at }}
	here, there := startRing(t, config), startRing(t, config)
	var users sync.WaitGroup
	for _, ring := range []*natskv.Keyring{here, there} {
		users.Go(func() {
			for range 1000 {
				_, _, _ = ring.Lookup(t.Context(), key.Hash)
			}
		})
	}
	users.Wait()
	bucket := b.bucket(t, events.BucketKeys)
	require.Eventually(t, func() bool {
		_, err := bucket.Get(t.Context(), events.KeyLastUsed(string(key.ID)))
		return err == nil
	}, patience, poll)
	all, err := keys.List(t.Context(), "")
	require.NoError(t, err)
	for _, got := range all {
		switch got.ID {
		case key.ID:
			require.Equal(t, at, got.LastUsedAt)
		case idle.ID:
			require.Zero(t, got.LastUsedAt)
		}
	}
	status, err := b.js.Stream(t.Context(), "KV_"+events.BucketKeys)
	require.NoError(t, err)
	require.LessOrEqual(t, status.CachedInfo().State.LastSeq, uint64(4), "two keys, and one note or, of rivals, two")
	requireKnown(t, here, key)
}

func TestKeyringConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := natskv.NewKeyring(natskv.KeyringConfig{MaxAge: time.Second, Check: time.Second, NoteUse: -1})
	for _, field := range []string{"keys is missing", "max_age is 1s", "note_use is -1ns"} {
		require.ErrorIs(t, err, natskv.ErrConfig)
		require.ErrorContains(t, err, field)
	}
	_, err = natskv.NewKeyring(natskv.KeyringConfig{Keys: &natskv.Keys{}, MaxAge: time.Second, Check: time.Second / 2})
	require.NoError(t, err)
}
