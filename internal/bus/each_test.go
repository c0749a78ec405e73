package bus_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/outcome"
)

// Of a batch each message is settled by itself: what fails comes again, by its
// own count, and what is done does not.
func TestEachSettlesEveryMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const messages = 6
	for n := range messages {
		require.NoError(t, b.bus.Webhooks().Publish(within(t), events.Webhook{
			Tenant: "acme", Server: "asaas", Connection: "ca_1", Received: time.Unix(1, 0), Body: []byte(strconv.Itoa(n)),
		}))
	}
	var mu sync.Mutex
	counts := map[string][]int{}
	ended := make(chan string, messages)
	boom := errors.New("boom")
	b.batches(t, bus.BatchConfig{Stream: events.StreamWebhooks, Durable: events.DurableWebhooks, Each: func(_ context.Context, batch []bus.Delivery) []error {
		mu.Lock()
		defer mu.Unlock()
		verdicts := make([]error, len(batch))
		for i, delivery := range batch {
			name := string(delivery.Data)
			counts[name] = append(counts[name], delivery.Count)
			switch {
			case name == "1" && delivery.Count == 1:
				verdicts[i] = outcome.RetryAfter(boom, 10*time.Millisecond)
			case name == "2" && delivery.Count <= 3:
				verdicts[i] = boom
			case name == "3" && delivery.Count == 1:
				verdicts[i] = outcome.Release(boom)
			case name == "4" && delivery.Count == 1:
				verdicts[i] = outcome.Terminal(boom)
			default:
				ended <- name
			}
		}
		return verdicts
	}})
	seen := map[string]bool{}
	for range messages {
		seen[receive(t, ended, "the end of a message")] = true
	}
	require.Len(t, seen, messages)
	require.Eventually(t, func() bool {
		unread, unacknowledged := b.pending(t, events.StreamWebhooks, events.DurableWebhooks)
		return unread+unacknowledged == 0
	}, 10*time.Second, 10*time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, map[string][]int{"0": {1}, "1": {1, 2}, "2": {1, 2, 3, 4}, "3": {1, 2}, "4": {1, 2}, "5": {1}}, counts)
}

// A panic is the error of all that were in the batch, and of nothing else.
func TestEachSurvivesAPanic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.bus.Webhooks().Publish(within(t), events.Webhook{Tenant: "acme", Server: "asaas", Connection: "ca_1", Received: time.Unix(1, 0)}))
	ended := make(chan int, 1)
	b.batches(t, bus.BatchConfig{Stream: events.StreamWebhooks, Durable: events.DurableWebhooks, Each: func(_ context.Context, batch []bus.Delivery) []error {
		if batch[0].Count == 1 {
			panic("boom")
		}
		ended <- batch[0].Count
		return make([]error, len(batch))
	}})
	require.Equal(t, 2, receive(t, ended, "the second delivery"))
}

func TestBatchesHaveOneHandler(t *testing.T) {
	t.Parallel()
	b := setup(t)
	handler := func(context.Context, []events.Message) error { return nil }
	stage := func([]events.Message) func(context.Context) error { return nil }
	each := func(context.Context, []bus.Delivery) []error { return nil }
	for _, config := range []bus.BatchConfig{{}, {Handler: handler, Each: each}, {Handler: handler, Stage: stage}, {Stage: stage, Each: each}} {
		config.Stream, config.Durable = events.StreamUsage, events.DurableLedger
		_, err := b.bus.NewBatches(config)
		require.ErrorContains(t, err, "one of handler, stage and each must be set")
	}
}
