package waits_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// TestManyReadersOfManySessions: 200 sessions with 20 readers each, some of
// which go and come back while their sessions are written to.
func TestManyReadersOfManySessions(t *testing.T) {
	t.Parallel()
	const sessions, readers, records = 200, 20, 10
	b := setup(t)
	feed := newFaulty(b.bus.Feed(), 1)
	feed.lose = 5
	hub := b.hub(t, func(c *waits.Config) { c.Feed, c.Look = feed, 500*time.Millisecond })
	var all errgroup.Group
	for s := range sessions {
		w := b.writer(events.SessionID("s" + strconv.Itoa(s)))
		var begun sync.WaitGroup
		written := make(chan struct{})
		begun.Add(readers)
		for r := range readers {
			reading := &reading{hub: hub, id: w.id, want: records, leave: 1 + r, written: written, now: r%2 == 0}
			all.Go(func() error {
				err := reading.begin(within(t), nil)
				begun.Done()
				if err != nil {
					return fmt.Errorf("reader %d of %s: %w", r, w.id, err)
				}
				defer func() { reading.reader.Close() }()
				if err := reading.run(within(t)); err != nil {
					return fmt.Errorf("reader %d of %s, which has %d of its %d: %w", r, w.id, len(reading.got), records, err)
				}
				if <-written; !slices.Equal(w.all, reading.got) {
					return fmt.Errorf("session %s has %v, reader %d got %v", w.id, w.all, r, reading.got)
				}
				return nil
			})
		}
		all.Go(func() error {
			defer close(written)
			begun.Wait()
			for range records {
				if _, err := w.write(within(t), "r1", &events.ModelReplied{Iteration: w.next + 1, FinishReason: "stop"}); err != nil {
					return fmt.Errorf("writer of %s, after %d: %w", w.id, len(w.all), err)
				}
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
	require.Zero(t, hub.Waiting())
	require.Eventually(t, func() bool { return feed.open.Load() == 0 }, patience, time.Millisecond)
}

// crowd waits for n sessions, each with its own reader and goroutine, and
// returns when all of them stand, with what each costs in bytes: of the heap and
// of stacks, the broker's part of it included.
func crowd(t testing.TB, b *bundle, hub *waits.Hub, n int, told func()) (perWaiter float64, gone func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	before := memory()
	var waiting, following errgroup.Group
	following.SetLimit(64)
	for i := range n {
		following.Go(func() error {
			reader, err := hub.Follow(ctx, waits.FollowParams{Tenant: acme, Session: sessionOf(i), From: waits.Now()})
			if err != nil {
				return err
			}
			waiting.Go(func() error {
				defer reader.Close()
				for {
					if _, err := reader.Next(ctx); err != nil {
						return ignoreEnd(ctx, err)
					}
					told()
				}
			})
			return nil
		})
	}
	require.NoError(t, following.Wait())
	require.Equal(t, n, hub.Waiting())
	return float64(int64(memory()-before)) / float64(n), func() error {
		cancel()
		return waiting.Wait()
	}
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func sessionOf(i int) events.SessionID { return events.SessionID("crowd" + strconv.Itoa(i)) }

func memory() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse
}

// TestTenThousandWait is not parallel, because it measures memory.
func TestTenThousandWait(t *testing.T) {
	const n, most = 10_000, 16 << 10 // the race detector takes more than the half of it
	b := setup(t)
	var heard atomic.Int64
	hub := b.hub(t, func(c *waits.Config) { c.Look = 3 * time.Second })
	bytes, gone := crowd(t, b, hub, n, func() { heard.Add(1) })
	t.Logf("%.0f bytes each, a goroutine and the broker's part included", bytes)
	require.Less(t, bytes, float64(most))

	for _, i := range []int{0, n / 2, n - 1} {
		b.writer(sessionOf(i)).some(t, 2)
	}
	require.Eventually(t, func() bool { return heard.Load() == 6 }, patience, time.Millisecond)
	require.NoError(t, gone())
	require.Zero(t, hub.Waiting())
}

// BenchmarkRecord is a record from its append to the reader, among so many that
// wait for other sessions.
func BenchmarkRecord(b *testing.B) {
	for _, n := range []int{1, 1_000, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			bundle := setup(b)
			told := make(chan struct{}, 1)
			hub := bundle.hub(b, nil)
			bytes, gone := crowd(b, bundle, hub, n, func() { told <- struct{}{} })
			w := bundle.writer(sessionOf(0))
			for b.Loop() {
				w.some(b, 1)
				<-told
			}
			if n > 1 { // of one it is noise
				b.ReportMetric(bytes, "B/waiter")
			}
			require.NoError(b, gone())
		})
	}
}

// still is a feed that tells what the benchmark has it tell.
type still struct {
	hear atomic.Pointer[func(events.Record)]
}

func (s *still) Subscribe(_ context.Context, _ events.TenantID, _ events.SessionID, hear func(events.Record)) error {
	s.hear.Store(&hear)
	return nil
}

// BenchmarkTell is the hub's own part of a record for so many readers of its
// session.
func BenchmarkTell(b *testing.B) {
	for _, n := range []int{1, 20} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			bundle, feed := setup(b), &still{}
			hub := bundle.hub(b, func(c *waits.Config) { c.Feed = feed })
			readers := make([]*waits.Reader, n)
			for i := range readers {
				readers[i] = follow(b, hub, "s1", waits.Now())
			}
			hear, ctx := *feed.hear.Load(), b.Context()
			record := events.Record{Event: &events.ModelReplied{}}
			b.ReportAllocs()
			for b.Loop() {
				record.Previous, record.Sequence = record.Sequence, record.Sequence+1
				hear(record)
				for _, reader := range readers {
					if _, err := reader.Next(ctx); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
