package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/gateway/waits"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
)

func buildGateway(ctx context.Context, k *kit) (lifecycle.Part, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	tenants, err := k.tenants(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := kv.Keys(ctx)
	if err != nil {
		return nil, err
	}
	ring, err := natskv.NewKeyring(natskv.KeyringConfig{Keys: keys, MaxAge: k.cfg.Gateway.KeyAge, Now: k.now})
	if err != nil {
		return nil, err
	}
	providers, err := k.providers(ctx)
	if err != nil {
		return nil, err
	}
	offer, err := k.offer(ctx)
	if err != nil {
		return nil, err
	}
	books, err := k.books(ctx)
	if err != nil {
		return nil, err
	}
	desk, err := k.desk(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := kv.Replies(ctx, natskv.RepliesConfig{})
	if err != nil {
		return nil, err
	}
	shared, err := kv.Rates(ctx)
	if err != nil {
		return nil, err
	}
	grants, err := kv.Grants(ctx)
	if err != nil {
		return nil, err
	}
	registry := natskv.NewRegistry(tenants)
	crowd := newCrowd(directory{live: registry, truth: tenants}, registry)
	operator := &Operator{kit: k}
	hub, err := waits.New(ctx, waits.Config{Feed: broker.Feed(), Log: broker.Log(), Deltas: broker.Hints(), Logger: k.log})
	if err != nil {
		return nil, err
	}
	k.closers = append(k.closers, hub.Close)
	orders, err := k.canceller(ctx)
	if err != nil {
		return nil, err
	}
	handler, err := gateway.New(gateway.Config{ //nolint:contextcheck // each exchange has its own
		Keys:        doorman{ring: ring, now: k.now},
		Keyring:     keyring{keys},
		Tenants:     crowd,
		Registrar:   registrar{operator},
		Log:         sessionLog{broker.Log()},
		Roll:        roll{broker.Log()},
		Requests:    counter{broker.Requests()},
		Waits:       hub,
		Canceller:   canceller{requests: broker.Requests(), orders: orders},
		Newcomers:   k.newcomers(operator),
		Catalogue:   offer,
		Connecting:  k.connecting(grants, providers),
		Ready:       probe(tenants, registry, crowd, ring),
		Metrics:     k.telemetry.MetricsHandler(),
		Directory:   shelf{operator: operator, client: providers},
		Safe:        safe{operator},
		Triggers:    counterDesk{desk},
		Books:       books,
		Replies:     replies{kept},
		Rates:       rates{shared},
		APIRate:     k.cfg.Gateway.APIRate,
		Addresses:   addresses{operator},
		Post:        broker.Webhooks(),
		Bills:       bills{operator},
		Purses:      purses{operator},
		Logger:      k.log,
		Now:         k.now,
		IdleTimeout: k.cfg.Gateway.SessionIdle,
		Wait:        k.cfg.Gateway.Wait,
		Linger:      k.cfg.Gateway.Linger,
		MaxBody:     k.cfg.Gateway.MaxBody,
		ClientTime:  k.cfg.Gateway.ClientTime,
		TestMode:    k.cfg.TestMode,
	})
	if err != nil {
		return nil, fmt.Errorf("making the gateway: %w", err)
	}
	server := gateway.NewServer(gateway.ServerConfig{
		Address: k.cfg.Gateway.Address, Handler: handler, Logger: k.log, HeaderTime: k.cfg.Gateway.ClientTime,
		Ready: func(at string) { k.addresses.HTTP = at },
	})
	group := lifecycle.NewGroup("gateway", registry, crowd, ring, server)
	return bounded{Part: group, within: k.cfg.Gateway.SoftStop}, nil
}

// doorman turns keys into callers.
type doorman struct {
	ring *natskv.Keyring
	now  func() time.Time
}

// Authenticate implements [gateway.Keys].
func (d doorman) Authenticate(ctx context.Context, text string) (access.Caller, error) {
	secret, err := access.Parse(text)
	if err != nil {
		return access.Caller{}, fmt.Errorf("%w: %w", gateway.ErrUnknownKey, err)
	}
	key, found, err := d.ring.Lookup(ctx, secret.Hash())
	switch {
	case err != nil:
		return access.Caller{}, fmt.Errorf("%w: looking up an API key: %w", gateway.ErrUnavailable, err)
	case !found:
		return access.Caller{}, gateway.ErrUnknownKey
	}
	caller, err := key.Admit(secret, d.now())
	if err != nil {
		return access.Caller{}, fmt.Errorf("%w: %w", gateway.ErrUnknownKey, err)
	}
	return caller, nil
}

// away marks an error of the broker's as one that passes.
func away(err error, others ...error) error {
	if err == nil {
		return nil
	}
	for _, other := range others {
		if errors.Is(err, other) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", gateway.ErrUnavailable, err)
}
