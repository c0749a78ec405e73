package app

import (
	"context"

	"github.com/feira-dev/feira/internal/gcra"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
)

// rates count the tenants' requests in the broker.
type rates struct{ shared *natskv.Rates }

// Allow implements [gateway.Rates].
func (r rates) Allow(ctx context.Context, id tenant.ID, limit gcra.Limit) (gcra.Decision, error) {
	decision, err := r.shared.Allow(ctx, id, limit)
	return decision, away(err, gcra.ErrInvalid)
}
