package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/vault"
	"github.com/feira-dev/feira/internal/webhook"
	"github.com/feira-dev/feira/workers/webhooks"
)

func buildWebhooks(ctx context.Context, k *kit) (lifecycle.Part, error) {
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
	inbox, err := kv.Records(ctx, events.BucketInbox)
	if err != nil {
		return nil, err
	}
	objects, err := kv.Records(ctx, events.BucketObjects)
	if err != nil {
		return nil, err
	}
	makes, err := makers()
	if err != nil {
		return nil, err
	}
	references, err := referrers()
	if err != nil {
		return nil, err
	}
	index, err := webhooks.NewIndex(webhooks.IndexConfig{Objects: records{objects, webhooks.ErrMoved}, Makes: makes, References: references, Logger: k.log})
	if err != nil {
		return nil, err
	}
	learning, err := broker.NewBatches(bus.BatchConfig{
		Stream: events.StreamSessions, Durable: events.DurableObjects, Handler: index.Handle, Logger: k.log,
	})
	if err != nil {
		return nil, err
	}
	client, err := k.providers(ctx)
	if err != nil {
		return nil, err
	}
	registry := natskv.NewRegistry(tenants)
	worker, err := webhooks.New(webhooks.Config{
		Log: broker.Log(), Requests: broker.Requests(), Cemetery: broker.Dead(), Tenants: directory{live: registry, truth: tenants},
		Inbox: records{inbox, webhooks.ErrMoved}, Objects: records{objects, webhooks.ErrMoved}, Logger: k.log, Now: k.now,
		Asker: asker{client}, Progress: indexed{broker},
		Full: func(err error) bool { return errors.Is(err, bus.ErrBacklogFull) },
	})
	if err != nil {
		return nil, err
	}
	routing, err := broker.NewBatches(bus.BatchConfig{
		Stream: events.StreamWebhooks, Durable: events.DurableWebhooks, Each: each(worker), Max: 256, Logger: k.log,
	})
	if err != nil {
		return nil, err
	}
	return lifecycle.NewGroup("webhooks", registry, learning, routing), nil
}

// indexed is how far the index of objects has come.
type indexed struct{ broker *bus.Bus }

// Learned implements [webhooks.Progress].
func (i indexed) Learned(ctx context.Context) (time.Time, error) {
	return i.broker.ReadUntil(ctx, events.StreamSessions, events.DurableObjects)
}

// each hands the bus's deliveries to the worker.
func each(worker *webhooks.Worker) bus.EachHandler {
	return func(ctx context.Context, batch []bus.Delivery) []error {
		deliveries := make([]webhooks.Delivery, len(batch))
		for i, one := range batch {
			deliveries[i] = webhooks.Delivery(one)
		}
		return worker.Handle(ctx, deliveries)
	}
}

// records words the bucket's refusal as whoever uses it knows it.
type records struct {
	*natskv.Records
	moved error
}

// Save implements [webhooks.Records] and upkeep.Records.
func (r records) Save(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	saved, err := r.Records.Save(ctx, key, value, revision)
	if errors.Is(err, natskv.ErrConflict) {
		return 0, fmt.Errorf("%w: %w", r.moved, err)
	}
	return saved, err
}

// makers tells tools that make things from those that read: by the manifests,
// and by their names where there is no manifest.
func makers() (func(server, tool string) bool, error) {
	manifests, err := provider.Embedded()
	if err != nil {
		return nil, err
	}
	reads := map[string]map[string]bool{}
	for _, manifest := range manifests {
		reads[manifest.ID] = map[string]bool{}
		for _, tool := range manifest.Tools {
			reads[manifest.ID][tool.Name] = tool.Safety == agent.SafetyRead
		}
	}
	return func(server, tool string) bool {
		if known, ok := reads[server]; ok {
			return !known[tool]
		}
		verb, _, _ := strings.Cut(tool, "_")
		switch verb {
		case "get", "list", "find", "search", "read", "check", "discover", "manage", "retrieve":
			return false
		}
		return true
	}, nil
}

// addressPrefix begins the name under which the vault has a server's webhook
// keys. No server's own name holds its last letter.
const addressPrefix = "webhook_"

func isAddress(server string) bool { return strings.HasPrefix(server, addressPrefix) }

// Fields of a webhook address in the vault.
const (
	fieldKey      = "key"
	fieldOld      = "old_key"
	fieldOldUntil = "old_until"
	fieldScheme   = "scheme"
	fieldHeader   = "header"
	fieldCreated  = "created_at"
)

// addresses keeps webhook addresses in the vault, sealed like any credential:
// who destroys a tenant's keys closes its addresses.
type addresses struct{ operator *Operator }

// Address implements [gateway.Addresses].
func (a addresses) Address(ctx context.Context, customer tenant.Tenant, server string) (gateway.Address, bool, error) {
	keys, err := a.operator.kit.credentials(ctx)
	if err != nil {
		return gateway.Address{}, false, away(err)
	}
	opened, err := keys.Open(ctx, customer.ID, addressPrefix+server, customer.Environment, vault.Purpose{Why: "webhooks of the provider"})
	if errors.Is(err, vault.ErrNoCredential) || errors.Is(err, vault.ErrShredded) {
		return gateway.Address{}, false, nil
	}
	if err != nil {
		return gateway.Address{}, false, away(err)
	}
	text := func(field string) string {
		value, _ := opened.Reveal(field)
		return value
	}
	moment := func(field string) time.Time {
		at, err := time.Parse(time.RFC3339Nano, text(field))
		if err != nil {
			return time.Time{}
		}
		return at
	}
	found := gateway.Address{
		Lock:      webhook.Lock{Scheme: webhook.Scheme(text(fieldScheme)), Header: text(fieldHeader), Keys: []webhook.Key{{Text: text(fieldKey)}}},
		CreatedAt: moment(fieldCreated),
	}
	if until := moment(fieldOldUntil); !until.IsZero() && a.operator.kit.now().Before(until) {
		found.Lock.Keys = append(found.Lock.Keys, webhook.Key{Text: text(fieldOld), Until: until})
	}
	return found, true, nil
}

// Put implements [gateway.Addresses].
func (a addresses) Put(ctx context.Context, customer tenant.Tenant, server string, address gateway.Address) error {
	fields := map[string]string{
		fieldKey: address.Lock.Keys[0].Text, fieldScheme: string(address.Lock.Scheme), fieldCreated: address.CreatedAt.UTC().Format(time.RFC3339Nano),
	}
	if address.Lock.Header != "" {
		fields[fieldHeader] = address.Lock.Header
	}
	if len(address.Lock.Keys) > 1 {
		fields[fieldOld] = address.Lock.Keys[1].Text
		fields[fieldOldUntil] = address.Lock.Keys[1].Until.UTC().Format(time.RFC3339Nano)
	}
	_, err := a.operator.putCredential(ctx, customer, addressPrefix+server, fields)
	return away(err)
}

// Drop implements [gateway.Addresses].
func (a addresses) Drop(ctx context.Context, customer tenant.Tenant, server string) error {
	keys, err := a.operator.kit.credentials(ctx)
	if err != nil {
		return away(err)
	}
	return away(keys.Delete(ctx, customer.ID, addressPrefix+server, customer.Environment))
}
