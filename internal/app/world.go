package app

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
)

// OfflineModel is the name of the model that is no model.
const OfflineModel = "offline"

// offlineKey is the key that the offline model takes. It opens nothing else.
const offlineKey = "feira-offline-key"

// worldStop bounds the stop of the embedded broker and the stand-ins.
const worldStop = 10 * time.Second

// world is all that a Feira on one machine has around it: the embedded broker
// and, unless real providers are wanted, their stand-ins and the offline model.
type world struct {
	part    lifecycle.Part
	broker  *natsd.Server
	sandbox *sandbox.Sandbox // nil with real providers
	cfg     config.Config    // as given, pointed at this world
	offline bool             // the model is the offline one

	// gateway is whom the stand-ins tell what happens; nil for nobody.
	gateway atomic.Pointer[string]
}

type worldParams struct {
	broker       natsd.Config
	standIns     bool
	modelLatency time.Duration
	// webhookPause is how long a stand-in waits before it tells again what was not
	// taken; 0 for the stand-ins' own.
	webhookPause time.Duration
	// now is the stand-ins' clock, and observe hears what they are asked; nil for
	// the world's time, and for nobody.
	now     func() time.Time
	observe func(sandbox.Exchange)
}

// newWorld takes the addresses of a world; start makes it answer.
func newWorld(cfg config.Config, tel *telemetry.Telemetry, params worldParams) (*world, error) {
	params.broker.Logger = tel.Logger()
	broker, err := natsd.New(params.broker)
	if err != nil {
		return nil, err
	}
	w := &world{broker: broker, cfg: cfg}
	parts := []lifecycle.Part{broker}
	if params.standIns {
		w.sandbox, err = sandbox.New(sandbox.Config{
			ModelLatency: params.modelLatency, WebhookPause: params.webhookPause, Now: params.now, Observe: params.observe, Logger: tel.Logger(),
		})
		if err != nil {
			return nil, err
		}
		parts = append(parts, w.sandbox)
		w.pointAtStandIns()
	}
	w.part = lifecycle.NewGroup("world", parts...)
	return w, nil
}

// pointAtStandIns sends providers to the sandbox, but for those whose address
// was set, and the model too when there is no key for a real one.
func (w *world) pointAtStandIns() {
	urls := w.sandbox.BaseURLs()
	maps.Copy(urls, w.cfg.Provider.URLs)
	w.cfg.Provider.URLs = urls
	if w.cfg.Model.Key == "" {
		w.offline = true
		w.cfg.Model.Key = offlineKey
		w.cfg.Model.BaseURL = w.sandbox.ModelURL()
		w.cfg.Model.Name = "feira-offline"
	}
}

// modelName is what people are told of the model.
func (w *world) modelName() string {
	if w.offline {
		return OfflineModel
	}
	return w.cfg.Model.Name
}

func (w *world) start(ctx context.Context) error {
	if err := w.part.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	w.cfg.NATS.URL = w.broker.ClientURL()
	return nil
}

func (w *world) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), worldStop)
	defer cancel()
	return w.part.Stop(ctx)
}

// seed registers tenants that are not registered yet.
func (w *world) seed(ctx context.Context, o *Operator, tenants []tenant.Tenant) error {
	for _, customer := range tenants {
		if _, err := o.Tenant(ctx, customer.ID); err == nil {
			continue
		}
		if err := o.ApplyTenants(ctx, []tenant.Tenant{customer.WithDefaults()}); err != nil {
			return err
		}
	}
	return nil
}

// welcome gives a tenant that was just registered what the stand-ins have.
func (w *world) welcome(k *kit) func(context.Context, tenant.Tenant) error {
	return func(ctx context.Context, customer tenant.Tenant) error {
		if w.sandbox == nil {
			return nil
		}
		o, newcomer := &Operator{kit: k}, []tenant.Tenant{customer}
		if err := w.openAccounts(ctx, o, newcomer); err != nil {
			return err
		}
		if at := w.gateway.Load(); at != nil {
			return w.tellGateway(ctx, o, *at, newcomer)
		}
		return nil
	}
}

// openAccounts gives each tenant an account at the stand-ins of its servers,
// and seals the credential where the tenant has none of its own.
func (w *world) openAccounts(ctx context.Context, o *Operator, tenants []tenant.Tenant) error {
	for _, customer := range tenants {
		entries, err := o.Credentials(ctx, customer.ID)
		if err != nil {
			return err
		}
		has := make(map[string]bool, len(entries))
		for _, entry := range entries {
			has[entry.Server] = true
		}
		for _, server := range customer.Servers {
			if _, attached := customer.Attachment(server); attached {
				continue // it is where its tenant says
			}
			fields, err := w.sandbox.Open(server, sandbox.Account{Tenant: string(customer.ID)})
			if err != nil {
				return fmt.Errorf("opening an account of %s at %s: %w", customer.ID, server, err)
			}
			if has[server] {
				continue
			}
			if _, err := o.putCredential(ctx, customer, server, fields); err != nil {
				return err
			}
		}
	}
	return nil
}
