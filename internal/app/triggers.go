package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
	"github.com/feira-dev/feira/internal/vault"
	"github.com/feira-dev/feira/workers/triggers"
)

// How many triggers' secrets are remembered, and for how long, so that not each
// delivery opens the vault: as long as it remembers a tenant's keyset.
const (
	secretsKept = 4096
	secretsFor  = vault.MaxCacheFor
)

func buildTriggers(ctx context.Context, k *kit) (lifecycle.Part, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	desk, err := k.desk(ctx)
	if err != nil {
		return nil, err
	}
	leases, err := kv.Lease(ctx, natskv.LeaseConfig{Key: events.KeyTriggersLease})
	if err != nil {
		return nil, err
	}
	book := natskv.NewTriggerBook(desk.store)
	wire := egress.PublicWire(net.DefaultResolver)
	if k.cfg.Triggers.Loopback {
		wire = egress.DevelopmentWire(net.DefaultResolver)
	}
	k.closers = append(k.closers, wire.Close)
	safe, err := newSafeBox(desk)
	if err != nil {
		return nil, err
	}
	watcher, err := k.watchTriggers()
	if err != nil {
		return nil, err
	}
	fan, err := buildFan(ctx, k, book, watcher)
	if err != nil {
		return nil, err
	}
	courier, err := triggers.NewCourier(triggers.Config{
		ID: newID("trg"), Lease: triggersLease(leases), Book: book, Pending: broker.Triggers(), Journal: broker.Triggers(), Attempts: broker.Triggers(), Cemetery: broker.Dead(),
		Registry: clerk{desk}, Safe: safe, Transport: wire.Pooled, Queue: trigger.QueueConfig{Slots: k.cfg.Triggers.Slots},
		Observer: watcher, Logger: k.log, Now: k.now,
	})
	if err != nil {
		return nil, err
	}
	group := lifecycle.NewGroup("triggers", book, courier, fan)
	return bounded{Part: group, within: k.cfg.Triggers.SoftStop}, nil
}

// clerk tells couriers the truth about triggers.
type clerk struct{ desk *desk }

// Known implements [triggers.Registry].
func (c clerk) Known(ctx context.Context, key trigger.Key) (bool, error) {
	_, known, err := c.desk.store.Lookup(ctx, key.Tenant, key.Trigger)
	return known, err
}

// Stop implements [triggers.Registry]. One that was deleted meanwhile needs none.
func (c clerk) Stop(ctx context.Context, key trigger.Key, reason string) error {
	_, _, err := c.desk.store.Amend(ctx, key.Tenant, key.Trigger, func(found *trigger.Trigger) {
		found.Status, found.Reason = trigger.StatusStopped, reason
	})
	return err
}

// safeBox opens the secrets of triggers, and remembers them for a while.
type safeBox struct {
	desk *desk
	held *lru.Cache[heldSecrets, agedSecrets]
}

// agedSecrets are remembered until a time.
type agedSecrets struct {
	trigger.Secrets
	until time.Time
}

// heldSecrets names the secrets of one rotation.
type heldSecrets struct {
	trigger.Key
	rotated time.Time
}

func newSafeBox(of *desk) (safeBox, error) {
	held, err := lru.New[heldSecrets, agedSecrets](secretsKept)
	if err != nil {
		return safeBox{}, fmt.Errorf("making the memory of secrets: %w", err)
	}
	return safeBox{desk: of, held: held}, nil
}

// Secrets implements [triggers.Safe].
func (b safeBox) Secrets(ctx context.Context, of trigger.Trigger) (trigger.Secrets, error) {
	name := heldSecrets{Key: trigger.Key{Tenant: of.Tenant, Trigger: of.ID}, rotated: of.RotatedAt}
	if held, ok := b.held.Get(name); ok && held.until.After(b.desk.now()) {
		return held.Secrets, nil
	}
	_, opened, err := b.desk.secrets(ctx, of, "signature of a trigger's deliveries")
	if err != nil {
		return trigger.Secrets{}, err
	}
	b.held.Add(name, agedSecrets{Secrets: opened, until: b.desk.now().Add(secretsFor)})
	return opened, nil
}

// TriggerOperator does what the command line asks of a tenant's triggers.
type TriggerOperator struct {
	desk  *desk
	owner tenant.Tenant
}

// Triggers is the operator of a tenant's triggers.
func (o *Operator) Triggers(ctx context.Context, owner tenant.ID) (*TriggerOperator, error) {
	customer, err := o.Tenant(ctx, owner)
	if err != nil {
		return nil, err
	}
	if err := o.kit.provision(ctx); err != nil {
		return nil, err
	}
	made, err := o.kit.desk(ctx)
	if err != nil {
		return nil, err
	}
	return &TriggerOperator{desk: made, owner: customer}, nil
}

// Open makes a trigger, and tells its secret this once.
func (o *TriggerOperator) Open(ctx context.Context, draft TriggerDraft) (trigger.Trigger, string, error) {
	return o.desk.open(ctx, o.owner, draft)
}

// List is the tenant's triggers, the oldest first.
func (o *TriggerOperator) List(ctx context.Context) ([]trigger.Trigger, error) {
	return o.desk.store.List(ctx, o.owner.ID)
}

// Set makes a trigger active or paused, or is [ErrUnknownTrigger].
func (o *TriggerOperator) Set(ctx context.Context, id events.TriggerID, status trigger.Status) (trigger.Trigger, error) {
	return o.desk.set(ctx, o.owner.ID, id, status)
}

// Delete removes a trigger with all that waits for it.
func (o *TriggerOperator) Delete(ctx context.Context, id events.TriggerID) error {
	return o.desk.drop(ctx, o.owner.ID, id)
}

// Rotate makes a new secret and tells it this once.
func (o *TriggerOperator) Rotate(ctx context.Context, id events.TriggerID) (trigger.Trigger, string, error) {
	return o.desk.rotate(ctx, o.owner.ID, id)
}

// Test has the endpoint told something, and says under which webhook-id.
func (o *TriggerOperator) Test(ctx context.Context, id events.TriggerID) (string, error) {
	return o.desk.test(ctx, o.owner.ID, id)
}

// Deliveries are the last ones, the newest attempts first.
func (o *TriggerOperator) Deliveries(ctx context.Context, id events.TriggerID, limit int) ([]TriggerDelivery, error) {
	return o.desk.deliveries(ctx, o.owner.ID, id, limit)
}

// Replay has the endpoint told again, and says how many deliveries that are.
func (o *TriggerOperator) Replay(ctx context.Context, id events.TriggerID, what TriggerReplay) (int, error) {
	return o.desk.replay(ctx, o.owner.ID, id, what)
}

// dropTriggers deletes a tenant's triggers with the tenant.
func (o *Operator) dropTriggers(ctx context.Context, owner tenant.ID) error {
	made, err := o.kit.desk(ctx)
	if errors.Is(err, natskv.ErrNoBucket) {
		return nil // there never were any
	}
	if err != nil {
		return err
	}
	all, err := made.store.List(ctx, owner)
	if err != nil {
		return err
	}
	for _, one := range all {
		if err := made.drop(ctx, owner, one.ID); err != nil {
			return err
		}
	}
	return nil
}
