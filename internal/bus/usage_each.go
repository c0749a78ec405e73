package bus

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/events"
)

// Each hears every stored usage event of a tenant, in order, as it is stored.
func (u *Usage) Each(ctx context.Context, tenant events.TenantID, hear func(events.Message)) error {
	query := directQuery{Subject: events.TenantUsageSubject(tenant)}
	if err := u.bus.scan(ctx, events.StreamUsage, query, hear); err != nil {
		return fmt.Errorf("reading the usage of %s: %w", tenant, err)
	}
	return nil
}
