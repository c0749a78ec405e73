package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/testenv"
)

var errBoom = errors.New("boom")

// shortLease is the lease of these tests: long enough for a slow machine under
// the race detector, short enough to wait for.
const shortLease = 1500 * time.Millisecond

func setupPool(t *testing.T) *bundle {
	t.Helper()
	return setupOn(t, testenv.NATS(t), bus.Topology{RunLease: shortLease})
}

func (b *bundle) pool(t *testing.T, slots int, handler bus.RunHandler) *bus.RunPool {
	t.Helper()
	return b.poolWith(t, bus.RunPoolConfig{Slots: slots, Handler: handler})
}

func (b *bundle) poolWith(t *testing.T, config bus.RunPoolConfig) *bus.RunPool {
	t.Helper()
	config.Lease = shortLease
	config.PullExpiry = 50 * time.Millisecond
	config.RetryBase = 10 * time.Millisecond
	pool, err := b.bus.NewRunPool(config)
	require.NoError(t, err)
	require.NoError(t, pool.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() { stop(t, pool) })
	return pool
}

func stop(t *testing.T, part lifecycle.Part) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	require.NoError(t, part.Stop(ctx))
	require.NoError(t, part.Err())
}

// ends hears which runs have ended.
func (b *bundle) ends(t *testing.T) <-chan events.RunEnded {
	t.Helper()
	ends := make(chan events.RunEnded, 10_000)
	require.NoError(t, b.bus.Hints().WatchRunEnded(t.Context(), func(e events.RunEnded) { ends <- e }))
	return ends
}

func TestPoolRunsEachRunOnce(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	const count, slots = 500, 8
	var mu sync.Mutex
	seen := make(map[uint64]int)
	var running, most atomic.Int64
	ends := b.ends(t)
	pool := b.pool(t, slots, func(_ context.Context, run events.Run, deliveries int) error {
		now := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		mu.Lock()
		defer mu.Unlock()
		seen[run.Sequence] += deliveries
		return nil
	})
	for n := range uint64(count) {
		require.NoError(t, b.bus.Runs().Grant(turnRun(events.SessionID("s"+strconv.FormatUint(n, 10)), n+1), n, func(uint64, error) {}))
	}
	for range count {
		require.False(t, receive(t, ends, "the end of a run").Released)
	}
	stop(t, pool)
	require.Zero(t, b.count(t, events.StreamRuns))
	require.Len(t, seen, count)
	for sequence, deliveries := range seen {
		require.Equal(t, 1, deliveries, sequence)
	}
	require.LessOrEqual(t, most.Load(), int64(slots))
	require.Zero(t, pool.Busy())
}

func TestPoolNeverHoldsARunWithoutASlot(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	release, started := make(chan struct{}), make(chan uint64, 10)
	handler := func(_ context.Context, run events.Run, _ int) error {
		started <- run.Sequence
		<-release
		return nil
	}
	first := b.pool(t, 2, handler)
	open := sync.OnceFunc(func() { close(release) })
	t.Cleanup(open)
	for n := range uint64(3) {
		b.grant(t, turnRun(events.SessionID("s"+strconv.FormatUint(n, 10)), n+1))
	}
	receive(t, started, "a run")
	receive(t, started, "a run")
	require.Equal(t, 2, first.Busy())
	require.Equal(t, 2, first.Slots())
	// The third is free for anybody else who has a slot.
	second := b.pool(t, 1, handler)
	t.Cleanup(open)
	require.EqualValues(t, 3, receive(t, started, "the third run"))
	require.Equal(t, 1, second.Busy())
	open()
	require.Eventually(t, func() bool { return first.Busy()+second.Busy() == 0 }, patience, time.Millisecond)
}

