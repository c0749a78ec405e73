package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/workers/turns"
)

// counter takes in requests.
type counter struct{ requests *bus.Requests }

// Publish implements [gateway.Requests].
func (c counter) Publish(ctx context.Context, message events.Message, limit int) (uint64, error) {
	id, err := events.SubjectTenant(message.Subject)
	if err != nil {
		return 0, err
	}
	if err := c.requests.Room(ctx, id, limit); err != nil {
		return 0, full(err)
	}
	sequence, err := c.requests.Publish(ctx, message)
	return sequence, full(err)
}

func full(err error) error {
	if full, ok := errors.AsType[*bus.BacklogError](err); ok {
		return &gateway.FullError{Depth: full.Depth, Limit: full.Limit, Cause: err}
	}
	if errors.Is(err, bus.ErrBacklogFull) {
		return fmt.Errorf("%w: %w", gateway.ErrBacklogFull, err)
	}
	return away(err, events.ErrTooLarge)
}

// canceller ends requests by their ids.
type canceller struct {
	requests *bus.Requests
	orders   *turns.Canceller
}

// Cancel implements [gateway.Canceller].
func (c canceller) Cancel(ctx context.Context, head events.RequestHead, reason string) (events.TurnStatus, error) {
	if head.Sequence != 0 {
		return c.end(ctx, head, reason)
	}
	heads, err := c.requests.List(ctx, head.Tenant)
	if err != nil {
		return "", away(err)
	}
	for _, one := range heads {
		if one.Session == head.Session && one.ID == head.ID {
			return c.end(ctx, one, reason)
		}
	}
	return "", gateway.ErrNotPending
}

func (c canceller) end(ctx context.Context, head events.RequestHead, reason string) (events.TurnStatus, error) {
	status, err := c.orders.Cancel(ctx, head, reason)
	if err != nil && ctx.Err() != nil {
		return "", fmt.Errorf("%w: %w", gateway.ErrOrdered, err)
	}
	return status, away(err)
}
