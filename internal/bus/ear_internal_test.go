package bus

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/testenv"
)

// What is no longer heard leaves nothing behind, here or at the broker.
func TestEndedSubscriptionsLeaveNothing(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	b, err := Connect(t.Context(), Config{URL: server.URL, User: server.User, Password: server.Password, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	before := b.nc.NumSubscriptions()
	ctx, cancel := context.WithCancel(t.Context())
	for range 10 {
		require.NoError(t, b.Feed().Subscribe(ctx, "acme", "s1", func(events.Record) {}))
		require.NoError(t, b.Hints().WatchDeltas(ctx, "acme", "s1", func(events.ModelDelta) {}))
	}
	require.Equal(t, before+20, b.nc.NumSubscriptions())
	ended, end := context.WithCancel(t.Context())
	end()
	require.Error(t, b.Feed().Subscribe(ended, "acme", "s1", func(events.Record) {}))
	require.Equal(t, before+20, b.nc.NumSubscriptions(), "what could not be established is not kept")
	cancel()
	require.Eventually(t, func() bool {
		b.ear.mu.RLock()
		defer b.ear.mu.RUnlock()
		return b.nc.NumSubscriptions() == before && len(b.ear.hearers) == 0
	}, 10*time.Second, time.Millisecond)
}
