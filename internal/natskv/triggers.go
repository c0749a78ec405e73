package natskv

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

// Triggers is the stored configuration of triggers, without their secrets. It
// is safe for concurrent use. An entry that cannot be read is logged and passed
// over. What makes a trigger fit is looked at before it comes here.
type Triggers struct {
	bucket *bucket
}

// Triggers opens the triggers' bucket.
func (c *Client) Triggers(ctx context.Context) (*Triggers, error) {
	bucket, err := c.open(ctx, events.BucketTriggers)
	if err != nil {
		return nil, err
	}
	return &Triggers{bucket: bucket}, nil
}

// Create stores a new trigger, or is [ErrConflict] when there is one of its id.
func (t *Triggers) Create(ctx context.Context, made trigger.Trigger) error {
	data, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("laying out %s: %w", made.ID, err)
	}
	_, err = t.bucket.Create(ctx, events.KeyTrigger(made.Tenant, made.ID), data)
	switch {
	case refused(err):
		return fmt.Errorf("storing %s: %w", made.ID, ErrConflict)
	case err != nil:
		return fmt.Errorf("storing %s: %w", made.ID, err)
	}
	return nil
}

// Lookup reads a trigger of a tenant from the bucket's leader; false when there
// is none.
func (t *Triggers) Lookup(ctx context.Context, tenant events.TenantID, id events.TriggerID) (trigger.Trigger, bool, error) {
	found, _, err := t.lookup(ctx, events.KeyTrigger(tenant, id))
	return found, found.ID != "", err
}

func (t *Triggers) lookup(ctx context.Context, key string) (trigger.Trigger, uint64, error) {
	entry, err := t.bucket.latest(ctx, key)
	if err != nil || entry.revision == 0 || entry.removed {
		return trigger.Trigger{}, 0, err
	}
	read, err := readTrigger(key, entry.value)
	return read, entry.revision, err
}

// List reads the triggers of a tenant, the oldest first.
func (t *Triggers) List(ctx context.Context, tenant events.TenantID) ([]trigger.Trigger, error) {
	entries, err := t.bucket.snapshot(ctx, events.KeyTriggersOf(tenant))
	if err != nil {
		return nil, fmt.Errorf("listing triggers: %w", err)
	}
	found := make([]trigger.Trigger, 0, len(entries))
	for _, entry := range entries {
		read, err := readTrigger(entry.Key(), entry.Value())
		if err != nil {
			t.passOver(ctx, entry, err)
			continue
		}
		found = append(found, read)
	}
	slices.SortFunc(found, func(a, b trigger.Trigger) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return found, nil
}

// Amend changes what is stored of a trigger; a write that meets another's is
// made anew on top of it, so change may be called more than once. It is false
// when there is no such trigger.
func (t *Triggers) Amend(ctx context.Context, tenant events.TenantID, id events.TriggerID, change func(*trigger.Trigger)) (trigger.Trigger, bool, error) {
	key := events.KeyTrigger(tenant, id)
	for {
		found, revision, err := t.lookup(ctx, key)
		if err != nil || found.ID == "" {
			return trigger.Trigger{}, false, err
		}
		change(&found)
		found.Tenant, found.ID = tenant, id
		data, err := json.Marshal(found)
		if err != nil {
			return trigger.Trigger{}, false, fmt.Errorf("laying out %s: %w", id, err)
		}
		if _, err = t.bucket.Update(ctx, key, data, revision); err == nil {
			return found, true, nil
		}
		if !refused(err) {
			return trigger.Trigger{}, false, fmt.Errorf("storing %s: %w", id, err)
		}
	}
}

// Delete removes a trigger. Deleting what is not there succeeds.
func (t *Triggers) Delete(ctx context.Context, tenant events.TenantID, id events.TriggerID) error {
	if err := t.bucket.Purge(ctx, events.KeyTrigger(tenant, id)); err != nil {
		return fmt.Errorf("deleting %s: %w", id, err)
	}
	return nil
}

func (t *Triggers) passOver(ctx context.Context, entry jetstream.KeyValueEntry, err error) {
	t.bucket.client.logger.WarnContext(ctx, "trigger entry passed over",
		slog.String("key", entry.Key()), slog.Uint64("revision", entry.Revision()), slog.Any("error", err))
}

func readTrigger(key string, value []byte) (trigger.Trigger, error) {
	var read trigger.Trigger
	if err := json.Unmarshal(value, &read); err != nil {
		return trigger.Trigger{}, fmt.Errorf("%w: trigger %s: %w", ErrMalformed, key, err)
	}
	if events.KeyTrigger(read.Tenant, read.ID) != key {
		return trigger.Trigger{}, fmt.Errorf("%w: trigger %s: it is another's", ErrMalformed, key)
	}
	return read, nil
}
