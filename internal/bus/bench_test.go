package bus_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/testenv"
)

func benchmarkBus(b *testing.B) *bus.Bus {
	b.Helper()
	server := testenv.NATS(b)
	opened, err := bus.Connect(b.Context(), bus.Config{
		URL: server.URL, User: server.User, Password: server.Password, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(b, err)
	b.Cleanup(opened.Close)
	_, err = opened.Provision(b.Context(), bus.Topology{Backlog: 1 << 40})
	require.NoError(b, err)
	return opened
}

func rate(b *testing.B, what string) {
	b.Helper()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), what+"/s")
}

func benchRun(n uint64) events.Run {
	return events.Run{
		Tenant: events.TenantID("t" + strconv.FormatUint(n%100, 10)), Session: events.SessionID("s" + strconv.FormatUint(n, 10)),
		Kind: events.KindTurn, Sequence: n + 1, Granted: time.Now(),
	}
}

// BenchmarkGrants is the scheduler's path: fenced grants, pipelined.
func BenchmarkGrants(b *testing.B) {
	opened := benchmarkBus(b)
	window, failed := make(chan struct{}, 1024), atomic.Int64{}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range uint64(b.N) {
		window <- struct{}{}
		err := opened.Runs().Grant(benchRun(n), n, func(_ uint64, err error) {
			if err != nil {
				failed.Add(1)
			}
			<-window
		})
		require.NoError(b, err)
	}
	for range cap(window) {
		window <- struct{}{}
	}
	require.Zero(b, failed.Load())
	rate(b, "grants")
}

// BenchmarkRuns is the worker's path without its work: the run is pulled, its
// request read and removed, the run acknowledged.
func BenchmarkRuns(b *testing.B) {
	for _, slots := range []int{1, 128} {
		b.Run(strconv.Itoa(slots)+" slots", func(b *testing.B) {
			opened := benchmarkBus(b)
			window := make(chan struct{}, 4*slots)
			pool, err := opened.NewRunPool(bus.RunPoolConfig{Slots: slots, PullExpiry: 50 * time.Millisecond, Handler: func(ctx context.Context, run events.Run, _ int) error {
				if _, found, err := opened.Requests().Read(ctx, run.Sequence); err != nil || !found {
					return err
				}
				return opened.Requests().Remove(ctx, run.Sequence)
			}})
			require.NoError(b, err)
			ended, done := atomic.Int64{}, make(chan struct{})
			require.NoError(b, opened.Hints().WatchRunEnded(b.Context(), func(events.RunEnded) {
				<-window
				if ended.Add(1) == int64(b.N) {
					close(done)
				}
			}))
			require.NoError(b, pool.Start(context.WithoutCancel(b.Context())))
			requests := make([]events.Message, b.N)
			for n := range requests {
				requests[n] = events.Message{Subject: events.RequestsSubject(benchRun(uint64(n)).Tenant), Data: []byte(`{"message":"hello"}`)}
				_, err := opened.Requests().Publish(b.Context(), requests[n])
				require.NoError(b, err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := range uint64(b.N) {
				window <- struct{}{}
				require.NoError(b, opened.Runs().Grant(benchRun(n), n, func(_ uint64, err error) {
					if err != nil {
						b.Error(err)
					}
				}))
			}
			<-done
			b.StopTimer()
			rate(b, "runs")
			require.NoError(b, pool.Stop(context.WithoutCancel(b.Context())))
		})
	}
}

// BenchmarkAppends is sixteen sessions, each with one writer that waits.
func BenchmarkAppends(b *testing.B) {
	opened := benchmarkBus(b)
	var writers atomic.Int64
	b.SetParallelism(8)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		id, last := events.SessionID("s"+strconv.FormatInt(writers.Add(1), 10)), uint64(0)
		for n := 1; pb.Next(); n++ {
			var err error
			if last, err = opened.Log().Append(b.Context(), replied(id, n, last)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	rate(b, "appends")
}

// BenchmarkReads is the log of a session of ten events.
func BenchmarkReads(b *testing.B) {
	opened := benchmarkBus(b)
	var last uint64
	for n := 1; n <= 10; n++ {
		var err error
		last, err = opened.Log().Append(b.Context(), replied("s1", n, last))
		require.NoError(b, err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if records, err := opened.Log().Load(b.Context(), acme, "s1"); err != nil || len(records) != 10 {
				b.Error(len(records), err)
				return
			}
		}
	})
	rate(b, "reads")
}

// BenchmarkWatch is the scheduler's start: the headers of what is waiting.
func BenchmarkWatch(b *testing.B) {
	opened := benchmarkBus(b)
	messages := make([]events.Message, b.N)
	for n := range messages {
		messages[n] = events.Message{Subject: events.RequestsSubject(benchRun(uint64(n)).Tenant), Header: events.Header{
			events.HeaderSession: {"s1"}, events.HeaderID: {strconv.Itoa(n)}, events.HeaderPriority: {"normal"},
		}, Data: []byte(`{"message":"hello"}`)}
	}
	require.NoError(b, opened.Usage().Publish(b.Context(), messages)) // it publishes to any subject, and quickly
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	b.ResetTimer()
	seen := 0
	require.NoError(b, opened.Requests().Watch(ctx, func(batch []events.Headline, caughtUp bool) error {
		if seen += len(batch); caughtUp {
			cancel()
		}
		return nil
	}))
	require.Equal(b, b.N, seen)
	rate(b, "requests")
}

// BenchmarkSpace is what a scheduler does before its first grant.
func BenchmarkSpace(b *testing.B) {
	opened := benchmarkBus(b)
	for b.Loop() {
		require.NoError(b, opened.Runs().Space(b.Context(), 1025))
	}
}
