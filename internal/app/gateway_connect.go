package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
)

// publicURL is where people find the gateway. What the gateway listens on is
// known once it serves, and is asked for by what it serves alone.
func (k *kit) publicURL() string {
	return strings.TrimSuffix(cmp.Or(k.cfg.Gateway.PublicURL, "http://"+k.addresses.HTTP), "/")
}

// connecting is how people connect accounts at this process's gateway.
func (k *kit) connecting(grants *natskv.Grants, client *provider.Client) gateway.Connecting {
	return gateway.Connecting{
		Grants: pledges{grants}, Connector: matchmaker{client}, PublicURL: k.publicURL, Redirects: k.cfg.Gateway.ConnectRedirects,
	}
}

// pledges are the grants with their broker's absence marked.
type pledges struct{ grants *natskv.Grants }

// Put implements [gateway.Grants].
func (p pledges) Put(ctx context.Context, id string, value []byte) error {
	return away(p.grants.Put(ctx, id, value))
}

// Take implements [gateway.Grants].
func (p pledges) Take(ctx context.Context, id string) ([]byte, bool, error) {
	value, found, err := p.grants.Take(ctx, id)
	return value, found, away(err)
}

// matchmaker connects people's accounts by the providers' manifests.
type matchmaker struct{ client *provider.Client }

// Page implements [gateway.Connector].
func (m matchmaker) Page(ctx context.Context, customer tenant.Tenant, page gateway.ConnectPage) (string, error) {
	address, err := m.client.AuthorizeURL(purposed(ctx), provider.AuthorizeParams{
		Tenant: customer.ID, Server: page.Server, Environment: customer.Environment, State: page.State, Redirect: page.Return,
		Challenge: page.Challenge, Scopes: page.Scopes,
	})
	return address, unmatched(err)
}

// Redeem implements [gateway.Connector].
func (m matchmaker) Redeem(ctx context.Context, customer tenant.Tenant, code gateway.ConnectCode) error {
	return unmatched(m.client.Connect(purposed(ctx), provider.ConnectParams{
		Tenant: customer.ID, Server: code.Server, Environment: customer.Environment, Code: code.Code, Redirect: code.Return, Verifier: code.Verifier,
	}))
}

// purposed says why a credential is opened.
func purposed(ctx context.Context) context.Context {
	return context.WithValue(ctx, purposeKey{}, vault.Purpose{Why: "connection of an account"})
}

func unmatched(err error) error {
	switch {
	case errors.Is(err, provider.ErrNotConnectable), errors.Is(err, provider.ErrUnknownServer):
		return fmt.Errorf("%w: %w", gateway.ErrNotConnectable, err)
	case errors.Is(err, provider.ErrRefused), errors.Is(err, provider.ErrInvalidGrant), errors.Is(err, provider.ErrInvalidCredential):
		return fmt.Errorf("%w: %w", gateway.ErrUnfit, err)
	default:
		return away(err)
	}
}
