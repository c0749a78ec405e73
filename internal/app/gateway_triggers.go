package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
)

// counterDesk is the desk of triggers as the gateway sees it.
type counterDesk struct{ desk *desk }

// told words the desk's errors for the gateway.
func (counterDesk) told(err error) error {
	switch {
	case errors.Is(err, ErrUnknownTrigger):
		return fmt.Errorf("%w: %w", gateway.ErrNoTrigger, err)
	case errors.Is(err, ErrUnknownDelivery):
		return fmt.Errorf("%w: %w", gateway.ErrNoDelivery, err)
	case errors.Is(err, ErrInactiveTrigger):
		return fmt.Errorf("%w: %w", gateway.ErrTriggerState, err)
	}
	return away(err, trigger.ErrInvalid)
}

// Open implements [gateway.Triggers].
func (c counterDesk) Open(ctx context.Context, customer tenant.Tenant, draft gateway.TriggerDraft) (trigger.Trigger, string, error) {
	made, secret, err := c.desk.open(ctx, customer, TriggerDraft(draft))
	return made, secret, c.told(err)
}

// List implements [gateway.Triggers].
func (c counterDesk) List(ctx context.Context, owner tenant.ID) ([]trigger.Trigger, error) {
	all, err := c.desk.store.List(ctx, owner)
	return all, c.told(err)
}

// Show implements [gateway.Triggers].
func (c counterDesk) Show(ctx context.Context, owner tenant.ID, id events.TriggerID) (trigger.Trigger, error) {
	found, err := c.desk.show(ctx, owner, id)
	return found, c.told(err)
}

// Set implements [gateway.Triggers].
func (c counterDesk) Set(ctx context.Context, owner tenant.ID, id events.TriggerID, status trigger.Status) (trigger.Trigger, error) {
	changed, err := c.desk.set(ctx, owner, id, status)
	return changed, c.told(err)
}

// Drop implements [gateway.Triggers].
func (c counterDesk) Drop(ctx context.Context, owner tenant.ID, id events.TriggerID) error {
	return c.told(c.desk.drop(ctx, owner, id))
}

// Rotate implements [gateway.Triggers].
func (c counterDesk) Rotate(ctx context.Context, owner tenant.ID, id events.TriggerID) (trigger.Trigger, string, error) {
	changed, secret, err := c.desk.rotate(ctx, owner, id)
	return changed, secret, c.told(err)
}

// Test implements [gateway.Triggers].
func (c counterDesk) Test(ctx context.Context, owner tenant.ID, id events.TriggerID) (string, error) {
	delivery, err := c.desk.test(ctx, owner, id)
	return delivery, c.told(err)
}

// Deliveries implements [gateway.Triggers].
func (c counterDesk) Deliveries(ctx context.Context, owner tenant.ID, id events.TriggerID, limit int) ([]gateway.TriggerDelivery, error) {
	told, err := c.desk.deliveries(ctx, owner, id, limit)
	if err != nil {
		return nil, c.told(err)
	}
	rows := make([]gateway.TriggerDelivery, len(told))
	for i, one := range told {
		rows[i] = gateway.NewTriggerDelivery(one.DeliveryAttempted, one.Attempts, one.At)
	}
	return rows, nil
}

// Replay implements [gateway.Triggers].
func (c counterDesk) Replay(ctx context.Context, owner tenant.ID, id events.TriggerID, what gateway.TriggerReplay) (int, error) {
	replayed, err := c.desk.replay(ctx, owner, id, TriggerReplay(what))
	return replayed, c.told(err)
}
