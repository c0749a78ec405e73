package lifecycle_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
)

// diary is what parts did, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) require(t *testing.T, want ...string) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Empty(t, cmp.Diff(want, d.lines))
}

// part writes its start and its end into the diary, and the loop's own end
// between.
func (d *diary) part(name string, loop lifecycle.RunFunc) lifecycle.Part {
	return lifecycle.NewRunner(name, func(fetch, work context.Context, ready func()) error {
		d.write(name + " starts")
		defer d.write(name + " ends")
		return loop(fetch, work, ready)
	})
}

func failing(fail <-chan struct{}) lifecycle.RunFunc {
	return func(_, _ context.Context, ready func()) error {
		ready()
		<-fail
		return errBoom
	}
}

// Not parallel: it looks for goroutines left behind.
func TestGroupKeepsTheContract(t *testing.T) {
	lifecycletest.Stress(t, func() lifecycle.Part {
		inner := lifecycle.NewGroup("inner", lifecycle.NewRunner("c", polite), lifecycle.NewRunner("d", polite))
		return lifecycle.NewGroup("outer", lifecycle.NewRunner("a", polite), lifecycle.NewGroup("none"), lifecycle.NewGroup("b", inner))
	})
}

func TestGroupStartsInOrderAndStopsInReverse(t *testing.T) {
	t.Parallel()
	var diary diary
	group := lifecycle.NewGroup("street", diary.part("a", polite), diary.part("b", polite), diary.part("c", polite))
	require.NoError(t, group.Start(t.Context()))
	diary.require(t, "a starts", "b starts", "c starts")
	require.NoError(t, group.Stop(t.Context()))
	require.NoError(t, group.Err())
	diary.require(t, "a starts", "b starts", "c starts", "c ends", "b ends", "a ends")
}

func TestGroupHardStopKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*lifecycle.Group, context.CancelFunc) error{
		"the context of start ends": func(_ *lifecycle.Group, cancel context.CancelFunc) error {
			cancel()
			return nil
		},
		"the context of stop has ended": func(group *lifecycle.Group, _ context.CancelFunc) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			return group.Stop(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var diary diary
			group := lifecycle.NewGroup("street", diary.part("a", stubborn), diary.part("b", stubborn))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			require.NoError(t, group.Start(ctx))
			if err := end(group, cancel); err != nil {
				require.ErrorIs(t, err, context.Canceled)
			}
			<-group.Done()
			require.NoError(t, group.Err())
			diary.require(t, "a starts", "b starts", "b ends", "a ends")
		})
	}
}

func TestGroupWhosePartCannotStart(t *testing.T) {
	t.Parallel()
	var diary diary
	broken := diary.part("b", func(_, _ context.Context, _ func()) error { return errBoom })
	group := lifecycle.NewGroup("street", diary.part("a", polite), broken, diary.part("c", polite))
	require.EqualError(t, group.Start(t.Context()), `starting part "b": boom`)
	require.ErrorIs(t, group.Err(), errBoom)
	diary.require(t, "a starts", "b starts", "b ends", "a ends")
}

func TestGroupFailsFastAndNamesThePart(t *testing.T) {
	t.Parallel()
	var diary diary
	fail := make(chan struct{})
	inner := lifecycle.NewGroup("inner", diary.part("b", failing(fail)))
	group := lifecycle.NewGroup("street", diary.part("a", polite), inner, diary.part("c", polite))
	require.NoError(t, group.Start(t.Context()))
	close(fail)
	<-group.Done()
	require.ErrorIs(t, group.Err(), errBoom)
	require.EqualError(t, group.Err(), `part "inner": part "b": boom`)
	diary.require(t, "a starts", "b starts", "c starts", "b ends", "c ends", "a ends")
}

func TestGroupPartFailsWhileAnotherStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fail := make(chan struct{})
		never := lifecycle.NewRunner("b", func(_, work context.Context, _ func()) error {
			<-work.Done()
			return context.Cause(work)
		})
		group := lifecycle.NewGroup("street", lifecycle.NewRunner("a", failing(fail)), never)
		started := make(chan error, 1)
		go func() { started <- group.Start(t.Context()) }()
		synctest.Wait()
		close(fail)
		require.EqualError(t, <-started, `part "a": boom`)
	})
}

func TestGroupStoppedWhileAPartStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := lifecycle.NewRunner("never", func(_, work context.Context, _ func()) error {
			<-work.Done()
			return context.Cause(work)
		})
		group := lifecycle.NewGroup("street", lifecycle.NewRunner("a", polite), never)
		started := make(chan error, 1)
		go func() { started <- group.Start(t.Context()) }()
		synctest.Wait()
		require.NoError(t, group.Stop(t.Context()))
		require.ErrorIs(t, <-started, lifecycle.ErrStopped)
		require.NoError(t, group.Err())
	})
}

func TestGroupGivesGraceToTheOthersOfAFailedPart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fail := make(chan struct{})
		begun := time.Now()
		group := lifecycle.NewGroup("street", lifecycle.NewRunner("a", stubborn), lifecycle.NewRunner("b", failing(fail)))
		require.NoError(t, group.Start(t.Context()))
		close(fail)
		<-group.Done()
		require.Equal(t, lifecycle.FailureGrace, time.Since(begun))
		require.EqualError(t, group.Err(), `part "b": boom`)
	})
}

func TestGroupGoesOnWhenAPartIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		once := lifecycle.NewRunner("once", func(_, _ context.Context, ready func()) error {
			ready()
			<-time.After(time.Second)
			return nil
		})
		group := lifecycle.NewGroup("street", once, lifecycle.NewRunner("a", polite))
		require.NoError(t, group.Start(t.Context()))
		<-once.Done()
		synctest.Wait()
		select {
		case <-group.Done():
			require.FailNow(t, "the group has ended though no part failed")
		default:
		}
		require.NoError(t, group.Stop(t.Context()))
	})
}

func TestGroupJoinsWhatPartsFailedWithOnTheWayDown(t *testing.T) {
	t.Parallel()
	errFlush := errors.New("disk full")
	flusher := lifecycle.NewRunner("a", func(fetch, _ context.Context, ready func()) error {
		ready()
		<-fetch.Done()
		return errFlush
	})
	fail := make(chan struct{})
	group := lifecycle.NewGroup("street", flusher, lifecycle.NewRunner("b", failing(fail)))
	require.NoError(t, group.Start(t.Context()))
	close(fail)
	<-group.Done()
	require.ErrorIs(t, group.Err(), errFlush)
	require.ErrorIs(t, group.Err(), errBoom)
}
