package app

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/tenant"
)

// newcomers registers tenants of which no more is known than an id, each with
// every provider that there is.
type newcomers struct {
	registrar
	servers []string
	welcome func(ctx context.Context, customer tenant.Tenant) error
}

// newcomers is nil, and nobody is taken in, unless the configuration says so.
func (k *kit) newcomers(operator *Operator) gateway.Newcomers {
	if !k.cfg.Gateway.Newcomers {
		return nil
	}
	return newcomers{registrar: registrar{operator}, servers: k.client.Servers(), welcome: k.welcome}
}

// Admit implements [gateway.Newcomers].
func (n newcomers) Admit(ctx context.Context, id tenant.ID, env events.Environment) error {
	customer := tenant.Tenant{ID: id, Servers: n.servers, Environment: env}.WithDefaults()
	if err := n.Register(ctx, customer); err != nil {
		return err
	}
	if err := n.welcome(ctx, customer); err != nil {
		return fmt.Errorf("opening the accounts of %s: %w", id, err)
	}
	return nil
}
