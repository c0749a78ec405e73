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
	"github.com/feira-dev/feira/internal/tenant"
)

// Tenants is the stored configuration of all tenants. It is safe for
// concurrent use.
type Tenants struct {
	bucket *bucket
}

// Tenants opens the tenants' bucket.
func (c *Client) Tenants(ctx context.Context) (*Tenants, error) {
	bucket, err := c.open(ctx, events.BucketTenants)
	if err != nil {
		return nil, err
	}
	return &Tenants{bucket: bucket}, nil
}

// Put stores a tenant, new or changed, with its defaults filled in. One that
// breaks a rule is [tenant.ErrInvalid] and changes nothing.
func (t *Tenants) Put(ctx context.Context, value tenant.Tenant) error {
	return t.store(value, func(key string, data []byte) (uint64, error) { return t.bucket.Put(ctx, key, data) })
}

// Create stores a new tenant as Put does, or fails with [ErrConflict] when there
// is one of its id.
func (t *Tenants) Create(ctx context.Context, value tenant.Tenant) error {
	return t.store(value, func(key string, data []byte) (uint64, error) { return t.bucket.Create(ctx, key, data) })
}

func (t *Tenants) store(value tenant.Tenant, write func(key string, data []byte) (uint64, error)) error {
	value = value.WithDefaults()
	if err := value.Validate(); err != nil {
		return err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("laying out tenant %s: %w", value.ID, err)
	}
	_, err = write(string(value.ID), data)
	switch {
	case refused(err):
		return fmt.Errorf("storing tenant %s: %w", value.ID, ErrConflict)
	case err != nil:
		return fmt.Errorf("storing tenant %s: %w", value.ID, err)
	}
	return nil
}

// Lookup reads a tenant from the broker; false when there is none. One that
// cannot be read is [ErrMalformed].
func (t *Tenants) Lookup(ctx context.Context, id tenant.ID) (tenant.Tenant, bool, error) {
	if _, err := events.ParseTenantID(string(id)); err != nil {
		return tenant.Tenant{}, false, err
	}
	entry, err := t.bucket.Get(ctx, string(id))
	if missing(err) {
		return tenant.Tenant{}, false, nil
	}
	if err != nil {
		return tenant.Tenant{}, false, fmt.Errorf("reading tenant %s: %w", id, err)
	}
	value, err := readTenant(entry)
	if err != nil {
		return tenant.Tenant{}, false, err
	}
	return value, true, nil
}

// List reads all tenants, in the order of their ids. Those that cannot be read
// are logged and left out.
func (t *Tenants) List(ctx context.Context) ([]tenant.Tenant, error) {
	entries, err := t.bucket.snapshot(ctx, jetstream.AllKeys)
	if err != nil {
		return nil, fmt.Errorf("listing tenants: %w", err)
	}
	values := make([]tenant.Tenant, 0, len(entries))
	for _, entry := range entries {
		value, err := readTenant(entry)
		if err != nil {
			t.passOver(ctx, entry, err)
			continue
		}
		values = append(values, value)
	}
	slices.SortFunc(values, func(a, b tenant.Tenant) int { return cmp.Compare(a.ID, b.ID) })
	return values, nil
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

func (t *Tenants) passOver(ctx context.Context, entry jetstream.KeyValueEntry, err error) {
	t.bucket.client.logger.WarnContext(ctx, "tenant entry passed over",
		slog.String("key", entry.Key()), slog.Uint64("revision", entry.Revision()), slog.Any("error", err))
}

// readTenant reads an entry, filling in defaults of fields that are newer than it.
func readTenant(entry jetstream.KeyValueEntry) (tenant.Tenant, error) {
	var value tenant.Tenant
	if err := json.Unmarshal(entry.Value(), &value); err != nil {
		return tenant.Tenant{}, fmt.Errorf("%w: tenant %s: %w", ErrMalformed, entry.Key(), err)
	}
	value = value.WithDefaults()
	if err := value.Validate(); err != nil {
		return tenant.Tenant{}, fmt.Errorf("%w: tenant %s: %w", ErrMalformed, entry.Key(), err)
	}
	if string(value.ID) != entry.Key() {
		return tenant.Tenant{}, fmt.Errorf("%w: tenant %s: id is %q", ErrMalformed, entry.Key(), value.ID)
	}
	return value, nil
}
