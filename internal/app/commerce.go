package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/commerce"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/vault"
)

// offer makes what agents and callers reach: the tools of the servers, and the
// meta-tools over them.
func (k *kit) offer(ctx context.Context) (*commerce.Market, error) {
	if k.offers != nil {
		return k.offers, nil
	}
	market, err := k.market(ctx)
	if err != nil {
		return nil, err
	}
	manifests, err := provider.Embedded()
	if err != nil {
		return nil, err
	}
	keys, err := k.credentials(ctx)
	if err != nil {
		return nil, err
	}
	k.offers, err = commerce.New(commerce.Config{
		Catalogue: market, Provider: market, Directory: newFairground(manifests),
		Connections: connections{vault: keys, log: k.log}, Now: k.now,
	})
	return k.offers, err
}

// fairground is a [commerce.Directory]: it tells the meta-tools of the
// providers, from their manifests.
type fairground struct{ servers []commerce.Server }

func newFairground(manifests []provider.Manifest) fairground {
	made := fairground{servers: make([]commerce.Server, 0, len(manifests))}
	for _, manifest := range manifests {
		made.servers = append(made.servers, entryOf(manifest))
	}
	return made
}

// Servers implements [commerce.Directory].
func (f fairground) Servers() []commerce.Server { return f.servers }

func entryOf(manifest provider.Manifest) commerce.Server {
	made := commerce.Server{
		ID: manifest.ID, Name: manifest.Name, Docs: manifest.Docs, Category: manifest.Category, Country: manifest.Country, Auth: authKindOf(manifest),
		Tools: make([]commerce.Listing, 0, len(manifest.Tools)),
	}
	for _, env := range []events.Environment{events.EnvironmentLive, events.EnvironmentTest} {
		if manifest.BaseURLs[env] != "" {
			made.Environments = append(made.Environments, env)
		}
	}
	for _, field := range manifest.Credential.Fields {
		made.Fields = append(made.Fields, commerce.Field{Name: field.Name, Hint: field.Description, Secret: field.Secret, Optional: field.Optional})
	}
	for _, tool := range manifest.Tools {
		made.Tools = append(made.Tools, commerce.Listing{
			Name: tool.Name, Description: tool.Description, Method: tool.Method, Path: tool.Path,
			Safety: tool.Safety, Stakes: string(tool.Stakes), Doubt: tool.Doubt,
		})
	}
	return made
}

// authKindOf is how a provider is authenticated at, in CodeSpar's words.
func authKindOf(manifest provider.Manifest) commerce.AuthKind {
	switch manifest.Auth.Kind {
	case provider.AuthBearer, provider.AuthHeader, provider.AuthBasicToken:
		return commerce.AuthAPIKey
	case provider.AuthPath:
		return commerce.AuthPathSecret
	case provider.AuthClientCredentials, provider.AuthAuthorizationCode:
		return commerce.AuthOAuth
	}
	return commerce.AuthNone
}

// connections tells the meta-tools what the vault holds, which opens nothing.
type connections struct {
	vault *vault.Vault
	log   *slog.Logger
}

// Connected implements [commerce.Connections].
func (c connections) Connected(ctx context.Context, id events.TenantID, env events.Environment) (map[string]time.Time, error) {
	entries, err := c.vault.List(ctx, id)
	if err != nil {
		c.log.ErrorContext(ctx, "the tenant's credentials cannot be listed", "tenant", string(id), "error", err)
		return nil, err
	}
	held := make(map[string]time.Time, len(entries))
	for _, entry := range entries {
		if entry.Environment == env {
			held[entry.Server] = entry.UpdatedAt
		}
	}
	return held, nil
}
