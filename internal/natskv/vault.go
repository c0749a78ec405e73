package natskv

import (
	"context"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// VaultStore keeps the vault's sealed entries, whose keys are letters, digits,
// "_", "-" and ".". It is safe for concurrent use. Its errors name keys, never
// values.
type VaultStore struct {
	bucket *bucket
}

// Vault opens the vault's bucket.
func (c *Client) Vault(ctx context.Context) (*VaultStore, error) {
	bucket, err := c.open(ctx, events.BucketVault)
	if err != nil {
		return nil, err
	}
	return &VaultStore{bucket: bucket}, nil
}

// Load returns an entry with its revision, which is above 0 and changes with
// every write; revision 0 and no error when there is no entry. The bucket's
// leader is asked: a replica that lags would open what was destroyed, and miss
// what was made an instant ago.
func (v *VaultStore) Load(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	found, err := v.bucket.latest(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("loading %s: %w", key, err)
	}
	if found.removed {
		return nil, 0, nil
	}
	return found.value, found.revision, nil
}

// Save writes only if the entry is still at revision, 0 meaning that there is
// none; otherwise it is [ErrConflict] and changes nothing. After any other
// error the entry may or may not have been written.
func (v *VaultStore) Save(ctx context.Context, key string, value []byte, revision uint64) error {
	var err error
	if revision == 0 {
		_, err = v.bucket.Create(ctx, key, value)
	} else {
		_, err = v.bucket.Update(ctx, key, value, revision)
	}
	switch {
	case refused(err):
		return fmt.Errorf("saving %s: %w", key, ErrConflict)
	case err != nil:
		return fmt.Errorf("saving %s: %w", key, err)
	default:
		return nil
	}
}

// Delete removes an entry and every earlier revision of it for good. Deleting
// what is not there succeeds.
func (v *VaultStore) Delete(ctx context.Context, key string) error {
	if err := v.bucket.Purge(ctx, key); err != nil {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	return nil
}

// List returns the keys that begin with prefix, in any order.
func (v *VaultStore) List(ctx context.Context, prefix string) ([]string, error) {
	// The broker finds whole tokens only; what is left of the prefix is found here.
	whole := prefix[:strings.LastIndexByte(prefix, '.')+1]
	entries, err := v.bucket.snapshot(ctx, whole+">", jetstream.MetaOnly())
	if err != nil {
		return nil, fmt.Errorf("listing %s*: %w", prefix, err)
	}
	keys := make([]string, 0, len(entries))
	for _, entry := range entries {
		if strings.HasPrefix(entry.Key(), prefix) {
			keys = append(keys, entry.Key())
		}
	}
	return keys, nil
}
