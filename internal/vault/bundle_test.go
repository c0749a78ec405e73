package vault

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/feira-dev/feira/events"
)

var errConflict = errors.New("conflict")

// memory is a store as the port's contract has it, with taps for the tests.
type memory struct {
	mu       sync.Mutex
	entries  map[string]entry
	revision uint64
	loads    map[string]int
	// before, when set, runs ahead of a save, without the lock.
	before func(key string)
	fail   error
}

type entry struct {
	value    []byte
	revision uint64
}

func newMemory() *memory { return &memory{entries: map[string]entry{}, loads: map[string]int{}} }

func (m *memory) Load(_ context.Context, key string) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads[key]++
	found := m.entries[key]
	return bytes.Clone(found.value), found.revision, m.fail
}

func (m *memory) Save(_ context.Context, key string, value []byte, revision uint64) error {
	if m.before != nil {
		m.before(key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.entries[key].revision != revision {
		return errConflict
	}
	m.revision++
	m.entries[key] = entry{value: bytes.Clone(value), revision: m.revision}
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, key)
	return m.fail
}

func (m *memory) List(_ context.Context, prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.entries {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys, m.fail
}

// plant writes behind the vault's back.
func (m *memory) plant(key string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.revision++
	m.entries[key] = entry{value: bytes.Clone(value), revision: m.revision}
}

func (m *memory) value(key string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.entries[key].value)
}

func (m *memory) keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.entries))
}

func (m *memory) loaded(key string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loads[key]
}

type testBundle struct {
	vault *Vault
	store *memory
	kek   tink.AEAD
	now   time.Time
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{store: newMemory(), kek: newKEK(t), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	b.vault = b.another(t)
	return b
}

// another is a vault of another process on the same store.
func (b *testBundle) another(t *testing.T) *Vault {
	t.Helper()
	made, err := New(Config{KEK: b.kek, Store: b.store, Now: func() time.Time { return b.now }})
	require.NoError(t, err)
	return made
}

func newKEK(t *testing.T) tink.AEAD {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	kek, err := aead.New(handle)
	require.NoError(t, err)
	return kek
}

func (b *testBundle) put(t *testing.T, tenant events.TenantID, value string) {
	t.Helper()
	require.NoError(t, b.vault.Put(t.Context(), tenant, "stripe", events.EnvironmentTest, one(value)))
}

func one(value string) map[string]Secret { return map[string]Secret{"key": NewSecret(value)} }

func requireOpens(t *testing.T, vault *Vault, tenant events.TenantID, want string) {
	t.Helper()
	opened, err := vault.Open(t.Context(), tenant, "stripe", events.EnvironmentTest)
	require.NoError(t, err)
	got, ok := opened.Reveal("key")
	require.True(t, ok)
	require.Equal(t, want, got)
}
