package vault

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// TestAShreddingMayStopAnywhere kills a shredding at each of its writes: from
// the first that is made on, nothing opens and nothing is sealed, and doing it
// again finishes it.
func TestAShreddingMayStopAnywhere(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		b := setup(t)
		b.put(t, "acme", "secret-a")
		require.NoError(t, b.vault.Put(t.Context(), "acme", "asaas", events.EnvironmentLive, one("secret-b")))
		b.put(t, "loja", "secret-c")
		_, err := b.vault.Rotate(t.Context(), "acme")
		require.NoError(t, err)
		elsewhere := b.another(t)
		b.store.dieAt(step)
		_, err = b.another(t).Shred(t.Context(), "acme")
		b.store.live()
		if step <= 2 { // marked at most
			require.ErrorIs(t, err, errDead)
			requireOpens(t, b.another(t), "acme", "secret-a")
			continue
		}
		requireShredded(t, elsewhere)
		if step == 3 { // the keyset is still there
			require.ErrorContains(t, fault(elsewhere.Rotate(t.Context(), "acme")), "shred again")
		}
		if err != nil && b.pending(t) {
			require.ErrorIs(t, err, errDead)
			require.ErrorIs(t, elsewhere.Put(t.Context(), "acme", "stripe", events.EnvironmentTest, one("x")), ErrShredded)
			require.ErrorIs(t, fault(elsewhere.Rotate(t.Context(), "acme")), ErrShredded)
		}
		if err != nil {
			b.resume(t)
		}
		require.Equal(t, []string{"_shred.acme", "loja.cred.stripe.test", "loja.keyset"}, b.store.keys())
		requireShredded(t, b.another(t))
		requireOpens(t, elsewhere, "loja", "secret-c")
		b.put(t, "acme", "secret-d")
		requireOpens(t, elsewhere, "acme", "secret-d")
		if err == nil {
			require.Greater(t, step, 7)
			return
		}
	}
}

func requireShredded(t *testing.T, vault *Vault) {
	t.Helper()
	for _, env := range environments() {
		_, err := vault.Open(t.Context(), "acme", "stripe", env, use())
		require.ErrorIs(t, err, ErrShredded)
	}
}

// What was copied before a shredding opens nothing when it is put back, whether
// the tenant has been registered anew or not.
func TestACopyOfBeforeOpensNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "CANARY")
	keyset, credential := b.store.value("acme.keyset"), b.store.value("acme.cred.stripe.test")
	b.shred(t, "acme")
	restore := func() {
		b.store.plant("acme.keyset", keyset)
		b.store.plant("acme.cred.stripe.test", credential)
	}
	restore()
	requireShreddedTest(t, b.another(t))
	require.ErrorIs(t, b.another(t).Put(t.Context(), "acme", "stripe", events.EnvironmentTest, one("x")), ErrShredded)
	b.shred(t, "acme")
	b.put(t, "acme", "new")
	fresh := b.store.value("acme.keyset")
	require.NotEqual(t, keyset, fresh)
	restore()
	requireShreddedTest(t, b.another(t))
	b.store.plant("acme.keyset", fresh) // the old ciphertext under the new keyset
	_, err := b.another(t).Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrSealed)
	require.NotContains(t, err.Error(), "CANARY")
}

func requireShreddedTest(t *testing.T, vault *Vault) {
	t.Helper()
	_, err := vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrShredded)
}

func TestAFreshTenantWithoutACredentialIsNotShredded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.vault.Open(t.Context(), "acme", "stripe", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrNoCredential)
	b.put(t, "acme", "x")
	b.shred(t, "acme")
	b.put(t, "acme", "y")
	_, err = b.vault.Open(t.Context(), "acme", "asaas", events.EnvironmentTest, use())
	require.ErrorIs(t, err, ErrNoCredential)
}

// A sealing that a shredding overtakes does not bring the tenant back.
func TestASealingThatAShreddingOvertakesFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "first")
	rival := b.another(t)
	b.store.before = func(key string) {
		if key == "acme.cred.z-api.test" {
			b.store.before = nil
			_, err := rival.Shred(t.Context(), "acme")
			require.NoError(t, err)
		}
	}
	err := b.vault.Put(t.Context(), "acme", "z-api", events.EnvironmentTest, one("x"))
	require.ErrorIs(t, err, ErrShredded)
	require.Equal(t, []string{"_shred.acme"}, b.store.keys())
}

// Without its record a shredding is not over, though all is destroyed.
func TestAShreddingNeedsItsRecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "x")
	b.log.fail = errors.New("broker is away")
	_, err := b.vault.Shred(t.Context(), "acme")
	require.ErrorIs(t, err, ErrAudit)
	require.Equal(t, []string{"_shred.acme", "_shredding.acme"}, b.store.keys())
	requireShredded(t, b.another(t))
	b.log.fail = nil
	b.shred(t, "acme")
	require.Equal(t, ActionShred, b.log.records(t, "acme")[0].Action)
}

func (b *testBundle) pending(t *testing.T) bool {
	t.Helper()
	buried, err := loadGrave(t.Context(), b.store, "acme")
	require.NoError(t, err)
	return buried.Pending
}

// resume finishes what was interrupted, as the background does: not before a
// minute has passed, and once.
func (b *testBundle) resume(t *testing.T) {
	t.Helper()
	pending := b.pending(t)
	for _, step := range []struct {
		after time.Duration
		want  bool
	}{{resumeAfter - 1, false}, {1, pending}, {resumeAfter, false}} {
		b.now = b.now.Add(step.after)
		resumed, err := b.another(t).Resume(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, step.want, resumed)
	}
	interrupted, err := b.vault.Interrupted(t.Context())
	require.NoError(t, err)
	require.Empty(t, interrupted)
}

// A mark of a shredding that was over, or never began, destroys nothing.
func TestAMarkAloneShredsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "old")
	b.shred(t, "acme")
	b.put(t, "acme", "new")
	b.store.plant("_shredding.acme", []byte("{}"))
	resumed, err := b.vault.Resume(t.Context(), "acme")
	require.NoError(t, err)
	require.False(t, resumed)
	requireOpens(t, b.another(t), "acme", "new")
	require.NotContains(t, b.store.keys(), "_shredding.acme")
}

// The part finishes what a process that died has left.
func TestTheRewrapperResumesAShredding(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.put(t, "acme", "x")
	b.store.dieAt(4)
	_, err := b.another(t).Shred(t.Context(), "acme")
	require.ErrorIs(t, err, errDead)
	b.store.live()
	b.now = b.now.Add(resumeAfter)
	part, err := NewRewrapper(RewrapperConfig{Vault: b.vault})
	require.NoError(t, err)
	over := make(chan struct{})
	b.store.removed = func(key string) {
		if key == "_shredding.acme" {
			close(over)
		}
	}
	require.NoError(t, part.Start(t.Context()))
	<-over
	require.NoError(t, part.Stop(t.Context()))
	require.Equal(t, []string{"_shred.acme"}, b.store.keys())
	b.store.removed = nil
	b.put(t, "acme", "y")
	requireOpens(t, b.vault, "acme", "y")
}