func TestPoolVerdicts(t *testing.T) {
	t.Parallel()
	type verdict struct {
		err error
		// again is set when the run is delivered a second time.
		again    bool
		ended    bool
		released bool
		buried   bool
		kept     bool // RUNS still holds it
	}
	for name, want := range map[string]verdict{
		"done":        {ended: true},
		"retry":       {err: errBoom, again: true, ended: true},
		"retry after": {err: outcome.RetryAfter(errBoom, 20*time.Millisecond), again: true, ended: true},
		"terminal":    {err: outcome.Terminal(errBoom), ended: true, buried: true},
		"release":     {err: outcome.Release(errBoom), ended: true, released: true},
		"fenced":      {err: outcome.ErrFenced, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupOn(t, testenv.NATS(t), bus.Topology{})
			ends := b.ends(t)
			calls := make(chan int, 10)
			pool := b.pool(t, 2, func(_ context.Context, _ events.Run, deliveries int) error {
				calls <- deliveries
				if deliveries > 1 {
					return nil
				}
				return want.err
			})
			b.grant(t, turnRun("s1", 7))
			require.Equal(t, 1, receive(t, calls, "the run"))
			if want.again {
				require.Equal(t, 2, receive(t, calls, "the run again"))
			}
			if want.ended {
				require.Equal(t, events.RunEnded{Tenant: acme, Sequence: 7, Released: want.released}, receive(t, ends, "the end"))
			}
			stop(t, pool)
			require.Empty(t, calls)
			require.Empty(t, ends)
			require.Equal(t, want.kept, b.count(t, events.StreamRuns) == 1)
			letters, err := b.bus.Dead().List(t.Context(), acme)
			require.NoError(t, err)
			require.Equal(t, want.buried, len(letters) == 1)
			if want.buried {
				died, ok := letters[0].Event.(*events.LetterDied)
				require.True(t, ok)
				require.Equal(t, "boom", died.Detail)
				require.Equal(t, "7", died.Header.Value(events.HeaderRequest))
				require.Equal(t, 1, died.Deliveries)
			}
		})
	}
}

// The hint comes last: whoever hears that a run was served finds neither the
// request nor the run, and of one that was released only the request.
func TestPoolRemovesTheRequestThatWasServed(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	ends := b.ends(t)
	b.pool(t, 1, func(_ context.Context, run events.Run, _ int) error {
		if run.Session == "later" {
			return outcome.Release(errBoom)
		}
		return nil
	})
	for session, released := range map[events.SessionID]bool{"now": false, "later": true} {
		sequence := publish(t, b.bus, request(t, acme, session, "hello"))
		b.grant(t, turnRun(session, sequence))
		want := events.RunEnded{Tenant: acme, Sequence: sequence, Released: released}
		require.Equal(t, want, receive(t, ends, "the end"))
		_, waits, err := b.bus.Requests().Read(t.Context(), sequence)
		require.NoError(t, err)
		require.Equal(t, released, waits)
		require.Zero(t, b.count(t, events.StreamRuns))
	}
}

func TestPoolReleasedRunStartsAnewWithoutAnAttempt(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	ends := b.ends(t)
	calls := make(chan int, 10)
	first := true
	b.pool(t, 1, func(_ context.Context, _ events.Run, deliveries int) error {
		calls <- deliveries
		if first {
			first = false
			return outcome.Release(errBoom)
		}
		return nil
	})
	b.grant(t, turnRun("s1", 7))
	require.Equal(t, 1, receive(t, calls, "the run"))
	require.True(t, receive(t, ends, "the release").Released)
	b.grant(t, turnRun("s1", 7)) // the place is free by then
	require.Equal(t, 1, receive(t, calls, "the run anew"))
	require.False(t, receive(t, ends, "the end").Released)
}

func TestPoolBuriesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	pool := b.pool(t, 1, func(context.Context, events.Run, int) error { panic("nobody can read it") })
	b.raw(t, events.Message{Subject: events.RunsSubject(acme, "s-broken"), Data: []byte("what?")})
	b.raw(t, events.Message{Subject: events.RunsSubject(events.IllegalTenant, "s-broken")})
	require.Eventually(t, func() bool { return b.count(t, events.StreamRuns) == 0 }, patience, 5*time.Millisecond)
	stop(t, pool)
	letters, err := b.bus.Dead().List(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, letters, 2)
	died, ok := letters[0].Event.(*events.LetterDied)
	require.True(t, ok)
	require.Equal(t, "unreadable", died.Reason)
	require.Equal(t, []byte("what?"), died.Data)
}

