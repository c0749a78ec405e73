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

// gatewayBuckets are the buckets that only gateways keep things in.
type gatewayBuckets struct {
	keys    *natskv.Keys
	replies *natskv.Replies
	rates   *natskv.Rates
	grants  *natskv.Grants
}

func openGatewayBuckets(ctx context.Context, k *kit) (opened gatewayBuckets, err error) {
	kv, err := k.buckets(ctx)
	if err != nil {
		return opened, err
	}
	if opened.keys, err = kv.Keys(ctx); err != nil {
		return opened, err
	}
	if opened.replies, err = kv.Replies(ctx, natskv.RepliesConfig{}); err != nil {
		return opened, err
	}
	if opened.rates, err = kv.Rates(ctx); err != nil {
		return opened, err
	}
	opened.grants, err = kv.Grants(ctx)
	return opened, err
}

func buildGateway(ctx context.Context, k *kit) (lifecycle.Part, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	tenants, err := k.tenants(ctx)
	if err != nil {
		return nil, err
	}
	buckets, err := openGatewayBuckets(ctx, k)
	if err != nil {
		return nil, err
	}
	ring, err := natskv.NewKeyring(natskv.KeyringConfig{Keys: buckets.keys, MaxAge: k.cfg.Gateway.KeyAge, Now: k.now})
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
	orders, err := k.canceller(ctx)
	if err != nil {
		return nil, err
	}
	hub, err := waits.New(ctx, waits.Config{Feed: broker.Feed(), Log: broker.Log(), Deltas: broker.Hints(), Logger: k.log})
	if err != nil {
		return nil, err
	}
	k.closers = append(k.closers, hub.Close)
	registry := natskv.NewRegistry(tenants)
	crowd := newCrowd(directory{live: registry, truth: tenants}, registry)
	operator := &Operator{kit: k}
	handler, err := gateway.New(gateway.Config{ //nolint:contextcheck // each exchange has its own
		Keys:        doorman{ring: ring, now: k.now},
		Keyring:     keyring{buckets.keys},
		Tenants:     crowd,
		Registrar:   registrar{operator},
		Log:         sessionLog{broker.Log()},
		Roll:        roll{broker.Log()},
		Requests:    counter{broker.Requests()},
		Waits:       hub,
		Canceller:   canceller{requests: broker.Requests(), orders: orders},
		Newcomers:   k.newcomers(operator),
		Catalogue:   offer,
		Connecting:  k.connecting(buckets.grants, providers),
		Ready:       probe(tenants, registry, crowd, ring),
		Metrics:     k.telemetry.MetricsHandler(),
		Directory:   shelf{operator: operator, client: providers},
		Safe:        safe{operator},
		Triggers:    counterDesk{desk},
		Books:       books,
		Replies:     replies{buckets.replies},
		Rates:       rates{buckets.rates},
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
