package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
	"github.com/feira-dev/feira/internal/vault"
)

// Errors of triggers.
var (
	// ErrUnknownTrigger occurs when an operation names a trigger that the tenant
	// has not.
	ErrUnknownTrigger = errors.New("there is no such trigger")
	// ErrUnknownDelivery occurs when a replay names a delivery that the trigger
	// has not, or that is not remembered any more.
	ErrUnknownDelivery = errors.New("the trigger has no such delivery, or none that is remembered")
	// ErrTooManyTriggers occurs when a tenant has as many triggers as it may.
	ErrTooManyTriggers = fmt.Errorf("%w: the tenant has as many as it may", trigger.ErrInvalid)
	// ErrInactiveTrigger occurs when a trigger that is paused or stopped is to tell
	// something at once.
	ErrInactiveTrigger = errors.New("the trigger is not active; resume it first")
)

// fieldSecrets is the one field of what is sealed of a trigger.
const fieldSecrets = "secrets"

// rotateTries is how often a rotation is begun anew that met another.
const rotateTries = 4

// desk is where triggers are made and changed. It is safe for concurrent use.
type desk struct {
	store    *natskv.Triggers
	streams  *bus.Triggers
	log      *bus.Log
	vault    *vault.Vault
	loopback bool
	now      func() time.Time
}

func (k *kit) desk(ctx context.Context) (*desk, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	store, err := kv.Triggers(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := k.credentials(ctx)
	if err != nil {
		return nil, err
	}
	return &desk{store: store, streams: broker.Triggers(), log: broker.Log(), vault: keys, loopback: k.cfg.Triggers.Loopback, now: k.now}, nil
}

// TriggerDraft is a trigger as a person asks for it.
type TriggerDraft struct {
	Name   string
	Event  string
	Server string
	URL    string
}

// open makes a trigger, and tells its secret this once. The secret is sealed
// first: a trigger that cannot sign would be one that fails.
func (d *desk) open(ctx context.Context, customer tenant.Tenant, draft TriggerDraft) (trigger.Trigger, string, error) {
	var random [10]byte
	_, _ = rand.Read(random[:]) // it never fails
	made := trigger.Trigger{
		ID: events.NewTrigger(customer.ID, random), Tenant: customer.ID, Environment: customer.Environment, Name: draft.Name, Event: draft.Event,
		Server: draft.Server, URL: draft.URL, Status: trigger.StatusActive, CreatedAt: d.now().UTC(),
	}
	if err := made.Validate(d.loopback); err != nil {
		return trigger.Trigger{}, "", err
	}
	all, err := d.store.List(ctx, customer.ID)
	if err != nil {
		return trigger.Trigger{}, "", err
	}
	if len(all) >= trigger.MaxOfTenant {
		return trigger.Trigger{}, "", fmt.Errorf("%w: %d", ErrTooManyTriggers, trigger.MaxOfTenant)
	}
	secrets, err := trigger.NewSecrets(rand.Reader)
	if err != nil {
		return trigger.Trigger{}, "", err
	}
	sealed, err := sealable(secrets)
	if err != nil {
		return trigger.Trigger{}, "", err
	}
	if err := d.vault.Put(ctx, made.Tenant, string(made.ID), made.Environment, sealed); err != nil {
		return trigger.Trigger{}, "", fmt.Errorf("sealing the secret of %s: %w", made.ID, err)
	}
	if err := d.store.Create(ctx, made); err != nil {
		return trigger.Trigger{}, "", err
	}
	return made, secrets.Newest(), nil
}

func sealable(secrets trigger.Secrets) (map[string]vault.Secret, error) {
	text, err := secrets.Reveal()
	if err != nil {
		return nil, err
	}
	return map[string]vault.Secret{fieldSecrets: vault.NewSecret(text)}, nil
}

// show is one of a tenant's triggers, or [ErrUnknownTrigger].
func (d *desk) show(ctx context.Context, owner tenant.ID, id events.TriggerID) (trigger.Trigger, error) {
	found, ok, err := d.store.Lookup(ctx, owner, id)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", ErrUnknownTrigger, id)
	}
	return found, err
}

// set makes a trigger active or paused.
func (d *desk) set(ctx context.Context, owner tenant.ID, id events.TriggerID, status trigger.Status) (trigger.Trigger, error) {
	return d.amend(ctx, owner, id, func(found *trigger.Trigger) { found.Status, found.Reason = status, "" })
}

