package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/outcome"
)

var errBoom = errors.New("boom")

// polite serves until it may take in nothing new.
func polite(fetch, _ context.Context, ready func()) error {
	ready()
	<-fetch.Done()
	return nil
}

// stubborn goes on until its work is cancelled.
func stubborn(_, work context.Context, ready func()) error {
	ready()
	<-work.Done()
	return fmt.Errorf("working: %w", context.Cause(work))
}

// Not parallel: it looks for goroutines left behind.
func TestRunnerKeepsTheContract(t *testing.T) {
	lifecycletest.Stress(t, func() lifecycle.Part { return lifecycle.NewRunner("polite", polite) })
}

func TestRunnerServesBeforeStartReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		runner := lifecycle.NewRunner("slow", func(fetch, work context.Context, ready func()) error {
			<-time.After(time.Minute)
			return polite(fetch, work, ready)
		})
		require.NoError(t, runner.Start(t.Context()))
		require.Equal(t, time.Minute, time.Since(begun))
		require.NoError(t, runner.Stop(t.Context()))
	})
}

func TestRunnerStopsInTwoSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var fetchEnded, workEnded time.Duration
		var fetchCause, workCause error
		begun := time.Now()
		runner := lifecycle.NewRunner("worker", func(fetch, work context.Context, ready func()) error {
			ready()
			<-fetch.Done()
			fetchEnded, fetchCause = time.Since(begun), context.Cause(fetch)
			<-work.Done()
			workEnded, workCause = time.Since(begun), context.Cause(work)
			return workCause
		})
		require.NoError(t, runner.Start(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		require.ErrorIs(t, runner.Stop(ctx), context.DeadlineExceeded)
		require.Zero(t, fetchEnded)
		require.Equal(t, 20*time.Second, workEnded)
		require.Equal(t, outcome.ErrStopping, fetchCause)
		require.Equal(t, outcome.ErrStopping, workCause)
		require.NoError(t, runner.Err())
	})
}

func TestRunnerSoftStopLeavesWorkAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var atEnd error
		runner := lifecycle.NewRunner("worker", func(fetch, work context.Context, ready func()) error {
			ready()
			<-fetch.Done()
			<-time.After(time.Second)
			atEnd = work.Err()
			return fetch.Err()
		})
		require.NoError(t, runner.Start(t.Context()))
		require.NoError(t, runner.Stop(t.Context()))
		require.NoError(t, atEnd)
		require.NoError(t, runner.Err(), "returning the end of fetch is an ordinary stop")
	})
}

func TestRunnerContextEndIsAHardStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		runner := lifecycle.NewRunner("stubborn", stubborn)
		require.NoError(t, runner.Start(ctx))
		cancel()
		<-runner.Done()
		require.NoError(t, runner.Err())
	})
}

func TestRunnerKeepsTheValuesOfItsContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	seen := make(chan any, 1)
	runner := lifecycle.NewRunner("reader", func(fetch, work context.Context, ready func()) error {
		seen <- fetch.Value(key{})
		return polite(fetch, work, ready)
	})
	require.NoError(t, runner.Start(context.WithValue(t.Context(), key{}, "street")))
	require.Equal(t, "street", <-seen)
	require.NoError(t, runner.Stop(t.Context()))
}

func TestRunnerThatCannotStart(t *testing.T) {
	t.Parallel()
	runner := lifecycle.NewRunner("broken", func(_, _ context.Context, _ func()) error { return errBoom })
	require.Equal(t, errBoom, runner.Start(t.Context()))
	<-runner.Done()
	require.Equal(t, errBoom, runner.Err())
	again := runner.Start(t.Context())
	require.ErrorIs(t, again, lifecycle.ErrStopped)
	require.ErrorIs(t, again, errBoom)
}

func TestRunnerThatEndsBeforeItServes(t *testing.T) {
	t.Parallel()
	runner := lifecycle.NewRunner("brief", func(_, _ context.Context, _ func()) error { return nil })
	require.Equal(t, lifecycle.ErrStopped, runner.Start(t.Context()))
	require.NoError(t, runner.Err())
}

func TestRunnerThatFailsWhileServing(t *testing.T) {
	t.Parallel()
	fail := make(chan struct{})
	runner := lifecycle.NewRunner("failing", func(_, _ context.Context, ready func()) error {
		ready()
		<-fail
		return errBoom
	})
	require.NoError(t, runner.Start(t.Context()))
	close(fail)
	<-runner.Done()
	require.Equal(t, errBoom, runner.Err())
	require.NoError(t, runner.Stop(t.Context()))
}

func TestRunnerStopErrorsOnlyCountAfterAStop(t *testing.T) {
	t.Parallel()
	runner := lifecycle.NewRunner("confused", func(_, _ context.Context, _ func()) error {
		return fmt.Errorf("reading: %w", context.Canceled)
	})
	require.ErrorIs(t, runner.Start(t.Context()), context.Canceled)
	require.ErrorIs(t, runner.Err(), context.Canceled)
}

func TestRunnerFailureDuringAStopIsKept(t *testing.T) {
	t.Parallel()
	runner := lifecycle.NewRunner("flusher", func(fetch, _ context.Context, ready func()) error {
		ready()
		<-fetch.Done()
		return errBoom
	})
	require.NoError(t, runner.Start(t.Context()))
	require.NoError(t, runner.Stop(t.Context()))
	require.Equal(t, errBoom, runner.Err())
}

func TestRunnerStoppedWhileItStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runner := lifecycle.NewRunner("slow", func(fetch, _ context.Context, _ func()) error {
			<-fetch.Done()
			return nil
		})
		started := make(chan error, 1)
		go func() { started <- runner.Start(t.Context()) }()
		synctest.Wait()
		require.NoError(t, runner.Stop(t.Context()))
		require.Equal(t, lifecycle.ErrStopped, <-started)
	})
}

func TestRunnerStartGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		runner := lifecycle.NewRunner("deaf", func(_, _ context.Context, _ func()) error {
			<-release
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, runner.Start(ctx), context.DeadlineExceeded)
		close(release)
		require.NoError(t, runner.Stop(t.Context()))
	})
}

func TestRunnerPanicIsItsError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		run  lifecycle.RunFunc
		want string
	}{
		"a text":   {func(_, _ context.Context, ready func()) error { ready(); panic("stall on fire") }, "panic: stall on fire"},
		"an error": {func(_, _ context.Context, ready func()) error { ready(); panic(errBoom) }, "panic: boom"},
		"no panic": {func(_, _ context.Context, ready func()) error { ready(); runtime.Goexit(); return nil }, "panic: the loop ended its goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runner := lifecycle.NewRunner("panicking", test.run)
			_ = runner.Start(t.Context()) // may see the part before or after its end
			<-runner.Done()
			require.ErrorIs(t, runner.Err(), lifecycle.ErrPanic)
			require.EqualError(t, runner.Err(), test.want)
			var panicked *lifecycle.PanicError
			require.ErrorAs(t, runner.Err(), &panicked)
			if name == "an error" {
				require.ErrorIs(t, runner.Err(), errBoom)
				require.Contains(t, string(panicked.Stack), "runner_test.go")
			}
		})
	}
}
