package natskv

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/tenant"
)

// lagWait is the pause before a replica that lags is asked again.
const lagWait = 10 * time.Millisecond

// Keys is what is remembered of API keys, each under its hash. It is safe for
// concurrent use. An entry that cannot be read is logged, and its key is as good
// as not there: whoever holds it is not let in.
type Keys struct {
	bucket *bucket
}

// Keys opens the keys' bucket.
func (c *Client) Keys(ctx context.Context) (*Keys, error) {
	bucket, err := c.open(ctx, events.BucketKeys)
	if err != nil {
		return nil, err
	}
	return &Keys{bucket: bucket}, nil
}

// Create stores a new key, or is [access.ErrInvalid], or [ErrConflict] when
// there is one of its hash. After any other error it may or may not be stored.
func (k *Keys) Create(ctx context.Context, key access.Key) error {
	if err := key.Validate(); err != nil {
		return err
	}
	data, err := json.Marshal(key)
	if err != nil {
		return fmt.Errorf("laying out %s: %w", key.ID, err)
	}
	_, err = k.bucket.Create(ctx, key.Hash.String(), data)
	switch {
	case refused(err):
		return fmt.Errorf("storing %s: %w", key.ID, ErrConflict)
	case err != nil:
		return fmt.Errorf("storing %s: %w", key.ID, err)
	}
	return nil
}

// Lookup reads a key from the bucket's leader; false when there is none. A
// revoked or expired one is found like any other.
func (k *Keys) Lookup(ctx context.Context, hash access.Hash) (access.Key, bool, error) {
	entry, err := k.bucket.latest(ctx, hash.String())
	if err != nil {
		return access.Key{}, false, err
	}
	if entry.revision == 0 || entry.removed {
		return access.Key{}, false, nil
	}
	key, err := readKey(hash.String(), entry.value)
	if err != nil {
		k.passOver(ctx, entry.revision, err)
		return access.Key{}, false, nil
	}
	return key, true, nil
}

// List reads the keys of a tenant, or all when owner is empty, the oldest
// first, those that are revoked or expired too. They say when they were last
// used.
func (k *Keys) List(ctx context.Context, owner tenant.ID) ([]access.Key, error) {
	entries, err := k.entries(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	used := map[access.ID]time.Time{}
	keys := make([]access.Key, 0, len(entries))
	for _, entry := range entries {
		if id, ok := events.LastUsedID(entry.Key()); ok {
			used[access.ID(id)] = readLastUsed(entry)
			continue
		}
		key, err := readKey(entry.Key(), entry.Value())
		if err != nil {
			k.passOver(ctx, entry.Revision(), err)
			continue
		}
		if owner == "" || key.Tenant == owner {
			keys = append(keys, key)
		}
	}
	for i := range keys {
		keys[i].LastUsedAt = used[keys[i].ID]
	}
	slices.SortFunc(keys, func(a, b access.Key) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return keys, nil
}

// entries reads all entries, no older than the call: a replica may read them,
// which lags, so it has to show the last change that the leader knows of. A key
// made an instant ago could not be revoked otherwise.
func (k *Keys) entries(ctx context.Context) ([]jetstream.KeyValueEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotPatience)
	defer cancel()
	last, err := k.bucket.latest(ctx, jetstream.AllKeys)
	if err != nil {
		return nil, err
	}
	for {
		entries, err := k.bucket.snapshot(ctx, jetstream.AllKeys)
		if err != nil {
			return nil, err
		}
		shown := func(entry jetstream.KeyValueEntry) bool { return entry.Revision() >= last.revision }
		if last.revision == 0 || last.removed || slices.ContainsFunc(entries, shown) {
			return entries, nil
		}
		if !lifecycle.Pause(ctx, lagWait) {
			return nil, context.Cause(ctx)
		}
	}
}

// Find returns the key of an id; false when there is none. It reads the whole
// bucket: ids are for people, who are slower.
func (k *Keys) Find(ctx context.Context, id access.ID) (access.Key, bool, error) {
	keys, err := k.List(ctx, "")
	if err != nil {
		return access.Key{}, false, err
	}
	for _, key := range keys {
		if key.ID == id {
			return key, true, nil
		}
	}
	return access.Key{}, false, nil
}

// Revoke has a key refused from now on, and returns it as it then is; false
// when there is none. One that was revoked before stays as it was.
func (k *Keys) Revoke(ctx context.Context, id access.ID, at time.Time) (access.Key, bool, error) {
	key, found, err := k.Find(ctx, id)
	if err != nil || !found {
		return access.Key{}, false, err
	}
	key, err = k.revoke(ctx, key, at)
	return key, err == nil, err
}

// RevokeTenant revokes every key of a tenant, so that a tenant registered anew
// under the same id is not open to them, and says how many.
func (k *Keys) RevokeTenant(ctx context.Context, owner tenant.ID, at time.Time) (int, error) {
	if _, err := events.ParseTenantID(string(owner)); err != nil {
		return 0, err
	}
	keys, err := k.List(ctx, owner)
	if err != nil {
		return 0, err
	}
	revoked := 0
	for _, key := range keys {
		if !key.RevokedAt.IsZero() {
			continue
		}
		if _, err := k.revoke(ctx, key, at); err != nil {
			return revoked, err
		}
		revoked++
	}
	return revoked, nil
}

func (k *Keys) revoke(ctx context.Context, key access.Key, at time.Time) (access.Key, error) {
	for {
		entry, err := k.bucket.latest(ctx, key.Hash.String())
		if err != nil {
			return access.Key{}, fmt.Errorf("revoking %s: %w", key.ID, err)
		}
		current, err := readKey(key.Hash.String(), entry.value)
		if err != nil {
			return access.Key{}, fmt.Errorf("revoking %s: %w", key.ID, err)
		}
		current.LastUsedAt = key.LastUsedAt
		if !current.RevokedAt.IsZero() {
			return current, nil
		}
		current.RevokedAt = at.UTC()
		data, err := json.Marshal(current)
		if err != nil {
			return access.Key{}, fmt.Errorf("revoking %s: %w", key.ID, err)
		}
		if _, err = k.bucket.Update(ctx, key.Hash.String(), data, entry.revision); err == nil {
			return current, nil
		}
		if !refused(err) {
			return access.Key{}, fmt.Errorf("revoking %s: %w", key.ID, err)
		}
	}
}

func (k *Keys) passOver(ctx context.Context, revision uint64, err error) {
	k.bucket.client.logger.WarnContext(ctx, "API key entry passed over", slog.Uint64("revision", revision), slog.Any("error", err))
}

// readKey reads what is stored under a hash.
func readKey(hash string, data []byte) (access.Key, error) {
	place, err := access.ParseHash(hash)
	if err != nil {
		return access.Key{}, fmt.Errorf("%w: API key: %w", ErrMalformed, err)
	}
	var key access.Key
	if err := json.Unmarshal(data, &key); err != nil {
		return access.Key{}, fmt.Errorf("%w: API key: %w", ErrMalformed, err)
	}
	key.Hash = place
	if err := key.Validate(); err != nil {
		return access.Key{}, fmt.Errorf("%w: API key: %w", ErrMalformed, err)
	}
	return key, nil
}