func (d *desk) amend(ctx context.Context, owner tenant.ID, id events.TriggerID, change func(*trigger.Trigger)) (trigger.Trigger, error) {
	changed, ok, err := d.store.Amend(ctx, owner, id, change)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", ErrUnknownTrigger, id)
	}
	return changed, err
}

// drop deletes a trigger, what waits for it and its secrets.
func (d *desk) drop(ctx context.Context, owner tenant.ID, id events.TriggerID) error {
	found, err := d.show(ctx, owner, id)
	if err != nil {
		return err
	}
	if err := d.store.Delete(ctx, owner, id); err != nil {
		return err
	}
	return d.vault.Delete(ctx, owner, string(id), found.Environment)
}

// rotate makes a new secret, and tells it this once. The one before goes on
// signing for a while.
func (d *desk) rotate(ctx context.Context, owner tenant.ID, id events.TriggerID) (trigger.Trigger, string, error) {
	found, err := d.show(ctx, owner, id)
	if err != nil {
		return trigger.Trigger{}, "", err
	}
	for try := 1; ; try++ {
		secret, err := d.replace(ctx, found)
		if errors.Is(err, vault.ErrReplaced) && try < rotateTries {
			continue
		}
		if err != nil {
			return trigger.Trigger{}, "", fmt.Errorf("rotating the secret of %s: %w", id, err)
		}
		at := d.now().UTC()
		found, err = d.amend(ctx, owner, id, func(found *trigger.Trigger) { found.RotatedAt = at })
		return found, secret, err
	}
}

func (d *desk) replace(ctx context.Context, of trigger.Trigger) (string, error) {
	was, secrets, err := d.secrets(ctx, of, "rotation of a trigger's secret")
	if err != nil {
		return "", err
	}
	if secrets, err = secrets.Rotated(rand.Reader, d.now()); err != nil {
		return "", err
	}
	sealed, err := sealable(secrets)
	if err != nil {
		return "", err
	}
	_, err = d.vault.Replace(ctx, vault.Replacement{Tenant: of.Tenant, Server: string(of.ID), Environment: of.Environment, Was: was, Fields: sealed})
	return secrets.Newest(), err
}

func (d *desk) secrets(ctx context.Context, of trigger.Trigger, why string) (vault.Credential, trigger.Secrets, error) {
	opened, err := d.vault.Open(ctx, of.Tenant, string(of.ID), of.Environment, vault.Purpose{Why: why})
	if err != nil {
		return vault.Credential{}, trigger.Secrets{}, err
	}
	text, _ := opened.Reveal(fieldSecrets)
	secrets, err := trigger.ParseSecrets(text)
	return opened, secrets, err
}

// test has a trigger told something, whatever its pattern, and says under which
// webhook-id.
func (d *desk) test(ctx context.Context, owner tenant.ID, id events.TriggerID) (string, error) {
	found, err := d.show(ctx, owner, id)
	if err != nil {
		return "", err
	}
	if found.Status != trigger.StatusActive {
		return "", fmt.Errorf("%w: %s", ErrInactiveTrigger, id)
	}
	message, err := trigger.Delivery(found, trigger.Event{
		Name: trigger.NameTest, Tenant: owner, Object: string(id), At: d.now().UTC(), Source: events.TriggerSource(owner, id), ID: "test/" + rand.Text(),
		Data: map[string]any{"message": "This is a test of the trigger."},
	})
	if err != nil {
		return "", err
	}
	return message.Header.Value(events.HeaderID), d.streams.Publish(ctx, []events.Message{message})
}

// TriggerDelivery is what a trigger was told, or was to be told, as far as it
// was tried.
type TriggerDelivery struct {
	events.DeliveryAttempted

	Attempts int       `json:"attempts"`
	At       time.Time `json:"at"`
}

// deliveries are the last ones of a trigger, the newest attempts first.
func (d *desk) deliveries(ctx context.Context, owner tenant.ID, id events.TriggerID, limit int) ([]TriggerDelivery, error) {
	if _, err := d.show(ctx, owner, id); err != nil {
		return nil, err
	}
	records, err := d.streams.Attempts(ctx, owner, id, events.MaxDeliveriesKept)
	if err != nil {
		return nil, err
	}
	places := map[string]int{}
	told := []TriggerDelivery{}
	for _, record := range records {
		attempt, ok := record.Event.(*events.DeliveryAttempted)
		if !ok {
			continue
		}
		at, seen := places[attempt.ID]
		if !seen {
			at = len(told)
			places[attempt.ID] = at
			told = append(told, TriggerDelivery{DeliveryAttempted: *attempt, At: record.Time})
		}
		told[at].Attempts++
	}
	return told[:min(limit, len(told))], nil
}
