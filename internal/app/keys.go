package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
)

// ErrUnknownKey occurs when an operation names an API key that there is none of.
var ErrUnknownKey = errors.New("there is no such API key")

// keys opens the store of API keys.
func (k *kit) keys(ctx context.Context) (*natskv.Keys, error) {
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	return kv.Keys(ctx)
}

// CreateKey makes an API key. A tenant's is of the tenant's environment, since
// in the other it would reach nothing; the platform's is of test where nothing
// else is said. The secret is told this once and kept nowhere.
func (o *Operator) CreateKey(ctx context.Context, params access.MintParams) (access.Key, access.Secret, error) {
	if params.Tenant != "" {
		customer, err := o.Tenant(ctx, params.Tenant)
		if err != nil {
			return access.Key{}, access.Secret{}, err
		}
		if params.Environment == "" {
			params.Environment = customer.Environment
		}
		if params.Environment != customer.Environment {
			return access.Key{}, access.Secret{}, fmt.Errorf("a %s key reaches nothing of %s, whose environment is %s", params.Environment, customer.ID, customer.Environment)
		}
	}
	params.CreatedAt = o.kit.now()
	key, secret, err := access.Mint(rand.Reader, params)
	if err != nil {
		return access.Key{}, access.Secret{}, err
	}
	if err := o.kit.provision(ctx); err != nil {
		return access.Key{}, access.Secret{}, err
	}
	keys, err := o.kit.keys(ctx)
	if err != nil {
		return access.Key{}, access.Secret{}, err
	}
	if err := keys.Create(ctx, key); err != nil {
		return access.Key{}, access.Secret{}, err
	}
	return key, secret, nil
}

// Keys lists the API keys of a tenant, or all.
func (o *Operator) Keys(ctx context.Context, owner tenant.ID) ([]access.Key, error) {
	keys, err := o.kit.keys(ctx)
	if err != nil {
		return nil, err
	}
	return keys.List(ctx, owner)
}

// RevokeKey has a key refused from now on, or is [ErrUnknownKey].
func (o *Operator) RevokeKey(ctx context.Context, text string) (access.Key, error) {
	id, err := access.ParseID(text)
	if err != nil {
		return access.Key{}, err
	}
	keys, err := o.kit.keys(ctx)
	if err != nil {
		return access.Key{}, err
	}
	key, found, err := keys.Revoke(ctx, id, o.kit.now())
	if err == nil && !found {
		err = fmt.Errorf("%w: %s", ErrUnknownKey, id)
	}
	return key, err
}

// revokeTenant revokes every key of a tenant.
func (o *Operator) revokeTenant(ctx context.Context, id events.TenantID) error {
	keys, err := o.kit.keys(ctx)
	if err != nil {
		return err
	}
	if _, err := keys.RevokeTenant(ctx, id, o.kit.now()); err != nil {
		return fmt.Errorf("revoking the API keys of %s, do it again: %w", id, err)
	}
	return nil
}
