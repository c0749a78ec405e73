package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
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
	// removed, when set, hears of a deletion, without the lock.
	removed func(key string)
	fail    error
	// writes are how many may still be made before the process dies; 0 is no end.
	writes int
	dead   bool
	// lose makes the next save that is made say that it was not.
	lose bool
}

var errDead = errors.New("the process was killed")

// dieAt kills the process at its nth write, which is not made.
func (m *memory) dieAt(write int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes, m.dead = write, false
}

func (m *memory) live() { m.dieAt(0) }

// write counts a write, with the lock.
func (m *memory) write() error {
	if m.dead {
		return errDead
	}
	if m.writes > 0 {
		m.writes--
		m.dead = m.writes == 0
	}
	if m.dead {
		return errDead
	}
	return m.fail
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
	if m.dead {
		return nil, 0, errDead
	}
	found := m.entries[key]
	return bytes.Clone(found.value), found.revision, m.fail
}

func (m *memory) Save(_ context.Context, key string, value []byte, revision uint64) error {
	if m.before != nil {
		m.before(key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.write(); err != nil {
		return err
	}
	if m.entries[key].revision != revision {
		return errConflict
	}
	m.revision++
	m.entries[key] = entry{value: bytes.Clone(value), revision: m.revision}
	if m.lose {
		m.lose = false
		return errDead
	}
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	if m.removed != nil {
		defer m.removed(key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.write(); err != nil {
		return err
	}
	delete(m.entries, key)
	return nil
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
	log   *memoryLog
	kek   KEK
	// others are further KEKs of the vaults that are made from now on.
	others []KEK
	now    time.Time
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{store: newMemory(), log: newMemoryLog(), kek: newKEK(t), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	b.vault = b.another(t)
	return b
}

// another is a vault of another process on the same store.
func (b *testBundle) another(t *testing.T) *Vault {
	t.Helper()
	made, err := New(Config{KEK: b.kek, OtherKEKs: b.others, Store: b.store, Audit: b.log, Now: func() time.Time { return b.now }})
	require.NoError(t, err)
	return made
}

func newKEK(t *testing.T) KEK {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	require.NoError(t, err)
	kek, err := aead.New(handle)
	require.NoError(t, err)
	return KEK{Name: "test://" + rand.Text(), Key: here{kek}}
}

func (b *testBundle) put(t *testing.T, tenant events.TenantID, value string) {
	t.Helper()
	require.NoError(t, b.vault.Put(t.Context(), tenant, "stripe", events.EnvironmentTest, one(value)))
}

func (b *testBundle) shred(t *testing.T, tenant events.TenantID) {
	t.Helper()
	_, err := b.vault.Shred(t.Context(), tenant)
	require.NoError(t, err)
}

// fault is the error alone.
func fault[T any](_ T, err error) error { return err }

func one(value string) map[string]Secret { return map[string]Secret{"key": NewSecret(value)} }

func requireOpens(t *testing.T, vault *Vault, tenant events.TenantID, want string) {
	t.Helper()
	opened, err := vault.Open(t.Context(), tenant, "stripe", events.EnvironmentTest, use())
	require.NoError(t, err)
	got, ok := opened.Reveal("key")
	require.True(t, ok)
	require.Equal(t, want, got)
}

// use is a purpose like any other.
func use() Purpose { return Purpose{Why: "test"} }

// memoryLog is an audit log as the port's contract has it, with taps for the tests.
type memoryLog struct {
	mu      sync.Mutex
	batches map[events.TenantID][][]byte
	appends int
	// before, when set, runs ahead of an append, without the lock.
	before func(tenant events.TenantID)
	fail   error
	// lose, when set, is what an append that was stored says.
	lose error
}

func newMemoryLog() *memoryLog { return &memoryLog{batches: map[events.TenantID][][]byte{}} }

func (m *memoryLog) Last(_ context.Context, tenant events.TenantID) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.batches[tenant]
	if len(all) == 0 {
		return nil, 0, m.fail
	}
	return bytes.Clone(all[len(all)-1]), uint64(len(all)), m.fail
}

func (m *memoryLog) Append(_ context.Context, tenant events.TenantID, batch []byte, after uint64) (uint64, error) {
	if m.before != nil {
		m.before(tenant)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.appends++
	if m.fail != nil {
		return 0, m.fail
	}
	if uint64(len(m.batches[tenant])) != after {
		return 0, errConflict
	}
	m.batches[tenant] = append(m.batches[tenant], bytes.Clone(batch))
	return after + 1, m.lose
}

func (m *memoryLog) Read(_ context.Context, tenant events.TenantID, each func([]byte) error) error {
	m.mu.Lock()
	all := slices.Clone(m.batches[tenant])
	m.mu.Unlock()
	for _, batch := range all {
		if err := each(batch); err != nil {
			return err
		}
	}
	return nil
}

// records reads a tenant's chain and holds it to its rules.
func (m *memoryLog) records(t *testing.T, tenant events.TenantID) []Record {
	t.Helper()
	var records []Record
	_, err := Verify(t.Context(), m, tenant, "", func(record Record, _ string) { records = append(records, record) })
	require.NoError(t, err)
	return records
}

// text is all that was ever written.
func (m *memoryLog) text() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all bytes.Buffer
	for _, batches := range m.batches {
		all.Write(bytes.Join(batches, nil))
	}
	return all.String()
}

// old is a record of the first form.
func old(t *testing.T, keys tenantKeys, fields string) []byte {
	t.Helper()
	draft := record{Format: plainless, Version: 3, UpdatedAt: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Fields: []string{"key"}}
	var err error
	draft.Ciphertext, err = keys.Encrypt([]byte(fields), []byte("v1|acme|stripe|test|3|1767323045000000006|key"))
	require.NoError(t, err)
	value, err := json.Marshal(draft)
	require.NoError(t, err)
	return value
}
