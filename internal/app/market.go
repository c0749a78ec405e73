package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/mcp"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
)

// stall has tools, and makes calls of them.
type stall interface {
	agent.Catalogue
	agent.Provider
}

// market sends each call to where its server is: an MCP server that the tenant
// attached, or else a provider with a manifest.
type market struct{ providers, attached stall }

// market makes all that tools are of in this process.
func (k *kit) market(ctx context.Context) (stall, error) {
	providers, err := k.providers(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := k.credentials(ctx)
	if err != nil {
		return nil, err
	}
	attached, err := mcp.New(mcp.Config{
		Credentials: attachedCredentials{vault: keys}, PrivateOrigins: k.cfg.MCP.PrivateOrigins, Commands: k.cfg.MCP.Commands,
		Timeout: k.cfg.Provider.Timeout, Logger: k.log, Now: k.now,
	})
	if err != nil {
		return nil, err
	}
	k.closers = append(k.closers, attached.Close)
	return accountable{market{providers: providers, attached: attached}}, nil
}

func (m market) of(reach agent.Reach, server string) stall {
	if _, ok := reach.Tenant.Attachment(server); ok {
		return m.attached
	}
	return m.providers
}

// Tools implements [agent.Catalogue]: those of manifests come first.
func (m market) Tools(ctx context.Context, reach agent.Reach) []agent.Tool {
	known := reach
	known.Servers = slices.DeleteFunc(slices.Clone(reach.Servers), func(server string) bool {
		_, attached := reach.Tenant.Attachment(server)
		return attached
	})
	tools := m.providers.Tools(ctx, known)
	if reach.Mocked {
		return tools // an attached server's can only be known by asking it
	}
	return append(tools, m.attached.Tools(ctx, reach)...)
}

// Safety implements [agent.Catalogue].
func (m market) Safety(ctx context.Context, reach agent.Reach, server, tool string) (agent.Safety, bool) {
	return m.of(reach, server).Safety(ctx, reach, server, tool)
}

// Call implements [agent.Provider].
func (m market) Call(ctx context.Context, call agent.Call) agent.Result {
	return m.of(call.Reach, call.Server).Call(ctx, call)
}

// Lookup implements [agent.Provider].
func (m market) Lookup(ctx context.Context, call agent.Call) (agent.Result, bool) {
	return m.of(call.Reach, call.Server).Lookup(ctx, call)
}

// attachedCredentials lets the client of MCP servers open the vault.
type attachedCredentials struct{ vault *vault.Vault }

func (c attachedCredentials) Open(ctx context.Context, id events.TenantID, server string, env events.Environment) (mcp.Credential, error) {
	opened, err := c.vault.Open(ctx, id, server, env, purposeOf(ctx))
	if errors.Is(err, vault.ErrNoCredential) {
		return nil, fmt.Errorf("%w: %w", mcp.ErrNoCredential, err)
	}
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// credentialSpec is what a credential of a tenant's server consists of.
func credentialSpec(customer tenant.Tenant, server string) (provider.CredentialSpec, error) {
	if _, ok := customer.Attachment(server); ok {
		return provider.CredentialSpec{Default: mcp.TokenField, Fields: []provider.CredentialField{{Name: mcp.TokenField, Secret: true}}}, nil
	}
	manifest, err := manifestOf(server)
	return manifest.Credential, err
}
