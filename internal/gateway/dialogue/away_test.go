package dialogue_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

// startAlone makes a bed of a gateway alone, whose broker can be stopped.
func startAlone(t *testing.T, customers ...tenant.Tenant) (*Bed, *testenv.RestartableServer) {
	t.Helper()
	server := testenv.Restartable(t)
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: io.Discard})
	require.NoError(t, err)
	b := &Bed{Config: config.Default(), telemetry: tel}
	b.Config.DataDir, b.Config.Gateway.Address, b.Config.NATS.URL, b.Config.Gateway.SoftStop = t.TempDir(), "127.0.0.1:0", server.URL, time.Second
	b.Config.NATS.RequestTimeout, b.Config.Gateway.KeyAge = time.Second, time.Minute
	operator := app.NewOperator(b.Config, tel)
	t.Cleanup(operator.Close)
	for i := range customers {
		customers[i] = customers[i].WithDefaults()
	}
	require.NoError(t, operator.ApplyTenants(t.Context(), customers))
	run(t, func(ctx context.Context, ready func()) error {
		return app.RunRoles(ctx, b.Config, tel, []app.Role{app.RoleGateway}, func(at app.Addresses) {
			b.Address = at.HTTP
			ready()
		})
	})
	b.Dev.NATS = server.URL
	b.connect(t)
	b.Dev.Key = b.Platform(t, events.EnvironmentTest)
	return b, server
}

// atHand are the endpoints that need no broker: they tell of what a gateway has
// in its memory, or in its ledger. They go on for as long as its memory of keys is
// trusted.
func atHand() []string {
	return []string{
		"get-server", "list-servers", "get-tool", "list-tools", "whoami", "get-tenant", "usage", "list-invoices", "get-invoice", "trace-invoice", "metrics",
	}
}

// When the broker is away every endpoint that needs it says so, soon, and as
// something that passes; what needs it not goes on.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	b, server := startAlone(t, tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe"}})
	bundle := &wallBundle{Bed: b}
	made := func(method, path, body, field string) string {
		return bundle.field(t, bundle.ask(t, b.Dev.Key, method, path, body), field)
	}
	kept, _ := b.Key(t, access.MintParams{Tenant: "tenant_acme", Scopes: []access.Scope{access.ScopeAll}})
	of := target{tenant: "tenant_acme", request: "req_00000000000000000000000000", key: string(kept.ID)}
	of.session = made("POST", "/v1/sessions", `{"user_id":"tenant_acme"}`, "id")
	of.connection = made("POST", "/v1/connections", `{"server_id":"stripe","secret":"sk_test_4242424242424242","user_id":"tenant_acme"}`, "id")
	of.trigger = made("POST", "/v1/triggers", `{"name":"x","event":"nothing.happens","webhook_url":"https://127.0.0.1/","user_id":"tenant_acme"}`, "id")
	document := fetchDocument(t, b.Address)
	server.Stop(t)
	var group errgroup.Group
	for id, row := range walls() {
		method, responses := document.byID(id)
		group.Go(func() error {
			text := method + " " + row.path(of) + "\nContent-Type: application/json\nAuthorization: Bearer " + b.Dev.Key + "\n\n"
			if row.body != nil {
				text += row.body(of)
			}
			answer, err := Exchange(t.Context(), b.Address, text)
			if err != nil {
				return err
			}
			_, told := responses["503"]
			switch away := answer.Status == http.StatusServiceUnavailable; {
			case away == slices.Contains(atHand(), id):
				return fmt.Errorf("%s is answered %d with its broker away: %s", id, answer.Status, answer.Body)
			case away && (!told || answer.Header.Get("Retry-After") == "" || !strings.Contains(answer.Body, `"code":"unavailable"`)):
				return fmt.Errorf("%s has 503 in the document: %t, and says %v %s", id, told, answer.Header, answer.Body)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	server.Start(t)
	require.Eventually(t, func() bool {
		return bundle.ask(t, b.Dev.Key, "GET", "/v1/sessions/"+of.session, "").Status == http.StatusOK
	}, 30*time.Second, 50*time.Millisecond)
}

// byID finds an operation's method and what it may answer.
func (d openAPI) byID(id string) (string, map[string]json.RawMessage) {
	for _, methods := range d.Paths {
		for method, operation := range methods {
			if operation.ID == id {
				return strings.ToUpper(method), operation.Responses
			}
		}
	}
	return "", nil
}
