package natskv

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

// Triggers is the stored configuration of triggers, without their secrets. It
// is safe for concurrent use. An entry that cannot be read is logged and passed
// over. What makes a trigger fit is looked at before it comes here.
type Triggers struct{ shelf[trigger.Trigger] }

// Triggers opens the triggers' bucket.
func (c *Client) Triggers(ctx context.Context) (*Triggers, error) {
	bucket, err := c.open(ctx, events.BucketTriggers)
	if err != nil {
		return nil, err
	}
	return &Triggers{shelf[trigger.Trigger]{
		bucket: bucket, noun: "trigger",
		key: func(of trigger.Trigger) string { return events.KeyTrigger(of.Tenant, of.ID) },
		fit: func(*trigger.Trigger) error { return nil }, get: bucket.onTheLeadersWord,
	}}, nil
}

// Create stores a new trigger, or is [ErrConflict] when there is one of its id.
func (t *Triggers) Create(ctx context.Context, made trigger.Trigger) error {
	return t.create(ctx, made)
}

// Lookup reads a trigger of a tenant from the bucket's leader; false when there
// is none.
func (t *Triggers) Lookup(ctx context.Context, tenant events.TenantID, id events.TriggerID) (trigger.Trigger, bool, error) {
	found, revision, err := t.lookup(ctx, events.KeyTrigger(tenant, id))
	return found, revision > 0, err
}

// List reads the triggers of a tenant, the oldest first.
func (t *Triggers) List(ctx context.Context, tenant events.TenantID) ([]trigger.Trigger, error) {
	found, err := t.list(ctx, events.KeyTriggersOf(tenant))
	slices.SortFunc(found, func(a, b trigger.Trigger) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return found, err
}

// Amend changes what is stored of a trigger; a write that meets another's is
// made anew on top of it, so change may be called more than once. It is false
// when there is no such trigger.
func (t *Triggers) Amend(ctx context.Context, tenant events.TenantID, id events.TriggerID, change func(*trigger.Trigger)) (trigger.Trigger, bool, error) {
	return t.amend(ctx, events.KeyTrigger(tenant, id), func(found *trigger.Trigger) error {
		change(found)
		found.Tenant, found.ID = tenant, id
		return nil
	})
}

// Delete removes a trigger. Deleting what is not there succeeds.
func (t *Triggers) Delete(ctx context.Context, tenant events.TenantID, id events.TriggerID) error {
	if err := t.bucket.Purge(ctx, events.KeyTrigger(tenant, id)); err != nil {
		return fmt.Errorf("deleting trigger %s: %w", id, err)
	}
	return nil
}
