package dialogue_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/gateway/waits"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
)

// Ports whose methods have a name that another port's has are types of their own.
type (
	forgetfulRegistrar struct{ *forgetful }
	forgetfulKeyring   struct{ *forgetful }
	forgetfulAddresses struct{ *forgetful }
	forgetfulGrants    struct{ *forgetful }
	forgetfulRequests  struct{ *forgetful }
	forgetfulPost      struct{ *forgetful }
	forgetfulTriggers  struct{ *forgetful }
)

func (f forgetfulRegistrar) List(context.Context) ([]tenant.Tenant, error) { return nil, f.step() }

func (f forgetfulRegistrar) Delete(context.Context, tenant.ID) (int, bool, error) {
	return 1, true, f.write()
}

func (f forgetfulKeyring) Create(context.Context, access.Key) error { return f.write() }

func (f forgetfulKeyring) List(context.Context, tenant.ID) ([]access.Key, error) {
	return nil, f.step()
}

func (f forgetfulKeyring) Find(context.Context, access.ID) (access.Key, bool, error) {
	return f.key, true, f.step()
}

func (f forgetfulKeyring) Revoke(context.Context, access.ID, time.Time) (access.Key, bool, error) {
	return f.key, true, f.write()
}

func (f forgetfulAddresses) Put(context.Context, tenant.Tenant, string, gateway.Address) error {
	return f.write()
}

func (f forgetfulGrants) Put(context.Context, string, []byte) error { return f.write() }

func (f forgetfulGrants) Take(context.Context, string) ([]byte, bool, error) {
	return []byte(`{"tenant":"tenant_acme","environment":"test","server":"stripe","redirect":"http://127.0.0.1/","expires":"2199-01-01T00:00:00Z"}`), true, f.write()
}

func (f forgetfulRequests) Publish(context.Context, events.Message, int) (uint64, error) {
	return 7, f.write()
}

func (f forgetfulPost) Publish(context.Context, events.Webhook) error { return f.write() }

func (f forgetfulTriggers) found() trigger.Trigger {
	return trigger.Trigger{ID: events.NewTrigger(f.customer.ID, [10]byte{1}), Tenant: f.customer.ID, Status: trigger.StatusActive}
}

func (f forgetfulTriggers) Open(context.Context, tenant.Tenant, gateway.TriggerDraft) (trigger.Trigger, string, error) {
	return f.found(), "a secret", f.write()
}

func (f forgetfulTriggers) List(context.Context, tenant.ID) ([]trigger.Trigger, error) {
	return nil, f.step()
}

func (f forgetfulTriggers) Show(context.Context, tenant.ID, events.TriggerID) (trigger.Trigger, error) {
	return f.found(), f.step()
}

func (f forgetfulTriggers) Set(context.Context, tenant.ID, events.TriggerID, trigger.Status) (trigger.Trigger, error) {
	return f.found(), f.write()
}

func (f forgetfulTriggers) Drop(context.Context, tenant.ID, events.TriggerID) error { return f.write() }

func (f forgetfulTriggers) Rotate(context.Context, tenant.ID, events.TriggerID) (trigger.Trigger, string, error) {
	return f.found(), "a secret", f.write()
}

func (f forgetfulTriggers) Test(context.Context, tenant.ID, events.TriggerID) (string, error) {
	return "msg_1", f.write()
}

func (f forgetfulTriggers) Deliveries(context.Context, tenant.ID, events.TriggerID, int) ([]gateway.TriggerDelivery, error) {
	return nil, f.step()
}

func (f forgetfulTriggers) Replay(context.Context, tenant.ID, events.TriggerID, gateway.TriggerReplay) (int, error) {
	return 1, f.write()
}

// deaf is a feed and a log that nothing is heard of.
type deaf struct{ waits.Log }

var errDeaf = errors.New("nothing is heard")

func (deaf) Subscribe(context.Context, events.TenantID, events.SessionID, func(events.Record)) error {
	return errDeaf
}

func (deaf) WatchDeltas(context.Context, events.TenantID, events.SessionID, func(events.ModelDelta)) error {
	return errDeaf
}

// serve is the address of a gateway with the broker behind all its ports.
func (f *forgetful) serve(t *testing.T) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	config := hollowConfig(log)
	config.Keys, config.Rates, config.Tenants, config.Purses, config.Log, config.Canceller = f, f, f, f, f, f
	config.Catalogue, config.Directory, config.Safe, config.Books, config.Bills, config.Roll = f, f, f, f, f, f
	config.Registrar, config.Keyring, config.Addresses = forgetfulRegistrar{f}, forgetfulKeyring{f}, forgetfulAddresses{f}
	config.Requests, config.Post, config.Triggers = forgetfulRequests{f}, forgetfulPost{f}, forgetfulTriggers{f}
	config.Connecting.Grants, config.Connecting.Connector, config.Connecting.Redirects = forgetfulGrants{f}, f, []string{"http://127.0.0.1/"}
	hub, err := waits.New(t.Context(), waits.Config{Feed: deaf{}, Log: deaf{}, Deltas: deaf{}, Logger: log})
	require.NoError(t, err)
	t.Cleanup(hub.Close)
	config.Waits = hub
	made, err := gateway.New(config)
	require.NoError(t, err)
	server := httptest.NewServer(made)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}
