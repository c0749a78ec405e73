package bus_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/testenv"
)

// serverOwn names goroutines of the shared server, which come and go.
func serverOwn() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*Server).startGoRoutine.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*consumer).loopAndGatherMsgs"),
	}
}

// tally counts what a handler was done with.
type tally struct {
	mu    sync.Mutex
	seen  map[uint64]int
	sizes []int
}

func (c *tally) add(batch []events.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = make(map[uint64]int)
	}
	c.sizes = append(c.sizes, len(batch))
	for _, message := range batch {
		c.seen[message.Sequence]++
	}
}

func (c *tally) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

func (b *bundle) batches(t *testing.T, config bus.BatchConfig) *bus.Batches {
	t.Helper()
	if config.Stream == "" {
		config.Stream, config.Durable = events.StreamUsage, events.DurableLedger
	}
	config.Idle = 50 * time.Millisecond
	config.RetryBase = 5 * time.Millisecond
	part, err := b.bus.NewBatches(config)
	require.NoError(t, err)
	require.NoError(t, part.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { stop(t, part) })
	return part
}

func (b *bundle) pending(t *testing.T, stream, durable string) (unread, unacknowledged int) {
	t.Helper()
	consumer, err := b.js.Consumer(within(t), stream, durable)
	require.NoError(t, err)
	info := consumer.CachedInfo()
	return int(info.NumPending), info.NumAckPending
}

func TestBatchesHandOverEachOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const count = 2500
	b.fill(t, count)
	var done tally
	failed := false
	part := b.batches(t, bus.BatchConfig{Max: 400, Handler: func(_ context.Context, batch []events.Message) error {
		require.LessOrEqual(t, len(batch), 400)
		if !failed {
			failed = true
			return errBoom
		}
		if len(batch) == 400 && done.len() == 800 {
			done.add(nil)
			if len(done.sizes) == 3 {
				panic("out of cheese")
			}
		}
		done.add(batch)
		return nil
	}})
	require.Eventually(t, func() bool { return done.len() == count }, patience, 5*time.Millisecond)
	stop(t, part)
	for sequence, times := range done.seen {
		require.Equal(t, 1, times, sequence)
	}
	unread, unacknowledged := b.pending(t, events.StreamUsage, events.DurableLedger)
	require.Zero(t, unread)
	require.Zero(t, unacknowledged)
}

func TestBatchesGiveBackWhatFailsAtTheStop(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.bus.Usage().Publish(t.Context(), []events.Message{usageOf(t, acme, 1), usageOf(t, acme, 2)}))
	called := make(chan struct{}, 1000)
	part := b.batches(t, bus.BatchConfig{Handler: func(context.Context, []events.Message) error {
		called <- struct{}{}
		return errBoom
	}})
	receive(t, called, "the batch")
	receive(t, called, "the batch again")
	stop(t, part)
	var done tally
	b.batches(t, bus.BatchConfig{Handler: func(_ context.Context, batch []events.Message) error {
		done.add(batch)
		return nil
	}})
	// Well before the lease of 30 s has run out.
	require.Eventually(t, func() bool { return done.len() == 2 }, patience, 5*time.Millisecond)
}

func TestBatchesExtendTheLeaseOfASlowHandler(t *testing.T) {
	t.Parallel()
	b := setup(t)
	durable := "slow"
	consumer, err := b.js.CreateConsumer(t.Context(), events.StreamUsage, jetstream.ConsumerConfig{
		Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: shortLease, MaxDeliver: -1,
	})
	require.NoError(t, err)
	require.Equal(t, shortLease, consumer.CachedInfo().Config.AckWait)
	require.NoError(t, b.bus.Usage().Publish(t.Context(), []events.Message{usageOf(t, acme, 1)}))
	var done tally
	config := bus.BatchConfig{Stream: events.StreamUsage, Durable: durable, Handler: func(_ context.Context, batch []events.Message) error {
		<-time.After(2 * shortLease)
		done.add(batch)
		return nil
	}}
	one, other := b.batches(t, config), b.batches(t, config)
	require.Eventually(t, func() bool { return done.len() == 1 }, patience, 5*time.Millisecond)
	stop(t, one)
	stop(t, other)
	require.Equal(t, 1, done.seen[1], "the other was not given it too")
	_, unacknowledged := b.pending(t, events.StreamUsage, durable)
	require.Zero(t, unacknowledged)
}

func TestBatchesMakeTheirConsumerButNotTheirStream(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for n := range 3 {
		publish(t, b.bus, request(t, acme, "", strconv.Itoa(n)))
	}
	var done tally
	b.batches(t, bus.BatchConfig{Stream: events.StreamRequests, Durable: "exporter", Handler: func(_ context.Context, batch []events.Message) error {
		done.add(batch)
		return nil
	}})
	require.Eventually(t, func() bool { return done.len() == 3 }, patience, 5*time.Millisecond)

	none, err := b.bus.NewBatches(bus.BatchConfig{Stream: "NONE", Durable: "x", Handler: func(context.Context, []events.Message) error { return nil }})
	require.NoError(t, err)
	require.ErrorIs(t, none.Start(t.Context()), bus.ErrMissing)
	_, err = b.bus.NewBatches(bus.BatchConfig{Max: -1})
	for _, field := range []string{"stream", "durable", "handler", "max"} {
		require.ErrorContains(t, err, field)
	}
}

func TestBatchesKeepTheContract(t *testing.T) { //nolint:paralleltest // looks for goroutines left behind
	server := testenv.NATS(t)
	b := setupOn(t, server, bus.Topology{})
	lifecycletest.Stress(t, func() lifecycle.Part {
		part, err := b.bus.NewBatches(bus.BatchConfig{
			Stream: events.StreamUsage, Durable: events.DurableLedger, Idle: 20 * time.Millisecond,
			Handler: func(context.Context, []events.Message) error { return nil },
		})
		require.NoError(t, err)
		return part
	}, serverOwn()...)
}
