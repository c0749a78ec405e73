package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/commerce"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
	"github.com/feira-dev/feira/workers/turns"
)

// kit is what the roles of one process share. Each thing is opened when it is
// first asked for, so a role pays for what it uses. It belongs to the
// goroutine that builds; what it hands out is safe for concurrent use.
type kit struct {
	cfg       config.Config
	telemetry *telemetry.Telemetry
	log       *slog.Logger
	now       func() time.Time

	bus    *bus.Bus
	kv     *natskv.Client
	vault  *vault.Vault
	client *provider.Client
	offers *commerce.Market
	ledger *ledger.Ledger
	copies *copiedCards

	// welcome opens what a tenant needs that the gateway has registered by itself.
	welcome func(ctx context.Context, customer tenant.Tenant) error

	// addresses are written while the roles start.
	addresses Addresses

	closers []func()
}

func newKit(cfg config.Config, tel *telemetry.Telemetry) *kit {
	return &kit{copies: &copiedCards{}, cfg: cfg, telemetry: tel, log: tel.Logger(), now: time.Now, welcome: func(context.Context, tenant.Tenant) error { return nil }}
}

// close shuts what was opened, the last first.
func (k *kit) close() {
	for _, closer := range slices.Backward(k.closers) {
		closer()
	}
	k.closers = nil
}

// broker connects to the broker.
func (k *kit) broker(ctx context.Context) (*bus.Bus, error) {
	if k.bus != nil {
		return k.bus, nil
	}
	nats := k.cfg.NATS
	opened, err := bus.Connect(ctx, bus.Config{
		URL: nats.URL, Name: nats.Name, User: nats.User, Password: nats.Password.Reveal(),
		CredsFile: nats.Credentials, Timeout: nats.RequestTimeout, Logger: k.log,
	})
	if err != nil {
		return nil, err
	}
	k.bus = opened
	k.closers = append(k.closers, opened.Close)
	return opened, nil
}

// provision makes sure that streams and buckets are there, and reports those
// that are not as wanted.
func (k *kit) provision(ctx context.Context) error {
	broker, err := k.broker(ctx)
	if err != nil {
		return err
	}
	drifts, err := broker.Provision(ctx, bus.Topology{
		Replicas: k.cfg.NATS.Replicas, Backlog: k.cfg.Streams.Backlog,
		SessionsAge: k.cfg.Streams.SessionAge, UsageAge: k.cfg.Streams.UsageAge,
	})
	for _, drift := range drifts {
		if drift.Applied {
			k.log.InfoContext(ctx, "a setting of the broker is changed", "stream", drift.Stream, "field", drift.Field, "have", drift.Have, "want", drift.Want)
			continue
		}
		k.log.WarnContext(ctx, "a setting of the broker differs from what is wanted and is left as it is",
			"stream", drift.Stream, "field", drift.Field, "have", drift.Have, "want", drift.Want)
	}
	if err != nil {
		return fmt.Errorf("provisioning the broker: %w", err)
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return err
	}
	return broker.UntilPlaced(ctx, func() error {
		return kv.ProvisionAudit(ctx, natskv.AuditConfig{Replicas: k.cfg.NATS.Replicas, Age: k.cfg.Vault.AuditAge})
	})
}

// buckets connects to the key-value buckets.
func (k *kit) buckets(ctx context.Context) (*natskv.Client, error) {
	if k.kv != nil {
		return k.kv, nil
	}
	nats := k.cfg.NATS
	opened, err := natskv.Connect(ctx, natskv.Config{
		URL: nats.URL, Name: nats.Name, User: nats.User, Password: nats.Password.Reveal(),
		CredsFile: nats.Credentials, Logger: k.log,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the buckets at %s: %w", nats.URL, err)
	}
	k.kv = opened
	k.closers = append(k.closers, opened.Close)
	return opened, nil
}

// tenants opens the tenant registry.
func (k *kit) tenants(ctx context.Context) (*natskv.Tenants, error) {
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	return kv.Tenants(ctx)
}

// credentials opens the vault.
func (k *kit) credentials(ctx context.Context) (*vault.Vault, error) {
	if k.vault != nil {
		return k.vault, nil
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	store, err := kv.Vault(ctx)
	if err != nil {
		return nil, err
	}
	audit, err := kv.Audit(ctx)
	if err != nil {
		return nil, err
	}
	keks, err := k.keks(ctx)
	if err != nil {
		return nil, err
	}
	opened, err := vault.New(vault.Config{
		KEK: keks[0], OtherKEKs: keks[1:], Store: store, Audit: audit, Actor: k.cfg.NATS.Name, Now: k.now, Plain: plainFields(),
	})
	if err != nil {
		return nil, err
	}
	k.vault = opened
	return opened, nil
}

// ender makes what ends requests without running them.
func (k *kit) ender(ctx context.Context) (*turns.Ender, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	return turns.NewEnder(turns.EnderConfig{
		Requests: broker.Requests(), Log: broker.Log(), Cemetery: broker.Dead(), Logger: k.log, Now: k.now,
	})
}

// canceller makes what ends requests whether they wait or run.
func (k *kit) canceller(ctx context.Context) (*turns.Canceller, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	ender, err := k.ender(ctx)
	if err != nil {
		return nil, err
	}
	return turns.NewCanceller(turns.CancellerConfig{Ender: ender, Commands: broker.Hints()})
}

// providers makes the client of the providers.
func (k *kit) providers(ctx context.Context) (*provider.Client, error) {
	if k.client != nil {
		return k.client, nil
	}
	keys, err := k.credentials(ctx)
	if err != nil {
		return nil, err
	}
	sealed := credentials{vault: keys}
	opened, err := provider.New(provider.Config{
		Credentials: sealed, Renewals: sealed, Registrations: sealed, BaseURLs: k.cfg.Provider.URLs, Timeout: k.cfg.Provider.Timeout, Logger: k.log, Now: k.now,
	})
	if err != nil {
		return nil, err
	}
	k.client = opened
	k.closers = append(k.closers, opened.Close)
	return opened, nil
}

// books opens the ledger.
func (k *kit) books(ctx context.Context) (*ledger.Ledger, error) {
	if k.ledger != nil {
		return k.ledger, nil
	}
	config := ledger.Config{Logger: k.log, Now: k.now}
	if dsn := k.cfg.Ledger.DSN.Reveal(); ledger.IsPostgres(dsn) {
		config.DSN = dsn
	} else {
		config.Path = cmp.Or(dsn, filepath.Join(k.cfg.DataDir, "ledger.db"))
	}
	opened, err := ledger.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	k.ledger = opened
	k.closers = append(k.closers, func() {
		if err := opened.Close(); err != nil {
			k.log.WarnContext(context.WithoutCancel(ctx), "closing the ledger", "error", err)
		}
	})
	return opened, nil
}
