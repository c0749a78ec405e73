package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// crowd finds tenants, by id and by the tag that session ids begin with. It is
// a part: its index follows the registry.
type crowd struct {
	*lifecycle.Runner
	directory

	mu   sync.RWMutex // guards what follows
	tags map[string][]tenant.ID
}

func newCrowd(tenants directory, registry *natskv.Registry) *crowd {
	c := &crowd{directory: tenants, tags: map[string][]tenant.ID{}}
	c.Runner = lifecycle.NewRunner("tenant tags", func(fetch, _ context.Context, ready func()) error {
		defer registry.OnChange(c.follow)()
		ready()
		<-fetch.Done()
		return nil
	})
	return c
}

func (c *crowd) follow(change natskv.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tag := events.TenantTag(change.ID)
	others := slices.DeleteFunc(slices.Clone(c.tags[tag]), func(id tenant.ID) bool { return id == change.ID })
	if !change.Deleted {
		others = append(others, change.ID)
	}
	if len(others) == 0 {
		delete(c.tags, tag)
		return
	}
	c.tags[tag] = others
}

// Tagged implements [gateway.Tenants].
func (c *crowd) Tagged(_ context.Context, tag string) ([]tenant.ID, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Clone(c.tags[tag]), nil
}

// sessionLog is the log of sessions with its broker's absence marked.
type sessionLog struct{ log *bus.Log }

// Append implements [gateway.Log].
func (l sessionLog) Append(ctx context.Context, entry session.Entry) (uint64, error) {
	sequence, err := l.log.Append(ctx, entry)
	return sequence, away(err, session.ErrConflict, session.ErrUncertain, events.ErrTooLarge, events.ErrInvalidEvent)
}

// Read implements [gateway.Log].
func (l sessionLog) Read(ctx context.Context, id tenant.ID, of session.ID, after uint64) ([]events.Record, error) {
	records, err := l.log.Read(ctx, id, of, after)
	return records, away(err)
}

// registrar changes tenants as the command line does.
type registrar struct{ operator *Operator }

// List implements [gateway.Registrar].
func (r registrar) List(ctx context.Context) ([]tenant.Tenant, error) {
	all, err := r.operator.Tenants(ctx)
	return all, away(err)
}

// Register implements [gateway.Registrar].
func (r registrar) Register(ctx context.Context, customer tenant.Tenant) error {
	if err := checkServers([]tenant.Tenant{customer}); err != nil {
		return fmt.Errorf("%w: %w", tenant.ErrInvalid, err)
	}
	registry, err := r.operator.kit.tenants(ctx)
	if err != nil {
		return away(err)
	}
	err = registry.Create(ctx, customer)
	if errors.Is(err, natskv.ErrConflict) {
		return fmt.Errorf("%w: %w", gateway.ErrExists, err)
	}
	return away(err, tenant.ErrInvalid)
}

// Amend implements [gateway.Registrar].
func (r registrar) Amend(ctx context.Context, id tenant.ID, change func(*tenant.Tenant) error) (tenant.Tenant, bool, error) {
	registry, err := r.operator.kit.tenants(ctx)
	if err != nil {
		return tenant.Tenant{}, false, away(err)
	}
	var refused error // the change's own
	changed, found, err := registry.Amend(ctx, id, func(customer *tenant.Tenant) error {
		if refused = change(customer); refused != nil {
			return refused
		}
		if err := checkServers([]tenant.Tenant{customer.WithDefaults()}); err != nil {
			return fmt.Errorf("%w: %w", tenant.ErrInvalid, err)
		}
		return nil
	})
	if refused != nil {
		return changed, found, err
	}
	return changed, found, away(err, tenant.ErrInvalid, natskv.ErrMalformed)
}

// Delete implements [gateway.Registrar].
func (r registrar) Delete(ctx context.Context, id tenant.ID) (int, bool, error) {
	destroyed, err := r.operator.DeleteTenant(ctx, id)
	if errors.Is(err, ErrUnknownTenant) {
		return 0, false, nil
	}
	return destroyed, true, away(err)
}

// safe seals credentials as the command line does.
type safe struct{ operator *Operator }

// Seal implements [gateway.Safe].
func (s safe) Seal(ctx context.Context, customer tenant.Tenant, what gateway.Sealing) error {
	_, err := s.operator.SetCredential(ctx, customer.ID, what.Server, CredentialParams{Text: what.Text, DisplayName: what.DisplayName})
	if errors.Is(err, provider.ErrInvalidCredential) {
		return fmt.Errorf("%w: %w", gateway.ErrUnfit, err)
	}
	return away(err)
}

// Drop implements [gateway.Safe].
func (s safe) Drop(ctx context.Context, customer tenant.Tenant, server string) error {
	keys, err := s.operator.kit.credentials(ctx)
	if err != nil {
		return away(err)
	}
	return away(keys.Delete(ctx, customer.ID, server, customer.Environment))
}

// shelf tells what servers there are, from the manifests.
type shelf struct {
	operator *Operator
	client   *provider.Client
}

// Servers implements [gateway.Directory].
func (s shelf) Servers() []gateway.Server {
	var servers []gateway.Server
	for _, id := range s.client.Servers() {
		if manifest, ok := s.client.Manifest(id); ok {
			servers = append(servers, shownServer(manifest))
		}
	}
	return servers
}

// Server implements [gateway.Directory].
func (s shelf) Server(_ context.Context, _ tenant.Tenant, id string) (gateway.Server, bool) {
	manifest, ok := s.client.Manifest(id)
	if !ok {
		return gateway.Server{}, false
	}
	return shownServer(manifest), true
}

// Connections implements [gateway.Directory].
func (s shelf) Connections(ctx context.Context, id tenant.ID) ([]gateway.Connection, error) {
	entries, err := s.operator.Credentials(ctx, id)
	if err != nil {
		return nil, away(err)
	}
	var connections []gateway.Connection
	for _, entry := range entries {
		if isAddress(entry.Server) {
			continue
		}
		connections = append(connections, gateway.Connection{
			Server: entry.Server, Environment: entry.Environment, Fields: entry.Fields, DisplayName: entry.DisplayName, ConnectedAt: entry.UpdatedAt,
		})
	}
	return connections, nil
}

func shownServer(manifest provider.Manifest) gateway.Server {
	server := gateway.Server{
		ID: manifest.ID, Name: manifest.Name, Category: manifest.Category, Country: manifest.Country, Docs: manifest.Docs,
		Status: "available", ToolsCount: len(manifest.Tools), AuthType: string(authKindOf(manifest)), Fields: []gateway.Field{},
	}
	for _, env := range []events.Environment{events.EnvironmentLive, events.EnvironmentTest} {
		if manifest.BaseURLs[env] != "" {
			server.Environments = append(server.Environments, env)
		}
	}
	for _, field := range manifest.Credential.Fields {
		server.Fields = append(server.Fields, gateway.Field{Name: field.Name, Label: field.Description, Secret: field.Secret, Optional: field.Optional})
	}
	return server
}
