package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
)

// credentials lets the providers' client open the vault.
type credentials struct{ vault *vault.Vault }

func (c credentials) Open(ctx context.Context, id events.TenantID, server string, env events.Environment) (provider.Credential, error) {
	opened, err := c.vault.Open(ctx, id, server, env, purposeOf(ctx))
	if errors.Is(err, vault.ErrNoCredential) {
		return nil, fmt.Errorf("%w: %w", provider.ErrNoCredential, err)
	}
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// directory tells the worker of tenants: from the live copy where it has them,
// from the bucket itself where not, since a tenant may be registered an
// instant before its first request.
type directory struct {
	live  *natskv.Registry
	truth *natskv.Tenants
}

func (d directory) Lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, bool, error) {
	if found, ok := d.live.Lookup(id); ok {
		return found, true, nil
	}
	return d.truth.Lookup(ctx, id)
}

// census tells the scheduler of tenants as they come and change.
type census struct {
	tenants *natskv.Tenants
	log     *slog.Logger
}

func (c census) Watch(ctx context.Context, heard func(customer tenant.Tenant, live bool)) error {
	go func() {
		err := c.tenants.Watch(ctx, func(change natskv.Change) {
			customer := change.Tenant
			customer.ID = change.ID
			heard(customer, !change.Deleted)
		}, func() {})
		if err != nil && ctx.Err() == nil {
			c.log.ErrorContext(ctx, "watching tenants", "error", err)
		}
	}()
	return nil
}
