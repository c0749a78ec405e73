package dialogue_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/gcra"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// forgetful is a broker that goes before one of the steps that an exchange asks
// of it. The step at which it goes it takes all the same, and says nothing.
type forgetful struct {
	gateway.Books
	gateway.Bills
	gateway.Roll

	t        *testing.T
	customer tenant.Tenant
	key      access.Key
	opened   events.Record
	// address says that the connection has an address for webhooks.
	address bool

	// gone is the step from which on it is away.
	gone  int64
	steps atomic.Int64
	// wrote is how many writes it was asked for.
	wrote atomic.Int64
}

func newForgetful(t *testing.T, gone int64) *forgetful {
	t.Helper()
	customer := tenant.Tenant{ID: "tenant_acme", Environment: events.EnvironmentTest, Servers: []string{"stripe"}}.WithDefaults()
	key, _, err := access.Mint(rand.Reader, access.MintParams{Name: "another", Scopes: []access.Scope{access.ScopeAll}, CreatedAt: time.Now()})
	require.NoError(t, err)
	id := events.NewSession(customer.ID, [10]byte{1})
	return &forgetful{t: t, customer: customer, key: key, gone: gone, opened: events.Record{
		Envelope: events.Envelope{ID: session.OpenedID, Time: time.Now(), Tenant: customer.ID, Session: id}, Sequence: 1,
		Event: &events.SessionOpened{Servers: []string{"stripe"}, Environment: customer.Environment},
	}}
}

func (f *forgetful) step() error {
	if f.steps.Add(1) >= f.gone {
		return fmt.Errorf("asking: %w", gateway.ErrUnavailable)
	}
	return nil
}

func (f *forgetful) write() error {
	f.wrote.Add(1)
	return f.step()
}

func (f *forgetful) Authenticate(context.Context, string) (access.Caller, error) {
	now := time.Now()
	key, secret, err := access.Mint(rand.Reader, access.MintParams{Name: "a test", Scopes: []access.Scope{access.ScopeAll}, CreatedAt: now})
	require.NoError(f.t, err)
	caller, err := key.Admit(secret, now)
	require.NoError(f.t, err)
	return caller, f.step()
}

func (f *forgetful) Allow(context.Context, tenant.ID, gcra.Limit) (gcra.Decision, error) {
	return gcra.Decision{Allowed: true}, f.step()
}

func (f *forgetful) Lookup(context.Context, tenant.ID) (tenant.Tenant, bool, error) {
	return f.customer, true, f.step()
}

func (f *forgetful) Tagged(context.Context, string) ([]tenant.ID, error) {
	return []tenant.ID{f.customer.ID}, f.step()
}

func (f *forgetful) Register(context.Context, tenant.Tenant) error { return f.write() }

func (f *forgetful) Amend(_ context.Context, _ tenant.ID, change func(*tenant.Tenant) error) (tenant.Tenant, bool, error) {
	require.NoError(f.t, change(&f.customer))
	return f.customer, true, f.write()
}

func (f *forgetful) Budgets(ctx context.Context, _ tenant.ID) ([]budget.Balance, error) {
	return f.Foresee(ctx, f.customer)
}

func (f *forgetful) Foresee(context.Context, tenant.Tenant) ([]budget.Balance, error) {
	return nil, f.step()
}

func (f *forgetful) Append(_ context.Context, entry session.Entry) (uint64, error) {
	f.opened.Envelope, f.opened.Event = entry.Envelope, entry.Event
	return 2, f.write()
}

func (f *forgetful) Read(_ context.Context, _ events.TenantID, _ session.ID, after uint64) ([]events.Record, error) {
	if after >= f.opened.Sequence {
		return nil, f.step()
	}
	return []events.Record{f.opened}, f.step()
}

func (f *forgetful) Cancel(context.Context, events.RequestHead, string) (events.TurnStatus, error) {
	return events.TurnCancelled, f.write()
}

func (f *forgetful) Tools(context.Context, agent.Reach) []agent.Tool {
	return []agent.Tool{{Name: "stripe__retrieve_balance", Parameters: []byte(`{"type":"object"}`)}}
}

func (f *forgetful) Safety(context.Context, agent.Reach, string, string) (agent.Safety, bool) {
	return agent.SafetyRead, true
}

func (f *forgetful) Servers() []gateway.Server { return nil }

func (f *forgetful) Server(_ context.Context, _ tenant.Tenant, id string) (gateway.Server, bool) {
	return gateway.Server{ID: id}, true
}

func (f *forgetful) Connections(context.Context, tenant.ID) ([]gateway.Connection, error) {
	return []gateway.Connection{{Server: "stripe", Environment: f.customer.Environment}}, f.step()
}

func (f *forgetful) Seal(context.Context, tenant.Tenant, gateway.Sealing) error { return f.write() }

func (f *forgetful) Drop(context.Context, tenant.Tenant, string) error { return f.write() }

func (f *forgetful) Page(context.Context, tenant.Tenant, gateway.ConnectPage) (string, error) {
	return "https://provider.example/", f.step()
}

func (f *forgetful) Redeem(context.Context, tenant.Tenant, gateway.ConnectCode) error {
	return f.write()
}

func (f *forgetful) Address(context.Context, tenant.Tenant, string) (gateway.Address, bool, error) {
	lock := webhook.Lock{Scheme: webhook.SchemePath, Keys: []webhook.Key{{Text: "path-secret-4242"}}}
	return gateway.Address{Lock: lock, CreatedAt: time.Now()}, f.address, f.step()
}
