package dialogue_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/gcra"
	"github.com/feira-dev/feira/internal/tenant"
)

// goingBroker is all that setting budgets asks of the broker, which goes before
// one of the steps.
type goingBroker struct {
	gateway.Tenants
	gateway.Registrar

	t        *testing.T
	customer tenant.Tenant
	steps    atomic.Int64
	// gone is the step from which on it is away; 0 is never. Where takes is set,
	// it does that step and says nothing.
	gone  int64
	takes bool
}

func (b *goingBroker) step() error {
	if n := b.steps.Add(1); b.gone > 0 && n >= b.gone {
		return fmt.Errorf("asking: %w", gateway.ErrUnavailable)
	}
	return nil
}

func (b *goingBroker) Authenticate(context.Context, string) (access.Caller, error) {
	now := time.Now()
	key, secret, err := access.Mint(rand.Reader, access.MintParams{Name: "a test", Scopes: []access.Scope{access.ScopeTenantsWrite}, CreatedAt: now})
	require.NoError(b.t, err)
	return key.Admit(secret, now)
}

func (*goingBroker) Allow(context.Context, tenant.ID, gcra.Limit) (gcra.Decision, error) {
	return gcra.Decision{Allowed: true}, nil
}

func (b *goingBroker) Lookup(context.Context, tenant.ID) (tenant.Tenant, bool, error) {
	return b.customer, true, b.step()
}

func (b *goingBroker) Amend(_ context.Context, _ tenant.ID, change func(*tenant.Tenant) error) (tenant.Tenant, bool, error) {
	err := b.step()
	if err == nil || b.takes {
		require.NoError(b.t, change(&b.customer))
	}
	return b.customer, true, err
}

func (b *goingBroker) Budgets(ctx context.Context, _ tenant.ID) ([]budget.Balance, error) {
	return b.Foresee(ctx, b.customer)
}

func (b *goingBroker) Foresee(_ context.Context, customer tenant.Tenant) ([]budget.Balance, error) {
	var all []budget.Balance
	for _, one := range customer.Budgets {
		all = append(all, budget.Balance{Budget: one, Spent: tenant.Whole(7)})
	}
	return all, b.step()
}

// Whenever the broker goes between two steps of setting budgets, a fault means
// that they are not set, or says that nobody knows; and the same again is right.
func TestBudgetsAreSetInOneStep(t *testing.T) {
	t.Parallel()
	const put = "PUT /v1/budgets\nAuthorization: Bearer csk_test_x\n\n" +
		`{"tenant_id":"tenant_acme","budgets":[{"name":"tools","unit":"calls","period":"total","limit":"9"}]}`
	for name, test := range map[string]struct {
		gone         int64
		takes        bool
		status, kept int
		says         string
	}{
		"never":                      {status: http.StatusOK, kept: 1, says: `"spent":"7"`},
		"before it is asked who":     {gone: 1, status: http.StatusServiceUnavailable, says: "nothing was done"},
		"before what was spent":      {gone: 2, status: http.StatusServiceUnavailable, says: "nothing was done"},
		"before it takes them":       {gone: 3, status: http.StatusServiceUnavailable, says: "does not say whether"},
		"before it says it has them": {gone: 3, takes: true, status: http.StatusServiceUnavailable, kept: 1, says: "does not say whether"},
		"after":                      {gone: 4, status: http.StatusOK, kept: 1, says: `"spent":"7"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker := &goingBroker{t: t, gone: test.gone, takes: test.takes, customer: tenant.Tenant{
				ID: "tenant_acme", Environment: events.EnvironmentTest, Servers: []string{"stripe"},
			}.WithDefaults()}
			config := hollowConfig(slog.New(slog.DiscardHandler))
			config.Keys, config.Rates, config.Tenants, config.Registrar, config.Purses = broker, broker, broker, broker, broker
			made, err := gateway.New(config)
			require.NoError(t, err)
			server := httptest.NewServer(made)
			t.Cleanup(server.Close)
			address := strings.TrimPrefix(server.URL, "http://")
			answer, err := Exchange(t.Context(), address, put)
			require.NoError(t, err)
			require.Equal(t, test.status, answer.Status, answer.Body)
			require.Contains(t, answer.Body, test.says)
			require.Len(t, broker.customer.Budgets, test.kept)

			broker.steps.Store(-1000) // it is back
			answer, err = Exchange(t.Context(), address, put)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, answer.Status, answer.Body)
			require.Len(t, broker.customer.Budgets, 1)
		})
	}
}
