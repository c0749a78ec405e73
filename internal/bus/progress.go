package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// ReadUntil is a moment, by the broker's clock, before which everything that a
// stream has taken in was read and acknowledged by a consumer. It may lag behind
// what is true.
func (b *Bus) ReadUntil(ctx context.Context, stream, durable string) (time.Time, error) {
	until, err := b.readUntil(ctx, stream, durable)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking how far %s/%s has read: %w", stream, durable, err)
	}
	return until.UTC(), nil
}

func (b *Bus) readUntil(ctx context.Context, stream, durable string) (time.Time, error) {
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	consumer, err := b.js.Consumer(ctx, stream, durable)
	if err != nil {
		return time.Time{}, err
	}
	info := consumer.CachedInfo()
	if info.NumPending == 0 && info.NumAckPending == 0 {
		return info.TimeStamp, nil
	}
	// The first message that is perhaps not read yet: all before it is.
	next := directQuery{Sequence: info.AckFloor.Stream + 1, Subject: ">"}
	body, err := json.Marshal(next)
	if err != nil {
		return time.Time{}, err
	}
	message, found, err := b.fetch(ctx, &nats.Msg{Subject: apiDirectGet + stream, Data: body})
	if err == nil && !found { // by a replica that lags
		message, found, err = b.leader(ctx, stream, next)
	}
	switch {
	case err != nil:
		return time.Time{}, err
	case !found: // what was to be read is gone
		return info.TimeStamp, nil
	}
	return message.Time, nil
}
