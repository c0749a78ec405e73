package natskv

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// Tenants is the stored configuration of all tenants. It is safe for
// concurrent use.
type Tenants struct{ shelf[tenant.Tenant] }

// Tenants opens the tenants' bucket.
func (c *Client) Tenants(ctx context.Context) (*Tenants, error) {
	bucket, err := c.open(ctx, events.BucketTenants)
	if err != nil {
		return nil, err
	}
	return &Tenants{shelf[tenant.Tenant]{
		bucket: bucket, noun: "tenant", get: bucket.fromAnyReplica,
		key: func(of tenant.Tenant) string { return string(of.ID) },
		fit: func(of *tenant.Tenant) error {
			*of = of.WithDefaults()
			return of.Validate()
		},
	}}, nil
}

// Put stores a tenant, new or changed, with its defaults filled in. One that
// breaks a rule is [tenant.ErrInvalid] and changes nothing.
func (t *Tenants) Put(ctx context.Context, value tenant.Tenant) error {
	return t.put(value, func(key string, data []byte) (uint64, error) { return t.bucket.Put(ctx, key, data) })
}

// Create stores a new tenant as Put does, or fails with [ErrConflict] when there
// is one of its id.
func (t *Tenants) Create(ctx context.Context, value tenant.Tenant) error { return t.create(ctx, value) }

// Lookup reads a tenant from the broker; false when there is none. One that
// cannot be read is [ErrMalformed].
func (t *Tenants) Lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, bool, error) {
	if _, err := events.ParseTenantID(string(id)); err != nil {
		return tenant.Tenant{}, false, err
	}
	value, revision, err := t.lookup(ctx, string(id))
	return value, revision > 0, err
}

// List reads all tenants, in the order of their ids. Those that cannot be read
// are logged and left out.
func (t *Tenants) List(ctx context.Context) ([]tenant.Tenant, error) {
	values, err := t.list(ctx, jetstream.AllKeys)
	slices.SortFunc(values, func(a, b tenant.Tenant) int { return cmp.Compare(a.ID, b.ID) })
	return values, err
}

// Amend changes what is stored of a tenant and keeps all else: a write that
// meets another's is made anew on top of it, so change may be called more than
// once. It is false when there is no such tenant. A change that breaks a rule is
// [tenant.ErrInvalid], and one that fails its own error; neither stores anything.
func (t *Tenants) Amend(ctx context.Context, id tenant.ID, change func(*tenant.Tenant) error) (tenant.Tenant, bool, error) {
	if _, err := events.ParseTenantID(string(id)); err != nil {
		return tenant.Tenant{}, false, err
	}
	return t.amend(ctx, string(id), func(found *tenant.Tenant) error {
		err := change(found)
		found.ID = id
		return err
	})
}

// Delete removes a tenant's configuration. Deleting what is not there succeeds.
func (t *Tenants) Delete(ctx context.Context, id tenant.ID) error {
	if _, err := events.ParseTenantID(string(id)); err != nil {
		return err
	}
	if err := t.bucket.Delete(ctx, string(id)); err != nil {
		return fmt.Errorf("deleting tenant %s: %w", id, err)
	}
	return nil
}
