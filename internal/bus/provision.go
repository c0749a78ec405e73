package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// bucketStream is the stream that holds a bucket.
const bucketStream = "KV_"

// maker makes one thing where it is missing, and tells in what it differs where
// it is there.
type maker func(ctx context.Context) ([]Drift, error)

// makers make what a topology wants, in the order in which it needs each other.
func (b *Bus) makers(topology Topology) []maker {
	var makers []maker
	for _, want := range topology.streams() {
		makers = append(makers, func(ctx context.Context) ([]Drift, error) { return b.provisionStream(ctx, want, topology.Apply) })
	}
	for _, want := range topology.consumers() {
		makers = append(makers, func(ctx context.Context) ([]Drift, error) { return b.provisionConsumer(ctx, want, topology.Apply) })
	}
	for _, of := range obsolete() {
		makers = append(makers, func(ctx context.Context) ([]Drift, error) { return b.discard(ctx, of) })
	}
	for _, want := range topology.buckets() {
		makers = append(makers, func(ctx context.Context) ([]Drift, error) { return b.provisionBucket(ctx, want, topology.Apply) })
	}
	return makers
}

func (b *Bus) provisionStream(ctx context.Context, want jetstream.StreamConfig, apply bool) ([]Drift, error) {
	stream, err := b.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = b.createStream(ctx, want)
	}
	if err != nil {
		return nil, fmt.Errorf("opening stream %s: %w", want.Name, err)
	}
	have := stream.CachedInfo().Config
	return b.reconcile(ctx, &have, streamSettings(&have, &want), apply)
}

// createStream creates the stream or, when a rival was quicker with another
// setting, opens the rival's.
func (b *Bus) createStream(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	stream, err := b.js.CreateStream(ctx, want)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return b.js.Stream(ctx, want.Name)
	}
	return stream, err
}

// reconcile reports the settings that differ, after the safe ones are applied
// where that is wanted.
func (b *Bus) reconcile(ctx context.Context, have *jetstream.StreamConfig, settings []setting, apply bool) ([]Drift, error) {
	drifts, changed := compare(have.Name, settings, apply)
	if !changed {
		return drifts, nil
	}
	if _, err := b.js.UpdateStream(ctx, *have); err != nil {
		return drifts, fmt.Errorf("updating stream %s: %w", have.Name, err)
	}
	return drifts, nil
}

func (b *Bus) provisionConsumer(ctx context.Context, want durable, apply bool) ([]Drift, error) {
	name := want.stream + "/" + want.config.Durable
	consumer, err := b.js.Consumer(ctx, want.stream, want.config.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		consumer, err = b.js.CreateConsumer(ctx, want.stream, want.config)
		if errors.Is(err, jetstream.ErrConsumerExists) {
			consumer, err = b.js.Consumer(ctx, want.stream, want.config.Durable)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening consumer %s: %w", name, err)
	}
	have := consumer.CachedInfo().Config
	drifts, changed := compare(name, consumerSettings(&have, &want.config), apply)
	if !changed {
		return drifts, nil
	}
	if _, err := b.js.UpdateConsumer(ctx, want.stream, have); err != nil {
		return drifts, fmt.Errorf("updating consumer %s: %w", name, err)
	}
	return drifts, nil
}

// discard deletes a consumer that nobody reads by. Its stream keeps what it held.
func (b *Bus) discard(ctx context.Context, of durable) ([]Drift, error) {
	name := of.stream + "/" + of.config.Durable
	err := b.js.DeleteConsumer(ctx, of.stream, of.config.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("deleting consumer %s: %w", name, err)
	}
	return []Drift{{Stream: name, Field: "consumer", Have: "there", Want: "none", Applied: true}}, nil
}

func (b *Bus) provisionBucket(ctx context.Context, want jetstream.KeyValueConfig, apply bool) ([]Drift, error) {
	name := bucketStream + want.Bucket
	stream, err := b.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if _, err := b.js.CreateKeyValue(ctx, want); err != nil && !errors.Is(err, jetstream.ErrBucketExists) {
			return nil, fmt.Errorf("creating bucket %s: %w", want.Bucket, err)
		}
		stream, err = b.js.Stream(ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("opening bucket %s: %w", want.Bucket, err)
	}
	have := stream.CachedInfo().Config
	return b.reconcile(ctx, &have, []setting{
		{field: "max_age", have: have.MaxAge.String(), want: want.TTL.String()},
		{field: "history", have: strconv.FormatInt(have.MaxMsgsPerSubject, 10), want: strconv.Itoa(int(want.History))},
		{field: "storage", have: have.Storage.String(), want: want.Storage.String()},
		replicas(&have, want.Replicas),
	}, apply)
}
