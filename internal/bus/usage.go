package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// usagePending is how many usage events may be on their way at one time.
const usagePending = 4096

// Usage is the stream of usage events. It is safe for concurrent use.
type Usage struct{ bus *Bus }

// Usage returns the stream of usage events.
func (b *Bus) Usage() *Usage { return &Usage{bus: b} }

// Publish stores the events and returns when all of them are stored. One that
// was stored a short time ago, by its tenant, source and id, is not stored
// again. After an error some may be stored: publishing all again is safe.
func (u *Usage) Publish(ctx context.Context, messages []events.Message) error {
	ctx, cancel := u.bus.bounded(ctx)
	defer cancel()
	futures := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, message := range messages {
		msg := outbound(message)
		future, err := u.bus.usage.PublishMsgAsync(msg, jetstream.WithMsgID(usageID(message)), jetstream.WithStallWait(u.bus.config.Timeout))
		if err != nil {
			return errors.Join(fmt.Errorf("publishing to %s: %w", message.Subject, explained(err)), settled(ctx, futures))
		}
		futures = append(futures, future)
	}
	return settled(ctx, futures)
}

// usageID is unique over tenants: the broker keeps one table for the stream.
func usageID(message events.Message) string {
	tenant, _ := events.SubjectTenant(message.Subject)
	return string(tenant) + " " + message.Header.Value(events.HeaderSource) + " " + message.Header.Value(events.HeaderID)
}

func settled(ctx context.Context, futures []jetstream.PubAckFuture) error {
	for _, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			return fmt.Errorf("publishing to %s: %w", future.Msg().Subject, explained(err))
		case <-ctx.Done():
			return fmt.Errorf("publishing to %s: %w", future.Msg().Subject, explained(context.Cause(ctx)))
		}
	}
	return nil
}
