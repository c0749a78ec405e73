package bus_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/testenv"
)

func TestPoolSoftStopLetsWorkEnd(t *testing.T) {
	t.Parallel()
	b := setupOn(t, testenv.NATS(t), bus.Topology{})
	ends := b.ends(t)
	started, release := make(chan struct{}, 100), make(chan struct{})
	pool := b.pool(t, 100, func(ctx context.Context, _ events.Run, _ int) error {
		started <- struct{}{}
		<-release
		return ctx.Err()
	})
	open := sync.OnceFunc(func() { close(release) })
	t.Cleanup(open)
	b.grant(t, turnRun("s1", 1))
	receive(t, started, "the run")
	stopped := make(chan error, 1)
	go func() { stopped <- pool.Stop(within(t)) }()
	// What is granted from now on is begun, given back or left to others, until
	// only the last is true.
	for b.count(t, events.StreamRuns) < uint64(pool.Busy()+3) {
		n := b.last(t, events.StreamRuns)
		b.grant(t, turnRun(events.SessionID("t"+strconv.FormatUint(n, 10)), n+1))
	}
	select {
	case err := <-stopped:
		require.FailNow(t, "stopped before the work has ended", err)
	default:
	}
	open()
	require.NoError(t, receive(t, stopped, "the stop"))
	begun := 1 + len(started)
	var done int
	for range b.last(t, events.StreamRuns) - b.count(t, events.StreamRuns) {
		if !receive(t, ends, "an end").Released {
			done++
		}
	}
	require.Equal(t, begun, done, "what was begun was let end")
	consumer, err := b.js.Consumer(t.Context(), events.StreamRuns, events.DurableWorkers)
	require.NoError(t, err)
	require.Zero(t, consumer.CachedInfo().NumAckPending, "nobody waits for a lease to run out")
}

// A stop cannot call a pull off. What it still brings goes back to the
// scheduler.
func TestPoolGivesBackWhatComesAfterTheStop(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	ends := b.ends(t)
	pool, err := b.bus.NewRunPool(bus.RunPoolConfig{
		Slots: 1000, PullExpiry: 5 * time.Second, Lease: shortLease,
		Handler: func(context.Context, events.Run, int) error { return nil },
	})
	require.NoError(t, err)
	require.NoError(t, pool.Start(context.WithoutCancel(t.Context())))
	stopped := make(chan error, 1)
	go func() { stopped <- pool.Stop(within(t)) }()
	var last uint64
	for {
		last, err = grantAfter(t, b.bus, turnRun("s1", 1), last)
		require.NoError(t, err)
		select {
		case end := <-ends:
			if end.Released {
				require.NoError(t, receive(t, stopped, "the stop"))
				return
			}
		case err := <-stopped:
			require.FailNow(t, "nothing was given back", err)
		}
	}
}

func TestPoolHardStopReleasesRunningWork(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	ends := b.ends(t)
	started, causes := make(chan struct{}, 1), make(chan error, 1)
	pool := b.pool(t, 2, func(ctx context.Context, _ events.Run, _ int) error {
		started <- struct{}{}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	})
	b.grant(t, turnRun("s1", 1))
	receive(t, started, "the run")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, pool.Stop(ctx))
	require.ErrorIs(t, receive(t, causes, "the end of the work"), outcome.ErrStopping)
	require.Equal(t, events.RunEnded{Tenant: acme, Sequence: 1, Released: true}, receive(t, ends, "the release"))
	require.Zero(t, b.count(t, events.StreamRuns))
}

// Workers come and go while runs are granted; every run is done at least once,
// and what was interrupted is granted anew by its released hint.
func TestPoolStopsLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	b := setupOn(t, testenv.NATS(t), bus.Topology{}) // the full lease: a lost run would show as a time-out
	const count = 300
	var mu sync.Mutex
	done := make(map[uint64]int)
	handler := func(_ context.Context, run events.Run, _ int) error {
		mu.Lock()
		defer mu.Unlock()
		done[run.Sequence]++
		return nil
	}
	ends := b.ends(t)
	granting, last := make(chan error, 1), uint64(0)
	go func() {
		for n := range uint64(count) {
			run := turnRun(events.SessionID("s"+strconv.FormatUint(n, 10)), n+1)
			answers := make(chan error, 1)
			err := b.bus.Runs().Grant(run, last, func(sequence uint64, err error) {
				last = sequence
				answers <- err
			})
			if err == nil {
				err = <-answers
			}
			if err != nil {
				granting <- err
				return
			}
		}
		granting <- nil
	}()
	finished, released := 0, []uint64{}
	for finished+len(released) < count {
		pool := b.pool(t, 3, handler)
		for range 20 {
			if finished+len(released) == count {
				break
			}
			if e := receive(t, ends, "an end"); e.Released {
				released = append(released, e.Sequence)
			} else {
				finished++
			}
		}
		stop(t, pool)
		for drained := false; !drained; {
			select {
			case e := <-ends:
				if e.Released {
					released = append(released, e.Sequence)
				} else {
					finished++
				}
			default:
				require.NoError(t, b.nc.Flush())
				drained = len(ends) == 0
			}
		}
	}
	require.NoError(t, <-granting)
	require.Zero(t, b.count(t, events.StreamRuns))
	for sequence := range uint64(count) {
		times := 1
		for _, back := range released {
			if back == sequence+1 {
				times = 0
			}
		}
		require.Equal(t, times, done[sequence+1], "run %d", sequence+1)
	}
}
