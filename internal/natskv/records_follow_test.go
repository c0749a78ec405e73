package natskv_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestRecordsAreFollowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	kept, err := b.client(t, "").Records(t.Context(), events.BucketSpend)
	require.NoError(t, err)
	first, err := kept.Save(t.Context(), "there.before", []byte("1"), 0)
	require.NoError(t, err)

	var mu sync.Mutex
	told := map[string]string{}
	revisions := map[string]uint64{}
	heard := func(key string) string {
		mu.Lock()
		defer mu.Unlock()
		return told[key]
	}
	ctx, cancel := context.WithCancel(t.Context())
	caughtUp, over := make(chan struct{}), make(chan error, 1)
	go func() {
		over <- kept.Follow(ctx, func(key string, value []byte, revision uint64) {
			mu.Lock()
			defer mu.Unlock()
			told[key], revisions[key] = string(value), revision
			if value == nil {
				told[key] = "removed"
			}
		}, sync.OnceFunc(func() { close(caughtUp) }))
	}()
	<-caughtUp
	require.Equal(t, "1", heard("there.before"), "all that is there is told of first")
	require.Equal(t, first, revisions["there.before"])

	second, err := kept.Save(t.Context(), "there.before", []byte("2"), first)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return heard("there.before") == "2" }, patience, poll)
	mu.Lock()
	require.Equal(t, second, revisions["there.before"], "the revision is the one to save upon")
	mu.Unlock()
	require.NoError(t, kept.Delete(t.Context(), "there.before"))
	require.Eventually(t, func() bool { return heard("there.before") == "removed" }, patience, poll)
	cancel()
	require.ErrorIs(t, <-over, context.Canceled)
}
