package vault

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func (b *testBundle) open(t *testing.T) Credential {
	t.Helper()
	opened, err := b.another(t).Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.NoError(t, err)
	return opened
}

func (b *testBundle) replace(t *testing.T, was Credential, value string) (Credential, error) {
	t.Helper()
	return b.another(t).Replace(t.Context(), Replacement{
		Tenant: "acme", Server: "stripe", Environment: events.EnvironmentTest, Was: was, Fields: one(value),
	})
}

func TestReplacing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		// meanwhile is what happens between the opening and the replacing.
		meanwhile func(t *testing.T, b *testBundle)
		want      error
		// after is what is stored then; empty: nothing.
		after string
	}{
		"nothing happened":    {nil, nil, "new"},
		"rotated":             {func(t *testing.T, b *testBundle) { t.Helper(); b.rotateToTheEnd(t, "acme") }, nil, "new"},
		"put again":           {func(t *testing.T, b *testBundle) { t.Helper(); b.put(t, "acme", "other") }, ErrReplaced, "other"},
		"put again, the same": {func(t *testing.T, b *testBundle) { t.Helper(); b.put(t, "acme", "old") }, ErrReplaced, "old"},
		"replaced": {func(t *testing.T, b *testBundle) {
			t.Helper()
			_, err := b.replace(t, b.open(t), "other")
			require.NoError(t, err)
		}, ErrReplaced, "other"},
		"deleted": {func(t *testing.T, b *testBundle) { t.Helper(); b.delete(t) }, ErrReplaced, ""},
		"deleted and put again": {func(t *testing.T, b *testBundle) {
			t.Helper()
			b.delete(t)
			b.now = b.now.Add(1)
			b.put(t, "acme", "other")
		}, ErrReplaced, "other"},
		"shredded": {func(t *testing.T, b *testBundle) { t.Helper(); b.shred(t, "acme") }, ErrShredded, ""},
		"shredded and put again": {func(t *testing.T, b *testBundle) {
			t.Helper()
			b.shred(t, "acme")
			b.now = b.now.Add(1)
			b.put(t, "acme", "other")
		}, ErrReplaced, "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.put(t, "acme", "old")
			was := b.open(t)
			if test.meanwhile != nil {
				test.meanwhile(t, b)
			}
			_, err := b.replace(t, was, "new")
			require.ErrorIs(t, err, test.want)
			if test.after == "" {
				require.Error(t, fault(b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())))
				return
			}
			requireOpens(t, b.another(t), "acme", test.after)
		})
	}
}

func (b *testBundle) delete(t *testing.T) {
	t.Helper()
	require.NoError(t, b.vault.Delete(t.Context(), "acme", "stripe", events.EnvironmentTest))
}

// What Replace gives is what it can be replaced from, by a clock that stands
// still too.
func TestReplacingOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "0")
	held := b.open(t)
	for n := 1; n <= 5; n++ {
		next, err := b.replace(t, held, strconv.Itoa(n))
		require.NoError(t, err)
		_, err = b.replace(t, held, "x")
		require.ErrorIs(t, err, ErrReplaced)
		held = next
	}
	requireOpens(t, b.vault, "acme", "5")
	require.ErrorIs(t, fault(b.replace(t, Credential{}, "x")), ErrReplaced)
	_, err := b.vault.Replace(t.Context(), Replacement{Tenant: "loja", Server: "stripe", Environment: events.EnvironmentTest, Was: held, Fields: one("x")})
	require.ErrorIs(t, err, ErrReplaced, "a tenant that has nothing")
	require.NotContains(t, b.store.keys(), "loja.keyset")
	for _, entry := range b.log.records(t, "acme") {
		require.Equal(t, ActionOpen, entry.Action, "nothing was decrypted to replace it")
	}
}

func TestOneOfManyReplaces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "old")
	was := b.open(t)
	done := make([]error, 16)
	var group sync.WaitGroup
	for n := range done {
		group.Go(func() { _, done[n] = b.replace(t, was, strconv.Itoa(n)) })
	}
	group.Wait()
	winner := -1
	for n, err := range done {
		if err == nil {
			require.Equal(t, -1, winner)
			winner = n
			continue
		}
		require.ErrorIs(t, err, ErrReplaced)
	}
	requireOpens(t, b.vault, "acme", strconv.Itoa(winner))
}

