package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/feira-dev/feira/events"
)

// Rotate gives a tenant a new key and seals its credentials with it. The old
// key opens until [Config.Grace] has passed; then the next [Vault.Rewrap]
// destroys it.
//
//	mark -> new key, which seals; the old one opens -> rewrap each credential
//	     -> (grace) -> look again, destroy the old key -> unmark
//
// Each arrow is one compare-and-set, and whatever stops between two of them
// leaves every credential readable and the mark in place, by which Rewrap goes
// on. It is [ErrNoCredential] for a tenant that has no keyset.
func (v *Vault) Rotate(ctx context.Context, tenant events.TenantID) (Progress, error) {
	if err := checkOwner(tenant); err != nil {
		return Progress{}, err
	}
	if _, err := v.keys.load(ctx, tenant); err != nil {
		return Progress{}, err
	}
	if err := v.mark(ctx, tenant, ""); err != nil {
		return Progress{}, err
	}
	if err := v.promote(ctx, tenant); err != nil {
		return Progress{}, err
	}
	return v.Rewrap(ctx, tenant)
}

// Rekey puts a tenant's keyset under another of the vault's KEKs, in one
// compare-and-set. What is there already stays as it is.
func (v *Vault) Rekey(ctx context.Context, tenant events.TenantID, kek string) (Progress, error) {
	if err := checkOwner(tenant); err != nil {
		return Progress{}, err
	}
	if !v.keys.keks.holds(kek) {
		return Progress{}, fmt.Errorf("%w: %s", ErrUnknownKEK, kek)
	}
	if err := v.mark(ctx, tenant, kek); err != nil {
		return Progress{}, err
	}
	return v.Rewrap(ctx, tenant)
}

// Tenants lists the tenants that have a keyset, sorted.
func (v *Vault) Tenants(ctx context.Context) ([]events.TenantID, error) {
	keys, err := v.store.List(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("listing keysets: %w", err)
	}
	var tenants []events.TenantID
	for _, key := range keys {
		if id, ok := strings.CutSuffix(key, keysetKey("")); ok && !strings.ContainsRune(id, '.') {
			tenants = append(tenants, events.TenantID(id))
		}
	}
	slices.Sort(tenants)
	return tenants, nil
}

// promote adds a key to the tenant's keyset, and seals with it from now on.
// Two that promote at one time make one key.
func (v *Vault) promote(ctx context.Context, tenant events.TenantID) error {
	for range maxWriteTries {
		keys, err := v.keys.load(ctx, tenant)
		if err != nil {
			return err
		}
		manager := keyset.NewManagerFromHandle(keys.handle)
		id, err := manager.Add(aead.AES256GCMKeyTemplate())
		if err != nil {
			return fmt.Errorf("making key: %w", err)
		}
		if err := manager.SetPrimary(id); err != nil {
			return fmt.Errorf("promoting key: %w", err)
		}
		err = v.audit.write(ctx, Record{
			Time: v.now().UTC(), Tenant: tenant, Action: ActionRotate, Outcome: OutcomeDone, Key: id, Actor: v.actor, Purpose: Purpose{Why: "rotate"},
		})
		if err != nil {
			return err
		}
		sealed := keys.sealed
		sealed.RotatedAt = v.now().UTC()
		done, err := v.swap(ctx, tenant, manager, change{before: keys, sealed: sealed, kek: keys.kek})
		if done || err != nil {
			return err
		}
		now, err := v.keys.load(ctx, tenant)
		if err != nil || now.primary != keys.primary {
			return err // another's new key does as well
		}
	}
	return fmt.Errorf("saving keyset: %w", ErrContended)
}

// swap stores a changed keyset; false when another was faster.
func (v *Vault) swap(ctx context.Context, tenant events.TenantID, manager *keyset.Manager, to change) (bool, error) {
	handle, err := manager.Handle()
	if err != nil {
		return false, fmt.Errorf("making keyset: %w", err)
	}
	to.handle = handle
	saveErr := v.keys.replace(ctx, tenant, to)
	if saveErr == nil {
		return true, nil
	}
	now, err := v.keys.load(ctx, tenant)
	if err != nil {
		return false, errors.Join(saveErr, err)
	}
	if now.revision == to.before.revision {
		return false, saveErr
	}
	return false, nil
}

// rekey puts the keyset under the KEK of a mark; no KEK is none to go under.
func (v *Vault) rekey(ctx context.Context, tenant events.TenantID, name string) error {
	at := slices.IndexFunc(v.keys.keks, func(kek KEK) bool { return kek.Name == name })
	if name == "" {
		return nil
	}
	if at < 0 {
		return fmt.Errorf("%w: %s", ErrUnknownKEK, name)
	}
	for range maxWriteTries {
		keys, err := v.keys.load(ctx, tenant)
		if err != nil || keys.kek.Name == name && keys.sealed.KEK == name {
			return err
		}
		err = v.audit.write(ctx, Record{
			Time: v.now().UTC(), Tenant: tenant, Action: ActionRekey, Outcome: OutcomeDone, KEK: name, Actor: v.actor, Purpose: Purpose{Why: "rotate"},
		})
		if err != nil {
			return err
		}
		sealed := keys.sealed
		if sealed.Format == bareEnvelope {
			sealed.RotatedAt = v.now().UTC()
		}
		done, err := v.swap(ctx, tenant, keyset.NewManagerFromHandle(keys.handle), change{before: keys, sealed: sealed, kek: v.keys.keks[at]})
		if done || err != nil {
			return err
		}
	}
	return fmt.Errorf("saving keyset: %w", ErrContended)
}

func (r ring) holds(name string) bool {
	return slices.ContainsFunc(r, func(kek KEK) bool { return kek.Name == name })
}
