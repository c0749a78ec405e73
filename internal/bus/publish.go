package bus

import (
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// store publishes a message into its stream and returns its place. Errors are
// classified by [explained].
func (b *Bus) store(ctx context.Context, msg *nats.Msg) (*jetstream.PubAck, error) {
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	ctx, done := b.denials.watch(ctx, msg.Subject)
	defer done()
	ack, err := b.js.PublishMsg(ctx, msg)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return ack, explained(err)
}
