package app

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/events"
)

// Queue asks the leading scheduler how its queue stands. A tenant that it has
// never heard of is [ErrUnknownTenant]; without a leader it is bus.ErrNoLeader
// once the request timeout is over.
func (o *Operator) Queue(ctx context.Context, asked events.QueueAsked) (events.QueueTold, error) {
	broker, err := o.kit.broker(ctx)
	if err != nil {
		return events.QueueTold{}, err
	}
	told, err := broker.Asks().Queue(ctx, asked)
	if err == nil && asked.Tenant != "" && len(told.Tenants) == 0 {
		err = fmt.Errorf("%w: %s", ErrUnknownTenant, asked.Tenant)
	}
	return told, err
}
