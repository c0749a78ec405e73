package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
)

// Shred makes all credentials of a tenant unreadable for good: it destroys the
// keyset that sealed them, then the ciphertexts, and says how many. From its
// first step on nothing of the tenant opens. When it fails, do it again; a
// [Rewrapper] does so too, a minute later.
//
// A keyset that is put back from a copy of the store opens nothing, as long as
// the grave is there. A copy of the whole store, put in place of it, opens for
// whoever has the KEK: destroy the KEK too, once the other tenants' keysets are
// under a newer one.
func (v *Vault) Shred(ctx context.Context, tenant events.TenantID) (destroyed int, err error) {
	if err := checkOwner(tenant); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, shredPatience)
	defer cancel()
	if _, err := v.claimShred(ctx, tenant, 0); err != nil {
		return 0, err
	}
	return v.shred(ctx, tenant)
}

// shred does all of it, or what is left of it.
func (v *Vault) shred(ctx context.Context, tenant events.TenantID) (destroyed int, err error) {
	if err := v.bury(ctx, tenant, true); err != nil {
		return 0, err
	}
	err = v.store.Delete(ctx, keysetKey(tenant))
	v.keys.cache.Remove(tenant)
	if err != nil {
		return 0, fmt.Errorf("deleting keyset: %w", err)
	}
	places, err := v.places(ctx, tenant)
	if err != nil {
		return 0, err
	}
	var faults []error
	for _, at := range places {
		if err := v.store.Delete(ctx, at.key()); err != nil {
			faults = append(faults, fmt.Errorf("deleting credential: %w", err))
			continue
		}
		destroyed++
	}
	if err := v.store.Delete(ctx, rewrapKey(tenant)); err != nil {
		faults = append(faults, fmt.Errorf("deleting rewrap mark: %w", err))
	}
	if len(faults) > 0 {
		return destroyed, errors.Join(faults...)
	}
	err = v.audit.write(ctx, Record{
		Time: v.now().UTC(), Tenant: tenant, Action: ActionShred, Outcome: OutcomeDone, Actor: v.actor, Purpose: Purpose{Why: "shred"},
	})
	if err != nil {
		return destroyed, err
	}
	if err := v.bury(ctx, tenant, false); err != nil {
		return destroyed, err
	}
	return destroyed, v.unmarkShred(ctx, tenant)
}

// bury writes that a shredding has begun, or is over. One that begins on top of
// one that did not end goes on with it.
func (v *Vault) bury(ctx context.Context, tenant events.TenantID, pending bool) error {
	for range maxWriteTries {
		buried, err := loadGrave(ctx, v.store, tenant)
		if err != nil {
			return err
		}
		if buried.Pending == pending {
			return nil
		}
		before := buried.revision
		if pending {
			buried.Generation++
			buried.At = v.now().UTC()
		}
		buried.Pending = pending
		saveErr := buried.save(ctx, v.store, tenant)
		if saveErr == nil {
			return nil
		}
		now, err := loadGrave(ctx, v.store, tenant)
		if err != nil || now.revision == before {
			return errors.Join(saveErr, err)
		}
	}
	return fmt.Errorf("saving grave: %w", ErrContended)
}

// Knows reports whether the store holds anything of a tenant: a keyset, a
// credential, or that it was shredded.
func (v *Vault) Knows(ctx context.Context, tenant events.TenantID) (bool, error) {
	places, err := v.places(ctx, tenant)
	if err != nil || len(places) > 0 {
		return len(places) > 0, err
	}
	for _, key := range []string{keysetKey(tenant), graveKey(tenant)} {
		_, revision, err := v.store.Load(ctx, key)
		if err != nil {
			return false, fmt.Errorf("looking for the tenant: %w", err)
		}
		if revision > 0 {
			return true, nil
		}
	}
	return false, nil
}
