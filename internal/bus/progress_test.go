package bus_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

// A consumer has read until the first message that it has not acknowledged,
// whichever it has behind that, and until now where there is none.
func TestAConsumerHasReadUntilItsFirstGap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.turns(t, 6)
	facts := make([]time.Time, 6)
	for i := range facts {
		fact, found, err := b.bus.Log().Fact(t.Context(), uint64(i+1))
		require.NoError(t, err)
		require.True(t, found)
		facts[i] = fact.Time
	}
	consumer, err := b.js.Consumer(t.Context(), events.StreamSessions, events.DurableObjects)
	require.NoError(t, err)
	until := func() time.Time {
		read, err := b.bus.ReadUntil(t.Context(), events.StreamSessions, events.DurableObjects)
		require.NoError(t, err)
		return read
	}
	require.Equal(t, facts[0], until(), "nothing is read")
	batch, err := consumer.Fetch(6)
	require.NoError(t, err)
	var handed []jetstream.Msg
	for message := range batch.Messages() {
		handed = append(handed, message)
	}
	require.Len(t, handed, 6)
	require.Equal(t, facts[0], until(), "what was handed out is not done")
	for _, one := range []struct {
		done int
		want time.Time
	}{{1, facts[0]}, {0, facts[2]}, {3, facts[2]}, {2, facts[4]}} {
		require.NoError(t, handed[one.done].DoubleAck(within(t)))
		require.Equal(t, one.want, until(), "after %d", one.done)
	}
	stream, err := b.js.Stream(t.Context(), events.StreamSessions)
	require.NoError(t, err)
	require.NoError(t, stream.DeleteMsg(within(t), 5))
	require.Equal(t, facts[5], until(), "what is gone is not read any more")
	before := time.Now()
	require.NoError(t, handed[4].DoubleAck(within(t)))
	require.NoError(t, handed[5].DoubleAck(within(t)))
	require.False(t, until().Before(before), "all is read until now")
	require.False(t, until().After(time.Now()))

	_, err = b.bus.ReadUntil(t.Context(), events.StreamSessions, "nobody")
	require.ErrorContains(t, err, "SESSIONS/nobody")
}

// What a part has handled it has read, and nothing before that.
func TestAPartIsReadUntilWhatItHandled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	held, entered := make(chan struct{}), make(chan struct{})
	b.batches(t, bus.BatchConfig{Stream: events.StreamSessions, Durable: events.DurableObjects, Handler: func(ctx context.Context, _ []events.Message) error {
		close(entered)
		select {
		case <-held:
		case <-ctx.Done():
		}
		return nil
	}})
	before := time.Now()
	b.turns(t, 1)
	<-entered
	during, err := b.bus.ReadUntil(t.Context(), events.StreamSessions, events.DurableObjects)
	require.NoError(t, err)
	fact, _, err := b.bus.Log().Fact(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, fact.Time, during)
	close(held)
	require.Eventually(t, func() bool {
		after, err := b.bus.ReadUntil(t.Context(), events.StreamSessions, events.DurableObjects)
		return err == nil && after.After(fact.Time) && after.After(before)
	}, 10*time.Second, 5*time.Millisecond)
}
