package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
)

// RotateParams says what is rotated.
type RotateParams struct {
	// Tenant is whose; of every tenant with a keyset when empty.
	Tenant tenant.ID
	// KEK is the URI of the key that keysets go under, instead of getting a new
	// key of their own.
	KEK string
}

// Rotate gives tenants a new key and seals their credentials with it, or puts
// their keysets under another KEK, and tells of each. One that fails does not
// keep the others.
func (o *Operator) Rotate(ctx context.Context, params RotateParams, done func(vault.Progress)) error {
	if params.KEK != "" {
		o.kit.cfg.Vault.OtherKEKs = append(o.kit.cfg.Vault.OtherKEKs, params.KEK)
	}
	keys, err := o.kit.credentials(ctx)
	if err != nil {
		return err
	}
	tenants := []tenant.ID{params.Tenant}
	if params.Tenant == "" {
		if tenants, err = keys.Tenants(ctx); err != nil {
			return err
		}
	}
	var faults []error
	for _, id := range tenants {
		var progress vault.Progress
		if params.KEK == "" {
			progress, err = keys.Rotate(ctx, id)
		} else {
			progress, err = keys.Rekey(ctx, id, params.KEK)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("rotating the key of %s: %w", id, err))
			continue
		}
		done(progress)
	}
	return errors.Join(faults...)
}

// AuditParams says which audit is read.
type AuditParams struct {
	// Tenant is whose; of every tenant when empty.
	Tenant tenant.ID
	// Noted is the hash of a record that has to be there; empty: none has.
	Noted string
}

// Audit reads the records of decryptions, tells each, and holds each tenant's
// chain to its rules. It returns what it found along with [vault.ErrBroken].
func (o *Operator) Audit(ctx context.Context, params AuditParams, each func(vault.Record)) ([]vault.Chain, error) {
	kv, err := o.kit.buckets(ctx)
	if err != nil {
		return nil, err
	}
	log, err := kv.Audit(ctx)
	if err != nil {
		return nil, err
	}
	tenants := []tenant.ID{params.Tenant}
	if params.Tenant == "" {
		if tenants, err = log.Tenants(ctx); err != nil {
			return nil, err
		}
	}
	var chains []vault.Chain
	var faults []error
	for _, id := range tenants {
		chain, err := vault.Verify(ctx, log, id, params.Noted, func(record vault.Record, _ string) { each(record) })
		if err != nil {
			faults = append(faults, err)
			continue
		}
		chains = append(chains, chain)
	}
	return chains, errors.Join(faults...)
}

// Shred destroys a tenant's keyset and credentials for good, and says how many
// credentials. It is [ErrUnknownTenant] where there is nothing of a tenant.
func (o *Operator) Shred(ctx context.Context, id tenant.ID) (int, error) {
	keys, err := o.kit.credentials(ctx)
	if err != nil {
		return 0, err
	}
	known, err := keys.Knows(ctx, id)
	if err != nil {
		return 0, err
	}
	if !known {
		if _, err := o.Tenant(ctx, id); err != nil {
			return 0, err
		}
	}
	destroyed, err := keys.Shred(ctx, id)
	if err != nil {
		return destroyed, fmt.Errorf("shredding the keys of %s, do it again: %w", id, err)
	}
	return destroyed, nil
}

// DeleteTenant revokes a tenant's API keys, shreds its credentials and then
// takes it from the registry, so that one that stops between is a tenant without
// credentials, and not credentials without a tenant. Its log, its usage and its
// audit stay.
func (o *Operator) DeleteTenant(ctx context.Context, id tenant.ID) (int, error) {
	if _, err := o.Tenant(ctx, id); err != nil {
		return 0, err
	}
	if err := o.revokeTenant(ctx, id); err != nil {
		return 0, err
	}
	if err := o.dropTriggers(ctx, id); err != nil {
		return 0, err
	}
	destroyed, err := o.Shred(ctx, id)
	if err != nil {
		return destroyed, err
	}
	registry, err := o.kit.tenants(ctx)
	if err != nil {
		return destroyed, err
	}
	return destroyed, registry.Delete(ctx, id)
}
