package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/tenant"
)

// Newcomers takes in tenants that nobody has registered. Implementations are
// safe for concurrent use.
type Newcomers interface {
	// Admit registers a tenant of which no more is known than its id and its
	// environment, or fails with an error that wraps [ErrExists].
	Admit(ctx context.Context, id tenant.ID, env events.Environment) error
}

// welcomed is the tenant that a caller opens a session for. Where newcomers are
// taken in, one that is not there is registered first, by a key that might have
// registered it by the front door.
func (g *Gateway) welcomed(ctx context.Context, caller access.Caller, user string) (tenant.Tenant, error) {
	customer, refused := g.customer(ctx, caller, user)
	missing, ok := errors.AsType[*APIError](refused)
	if g.cfg.Newcomers == nil || !ok || missing.status != http.StatusNotFound || !caller.May(access.ScopeTenantsWrite) {
		return customer, refused
	}
	id, err := events.ParseTenantID(user)
	if err != nil {
		return tenant.Tenant{}, problem(http.StatusBadRequest, CodeInvalidRequest, "cannot be a tenant's id: %s", err.Error()).at("/user_id")
	}
	if _, there, err := g.cfg.Tenants.Lookup(ctx, id); err != nil || there {
		return tenant.Tenant{}, refused // it is of another environment, and as good as missing
	}
	if err := g.cfg.Newcomers.Admit(ctx, id, caller.Key().Environment); err != nil && !errors.Is(err, ErrExists) {
		return tenant.Tenant{}, unsure(fmt.Errorf("taking in tenant %s: %w", id, err), remedyAgain)
	}
	return g.customer(ctx, caller, user)
}
