package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
)

// rollWindow is how much of the log one page of all tenants' sessions looks at.
const rollWindow = 20_000

// roll tells which sessions there are, from the broker's own index.
type roll struct{ log *bus.Log }

// Recent implements [gateway.Roll].
func (r roll) Recent(ctx context.Context, owner events.TenantID, before uint64) ([]gateway.Active, uint64, error) {
	found, older, err := r.log.Recent(ctx, bus.RecentParams{Tenant: owner, Before: before, Window: rollWindow})
	if err != nil {
		return nil, 0, away(err)
	}
	recent := make([]gateway.Active, len(found))
	for i, one := range found {
		recent[i] = gateway.Active(one)
	}
	return recent, older, nil
}

// readyTenant is looked up to see whether the broker answers; nobody is called so.
const readyTenant tenant.ID = "feira_ready"

// probe tells whether a gateway can serve: its parts follow the registry and the
// keys, and the broker answers a read.
func probe(tenants *natskv.Tenants, parts ...lifecycle.Part) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, part := range parts {
			select {
			case <-part.Done():
				return errors.Join(fmt.Errorf("%s has stopped", part.Name()), part.Err())
			default:
			}
		}
		_, _, err := tenants.Lookup(ctx, readyTenant)
		return away(err)
	}
}
