package app

import (
	"context"
	"time"

	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
)

// keyring keeps the API keys, with its broker's absence marked.
type keyring struct{ keys *natskv.Keys }

// Create implements [gateway.Keyring].
func (k keyring) Create(ctx context.Context, key access.Key) error {
	return away(k.keys.Create(ctx, key))
}

// List implements [gateway.Keyring].
func (k keyring) List(ctx context.Context, owner tenant.ID) ([]access.Key, error) {
	keys, err := k.keys.List(ctx, owner)
	return keys, away(err)
}

// Find implements [gateway.Keyring].
func (k keyring) Find(ctx context.Context, id access.ID) (access.Key, bool, error) {
	key, found, err := k.keys.Find(ctx, id)
	return key, found, away(err)
}

// Revoke implements [gateway.Keyring].
func (k keyring) Revoke(ctx context.Context, id access.ID, at time.Time) (access.Key, bool, error) {
	key, found, err := k.keys.Revoke(ctx, id, at)
	return key, found, away(err)
}
