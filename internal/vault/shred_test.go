package vault

import (
	"errors"
	"testing"

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
		if step == 1 {
			require.ErrorIs(t, err, errDead)
			requireOpens(t, b.another(t), "acme", "secret-a")
			continue
		}
		requireShredded(t, elsewhere)
		if step == 2 { // the keyset is still there
			require.ErrorContains(t, fault(elsewhere.Rotate(t.Context(), "acme")), "shred again")
		}
		if err != nil {
			require.ErrorIs(t, err, errDead)
			require.ErrorIs(t, elsewhere.Put(t.Context(), "acme", "stripe", events.EnvironmentTest, one("x")), ErrShredded)
			require.ErrorIs(t, fault(elsewhere.Rotate(t.Context(), "acme")), ErrShredded)
			b.shred(t, "acme")
		}
		require.Equal(t, []string{"_shred.acme", "loja.cred.stripe.test", "loja.keyset"}, b.store.keys())
		requireShredded(t, b.another(t))
		requireOpens(t, elsewhere, "loja", "secret-c")
		b.put(t, "acme", "secret-d")
		requireOpens(t, elsewhere, "acme", "secret-d")
		if err == nil {
			require.Greater(t, step, 5)
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
	require.Equal(t, []string{"_shred.acme"}, b.store.keys())
	requireShredded(t, b.another(t))
	b.log.fail = nil
	b.shred(t, "acme")
	require.Equal(t, ActionShred, b.log.records(t, "acme")[0].Action)
}