func TestPoolPanicCostsItsRunAlone(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	ends := b.ends(t)
	b.pool(t, 2, func(_ context.Context, run events.Run, deliveries int) error {
		if run.Sequence == 1 && deliveries == 1 {
			panic("out of cheese")
		}
		return nil
	})
	b.grant(t, turnRun("s1", 1))
	b.grant(t, turnRun("s2", 2))
	got := map[uint64]bool{receive(t, ends, "a run").Sequence: true, receive(t, ends, "a run").Sequence: true}
	require.Equal(t, map[uint64]bool{1: true, 2: true}, got)
	text := strings.Join(b.log.all(), "\n")
	require.Contains(t, text, "out of cheese")
	require.Contains(t, text, "pool_test.go", "the log has the stack")
}

func TestPoolExtendsTheLeaseOfLongWork(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	ends := b.ends(t)
	var calls atomic.Int64
	b.pool(t, 2, func(ctx context.Context, _ events.Run, _ int) error {
		calls.Add(1)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(2 * shortLease):
			return nil
		}
	})
	b.grant(t, turnRun("s1", 1))
	require.Equal(t, events.RunEnded{Tenant: acme, Sequence: 1}, receive(t, ends, "the end"))
	require.EqualValues(t, 1, calls.Load(), "nobody else was given the run")
}

func TestPoolLostLeaseEndsTheWork(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	b := setupOn(t, server, bus.Topology{RunLease: shortLease})
	proxy := testenv.NewProxy(t, server.URL)
	far := &bundle{bus: connect(t, &testenv.Server{URL: proxy.URL, User: server.User, Password: server.Password}, &logBook{})}
	started, causes := make(chan struct{}, 1), make(chan error, 1)
	far.pool(t, 1, func(ctx context.Context, _ events.Run, _ int) error {
		started <- struct{}{}
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	})
	b.grant(t, turnRun("s1", 1))
	receive(t, started, "the run")
	proxy.Freeze()
	require.ErrorIs(t, receive(t, causes, "the end of the work"), outcome.ErrLeaseLost)

	redelivered := make(chan int, 1)
	b.pool(t, 1, func(_ context.Context, _ events.Run, deliveries int) error {
		redelivered <- deliveries
		return nil
	})
	require.Equal(t, 2, receive(t, redelivered, "the run at another worker"))
	proxy.Thaw()
}

// The scheduler grants a place again as soon as it hears of the end.
func TestPoolPlaceIsFreeWhenTheEndIsTold(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	ends := b.ends(t)
	b.pool(t, 1, func(context.Context, events.Run, int) error { return nil })
	var last uint64
	for n := range uint64(300) {
		var err error
		last, err = grantAfter(t, b.bus, turnRun("s1", n+1), last)
		require.NoError(t, err)
		require.Equal(t, n+1, receive(t, ends, "the end").Sequence)
	}
}

func TestPoolChain(t *testing.T) {
	t.Parallel()
	b := setupPool(t)
	type key string
	var mu sync.Mutex
	var steps []string
	step := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, text)
	}
	wrap := func(name string) bus.RunMiddleware {
		return func(next bus.RunHandler) bus.RunHandler {
			return func(ctx context.Context, run events.Run, deliveries int) error {
				step(name)
				return next(ctx, run, deliveries)
			}
		}
	}
	ends := b.ends(t)
	b.poolWith(t, bus.RunPoolConfig{
		Slots: 1,
		Correlate: func(ctx context.Context, attrs ...slog.Attr) context.Context {
			for _, attr := range attrs {
				step("correlate " + attr.String())
			}
			return context.WithValue(ctx, key("correlated"), true)
		},
		Trace: func(ctx context.Context, parent string) (context.Context, func(error)) {
			step("trace " + parent)
			return ctx, func(err error) { step("traced " + err.Error()) }
		},
		Middleware: []bus.RunMiddleware{wrap("outer"), wrap("inner")},
		Handler: func(ctx context.Context, _ events.Run, _ int) error {
			step("handler " + strconv.FormatBool(ctx.Value(key("correlated")) == true))
			return outcome.Release(errBoom)
		},
	})
	message := turnRun("s1", 7).Message()
	message.Header.Set(events.HeaderTrace, "00-parent")
	b.raw(t, message)
	receive(t, ends, "the end")
	mu.Lock()
	defer mu.Unlock()
	want := []string{
		"correlate tenant=acme", "correlate session=s1", "correlate request_sequence=7",
		"trace 00-parent", "outer", "inner", "handler true", "traced boom",
	}
	require.Empty(t, cmp.Diff(want, steps))
}