// A rewrapping between a replacing's look and its write is tried over; the
// same of a person's credential is not.
func TestAReplacingThatIsOvertaken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rival func(t *testing.T, b *testBundle)
		want  error
	}{
		"by a rotation": {func(t *testing.T, b *testBundle) {
			t.Helper()
			_, err := b.another(t).Rotate(t.Context(), "acme")
			require.NoError(t, err)
		}, nil},
		"by a rotation to its end": {func(t *testing.T, b *testBundle) { t.Helper(); b.rotateToTheEnd(t, "acme") }, nil},
		"by a person":              {func(t *testing.T, b *testBundle) { t.Helper(); b.put(t, "acme", "x") }, ErrReplaced},
		"by a shredding":           {func(t *testing.T, b *testBundle) { t.Helper(); b.shred(t, "acme") }, ErrShredded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.put(t, "acme", "old")
			was := b.open(t)
			b.store.before = func(key string) {
				if key == "acme.cred.stripe.test" {
					b.store.before = nil
					test.rival(t, b)
				}
			}
			_, err := b.replace(t, was, "new")
			require.ErrorIs(t, err, test.want)
			if test.want == nil {
				requireOpens(t, b.another(t), "acme", "new")
			}
		})
	}
}

// An answer that was lost is told from a write that was.
func TestAReplacingWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "old")
	was := b.open(t)
	b.store.lose = true
	_, err := b.replace(t, was, "new")
	require.NoError(t, err)
	requireOpens(t, b.vault, "acme", "new")
	b.store.fail = errors.New("disk is full")
	require.ErrorContains(t, fault(b.replace(t, was, "newer")), "disk is full")
}

func TestPlainFieldsAreListedAndBound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made, err := New(Config{KEK: b.kek, Store: b.store, Audit: b.log, Now: func() time.Time { return b.now }, Plain: []string{"expires_at", "note"}})
	require.NoError(t, err)
	fields := one("CANARY")
	fields["expires_at"], fields["note"] = NewSecret(strings.Repeat("9", maxPlain)), NewSecret(strings.Repeat("9", maxPlain+1))
	require.NoError(t, made.Put(t.Context(), "acme", "stripe", events.EnvironmentTest, fields))
	b.put(t, "loja", "CANARY")
	require.NotContains(t, string(b.store.value("acme.cred.stripe.test")), "CANARY")
	entries, err := made.List(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"expires_at": strings.Repeat("9", maxPlain)}, entries[0].Plain)
	_, err = made.Rotate(t.Context(), "acme")
	require.NoError(t, err)
	rotated, err := made.List(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, entries, rotated)

	require.NoError(t, made.Put(t.Context(), Operator, "stripe", events.EnvironmentTest, one("CANARY")))
	require.NoError(t, fault(made.Rotate(t.Context(), Operator)))
	requireOpens(t, made, Operator, "CANARY")
	for servers, want := range map[string][]events.TenantID{"stripe": {"acme", "loja"}, "asaas": nil} {
		var seen []events.TenantID
		require.NoError(t, made.Survey(t.Context(), []string{servers}, func(tenant events.TenantID, entry Entry) error {
			require.Equal(t, "stripe", entry.Server)
			seen = append(seen, tenant)
			return nil
		}))
		require.Equal(t, want, seen)
	}
	require.ErrorIs(t, made.Survey(t.Context(), []string{"stripe"}, func(events.TenantID, Entry) error { return errDead }), errDead)
}

// Records of the form that had nothing in clear open, and are of the new form
// once they are rewrapped.
func TestRecordsOfBeforeOpen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "x")
	keys, err := b.vault.keys.load(t.Context(), "acme")
	require.NoError(t, err)
	at := place{tenant: "acme", server: "stripe", env: events.EnvironmentTest}
	b.store.plant(at.key(), old(t, keys, `{"key":"old"}`))
	requireOpens(t, b.vault, "acme", "old")
	b.rotateToTheEnd(t, "acme")
	read, err := parseRecord(b.store.value(at.key()))
	require.NoError(t, err)
	require.Equal(t, recordFormat, read.Format)
	requireOpens(t, b.vault, "acme", "old")
}
