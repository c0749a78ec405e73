package natskv

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// Amend changes what is stored of a tenant and keeps all else: a write that
// meets another's is made anew on top of it, so change may be called more than
// once. It is false when there is no such tenant. A change that breaks a rule is
// [tenant.ErrInvalid], and one that fails its own error; neither stores anything.
func (t *Tenants) Amend(ctx context.Context, id tenant.ID, change func(*tenant.Tenant) error) (tenant.Tenant, bool, error) {
	if _, err := events.ParseTenantID(string(id)); err != nil {
		return tenant.Tenant{}, false, err
	}
	for {
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
		if err := change(&value); err != nil {
			return tenant.Tenant{}, false, err
		}
		value.ID = id
		value = value.WithDefaults()
		if err := value.Validate(); err != nil {
			return tenant.Tenant{}, false, err
		}
		data, err := json.Marshal(value)
		if err != nil {
			return tenant.Tenant{}, false, fmt.Errorf("laying out tenant %s: %w", id, err)
		}
		if _, err = t.bucket.Update(ctx, string(id), data, entry.Revision()); err == nil {
			return value, true, nil
		}
		if !refused(err) {
			return tenant.Tenant{}, false, fmt.Errorf("storing tenant %s: %w", id, err)
		}
	}
}
