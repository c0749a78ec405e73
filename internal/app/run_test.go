package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/lifecycle"
)

// A worker that uses up its soft stop must not cost the meter its own: rows in
// hand would come again only after their lease.
func TestSlowWorkerLeavesTheOthersTheirTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var workerEnded, meterTold time.Duration
		meterCut := false
		meter := lifecycle.NewRunner("meter", func(fetch, work context.Context, ready func()) error {
			ready()
			<-fetch.Done()
			meterTold = time.Since(began)
			select {
			case <-time.After(5 * time.Second): // a last batch
			case <-work.Done():
				meterCut = true
			}
			return nil
		})
		worker := lifecycle.NewRunner("worker", func(_, work context.Context, ready func()) error {
			ready()
			<-work.Done() // a turn that would go on for ever
			workerEnded = time.Since(began)
			return nil
		})
		ctx, stop := context.WithCancel(t.Context())
		group := lifecycle.NewGroup("feira", meter, bounded{Part: worker, within: time.Minute})
		require.NoError(t, runPart(ctx, group, time.Minute, stop))
		require.Equal(t, time.Minute, workerEnded)
		require.Equal(t, time.Minute, meterTold, "what is stopped last still takes in what the worker wrote")
		require.False(t, meterCut)
	})
}