func TestPoolNeedsItsConsumer(t *testing.T) {
	t.Parallel()
	b := connect(t, testenv.NATS(t), &logBook{})
	pool, err := b.NewRunPool(bus.RunPoolConfig{Slots: 1, Handler: func(context.Context, events.Run, int) error { return nil }})
	require.NoError(t, err)
	err = pool.Start(t.Context())
	require.ErrorIs(t, err, bus.ErrMissing)
	require.ErrorContains(t, err, "RUNS/workers")
	_, err = b.NewRunPool(bus.RunPoolConfig{Lease: time.Second, Refresh: time.Minute, RetryBase: time.Minute, RetryCap: time.Second, PullExpiry: -1})
	for _, field := range []string{"slots", "handler", "refresh", "pull_expiry", "retry_base"} {
		require.ErrorContains(t, err, field)
	}
}

func TestPoolKeepsTheContract(t *testing.T) { //nolint:paralleltest // looks for goroutines left behind
	b := setup(t)
	lifecycletest.Stress(t, func() lifecycle.Part {
		pool, err := b.bus.NewRunPool(bus.RunPoolConfig{
			Slots: 2, PullExpiry: 20 * time.Millisecond,
			Handler: func(context.Context, events.Run, int) error { return nil },
		})
		require.NoError(t, err)
		return pool
	}, serverOwn()...)
}

// A pull that is asked for while the connection is down must not add to those
// that the broker serves when it is back: there is but one slot.
func TestPoolTakesNoMoreThanItsSlotsAfterAnOutage(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct{ begin, end func(*testenv.Proxy) }{
		"cut":    {func(p *testenv.Proxy) { p.Freeze(); p.Cut() }, (*testenv.Proxy).Thaw},
		"frozen": {(*testenv.Proxy).Freeze, (*testenv.Proxy).Thaw},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testenv.NATS(t)
			b := setupOn(t, server, bus.Topology{RunLease: time.Minute}) // beyond the test's patience
			proxy := testenv.NewProxy(t, server.URL)
			far := &bundle{bus: connect(t, &testenv.Server{URL: proxy.URL, User: server.User, Password: server.Password}, &logBook{})}
			started, release := make(chan uint64, 10), make(chan struct{})
			pool := far.pool(t, 1, func(_ context.Context, run events.Run, _ int) error {
				started <- run.Sequence
				<-release
				return nil
			})
			t.Cleanup(func() { close(release) })
			outage.begin(proxy)
			<-time.After(4 * time.Second) // several pulls' time
			for n := range uint64(5) {
				b.grant(t, turnRun(events.SessionID("s"+strconv.FormatUint(n, 10)), n+1))
			}
			outage.end(proxy)
			receive(t, started, "a run")
			require.Equal(t, 1, pool.Busy())
			near := make(chan int, 10)
			b.pool(t, 5, func(_ context.Context, _ events.Run, deliveries int) error {
				near <- deliveries
				return nil
			})
			attempts := 0
			for range 4 {
				attempts += receive(t, near, "a run that the first has no slot for")
			}
			require.LessOrEqual(t, attempts, 5, "one pull may have been on its way")
		})
	}
}
