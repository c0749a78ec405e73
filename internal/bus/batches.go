package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
)

// Batches works on a stream batch by batch. It is a [lifecycle.Part].
//
// A batch is acknowledged when the handler has returned nil for it, and is
// handed to it again until then, so a stream waits behind a batch that always
// fails; the log says so each time. A soft stop lets the current call end; a
// batch that fails then goes back to the broker.
type Batches struct {
	*lifecycle.Runner

	bus    *Bus
	config BatchConfig
}

// NewBatches returns an idle part.
func (b *Bus) NewBatches(config BatchConfig) (*Batches, error) {
	config = config.withDefaults(b.config.Logger)
	if err := config.Validate(); err != nil {
		return nil, err
	}
	batches := &Batches{bus: b, config: config}
	batches.Runner = lifecycle.NewRunner(config.Name, batches.run)
	return batches, nil
}

func (b *Batches) run(fetch, work context.Context, ready func()) error {
	lease, err := b.open(fetch)
	if err != nil {
		return err
	}
	pulls, err := newPuller(b.bus.nc, b.config.Stream, b.config.Durable, b.config.Max)
	if err != nil {
		return err
	}
	defer pulls.close()
	ready()
	if b.config.Stage != nil {
		b.runAhead(fetch, work, pulls, lease)
		return nil
	}
	for fetch.Err() == nil {
		// Also after a soft stop: a batch in hand is work begun, and one given back
		// comes again only after its lease when the broker stops too.
		if batch := b.next(fetch, work, pulls); len(batch.messages) > 0 {
			b.work(fetch, work, batch, lease)
		}
	}
	return nil
}

// next gathers a batch, which is empty when there is none.
func (b *Batches) next(fetch, work context.Context, pulls *puller) gathered {
	batch, err := b.gather(work, pulls)
	if err != nil && b.bus.nc.IsConnected() { // else the connection's own lines say it all
		b.config.Logger.WarnContext(work, "pulling a batch", slog.String("part", b.config.Name), slog.Any("error", err))
	}
	if err != nil {
		pause(fetch, b.config.RetryBase)
	}
	return batch
}

// open finds the consumer, or makes it, and returns its lease.
func (b *Batches) open(ctx context.Context) (time.Duration, error) {
	consumer, err := b.bus.js.Consumer(ctx, b.config.Stream, b.config.Durable)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		consumer, err = b.bus.js.CreateConsumer(ctx, b.config.Stream, batchConsumer(b.config.Durable))
		if errors.Is(err, jetstream.ErrConsumerExists) {
			consumer, err = b.bus.js.Consumer(ctx, b.config.Stream, b.config.Durable)
		}
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, fmt.Errorf("%w: stream %s", ErrMissing, b.config.Stream)
	}
	if err != nil {
		return 0, fmt.Errorf("opening consumer %s/%s: %w", b.config.Stream, b.config.Durable, err)
	}
	return consumer.CachedInfo().Config.AckWait, nil
}

// gathered is a batch with the ack subjects of its messages.
type gathered struct {
	messages []events.Message
	acks     []string
	counts   []int // deliveries
}

// gather waits for a first message and then a little for others: one pull that
// waited for all would make each message wait.
func (b *Batches) gather(work context.Context, pulls *puller) (gathered, error) {
	batch := gathered{}
	take := func(msg *nats.Msg) {
		if message, place, ok := delivered(msg); ok {
			batch.messages = append(batch.messages, message)
			batch.acks = append(batch.acks, msg.Reply)
			batch.counts = append(batch.counts, int(min(place.NumDelivered, math.MaxInt32)))
		}
	}
	err := pulls.fetch(1, b.config.Idle, work.Done(), take)
	if err != nil || len(batch.messages) == 0 || b.config.Max == 1 {
		return batch, err
	}
	return batch, pulls.fetch(b.config.Max-1, b.config.MaxWait, work.Done(), take)
}

// work does one batch.
func (b *Batches) work(fetch, work context.Context, batch gathered, lease time.Duration) {
	stopExtending := b.extend(work, batch, lease)
	defer stopExtending()
	if b.config.Each != nil {
		b.each(work, batch)
		return
	}
	b.settle(fetch, work, batch, func(ctx context.Context) error { return b.config.Handler(ctx, batch.messages) })
}

// settle calls the handler until it is done with the batch, or the part stops:
// then the batch is given back, and settle returns false.
func (b *Batches) settle(fetch, work context.Context, batch gathered, handle func(context.Context) error) bool {
	policy := backoff.NewExponentialBackOff(backoff.WithInitialInterval(b.config.RetryBase),
		backoff.WithMaxInterval(b.config.RetryCap), backoff.WithMaxElapsedTime(0))
	for attempt := 1; ; attempt++ {
		err := b.call(work, handle)
		if err == nil {
			b.acknowledge(work, batch)
			return true
		}
		if fetch.Err() != nil {
			b.giveBack(work, batch)
			return false
		}
		after := policy.NextBackOff()
		b.config.Logger.ErrorContext(work, "batch is tried again", slog.String("part", b.config.Name), slog.Int("messages", len(batch.messages)),
			slog.Int("attempt", attempt), slog.Duration("after", after), slog.Any("error", err))
		pause(fetch, after)
	}
}

func (b *Batches) call(ctx context.Context, handle func(context.Context) error) (err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		err = fmt.Errorf("%w: %v", ErrPanic, value)
		b.config.Logger.ErrorContext(ctx, "batch panicked", slog.Any("value", value), slog.String("stack", string(debug.Stack())))
	}()
	return handle(ctx)
}

// acknowledge has the last word only confirmed to itself: the broker reads them
// in order, and a word that it hears twice means nothing else. When that is
// lost, messages of the batch come again.
func (b *Batches) acknowledge(work context.Context, batch gathered) {
	last := len(batch.acks) - 1
	for i, ack := range batch.acks {
		switch {
		case b.config.Confirm != nil:
			_ = b.bus.nc.PublishRequest(ack, b.config.Confirm(batch.messages[i]), []byte(wordAck))
		case i < last:
			_ = b.bus.nc.Publish(ack, []byte(wordAck))
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(work), b.bus.config.Timeout)
	defer cancel()
	if err := b.bus.confirm(ctx, batch.acks[last], wordAck); err != nil {
		b.config.Logger.WarnContext(ctx, "acknowledging a batch", slog.String("part", b.config.Name), slog.Any("error", err))
	}
}

// giveBack spares the next reader the rest of the lease.
func (b *Batches) giveBack(work context.Context, batch gathered) {
	for _, ack := range batch.acks {
		_ = b.bus.nak(ack, 0)
	}
	b.config.Logger.InfoContext(work, "batch is given back", slog.String("part", b.config.Name), slog.Int("messages", len(batch.messages)))
}

// extend keeps the batch ours until the function returned is called.
func (b *Batches) extend(ctx context.Context, batch gathered, lease time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(max(lease/3, time.Millisecond))
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				for _, ack := range batch.acks {
					_ = b.bus.nc.Publish(ack, []byte(wordProgress))
				}
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
