// Package lifecycletest holds every part to the contract of
// [lifecycle.Part].
//
// It promises that a part which passes [Stress] may be started and stopped any
// number of times, from any goroutine, in any order, and leaves no goroutine
// behind. It does not look at what the part does between.
package lifecycletest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/internal/lifecycle"
)

// Patience is how long a part may take for any one step.
const Patience = 20 * time.Second

// rivals call the same method at one time.
const rivals = 8

var errStress = errors.New("ended by the stress test")

// Stress runs the contract against parts of newPart, each of which must be
// idle, able to start, and have no more than short work. The test that calls it
// must not be parallel: it looks for goroutines that are left behind. ignore
// names those of others which may come and go meanwhile, as of a server that
// the tests share.
func Stress(t *testing.T, newPart func() lifecycle.Part, ignore ...goleak.Option) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, lifecycle.Part){
		"an ordinary life":                  ordinaryLife,
		"started twice":                     startedTwice,
		"started by rivals":                 startedByRivals,
		"stopped by rivals":                 stoppedByRivals,
		"stopped before it was started":     stoppedFirst,
		"started and stopped by rivals":     startedAndStopped,
		"stopped with a context at its end": stoppedHard,
		"started with a context at its end": startedTooLate,
		"the context of start ends":         contextEnds,
	} {
		t.Run(name, func(t *testing.T) {
			options := append([]goleak.Option{goleak.IgnoreCurrent()}, ignore...)
			part := newPart()
			require.NotEmpty(t, part.Name())
			require.NoError(t, part.Err(), "an idle part has no error")
			check(t, part)
			requireDone(t, part)
			require.NoError(t, part.Err(), "an ordinary stop is no error")
			require.NoError(t, stop(t, part), "stopping what has stopped")
			require.ErrorIs(t, start(t, part), lifecycle.ErrStopped, "starting what has stopped")
			goleak.VerifyNone(t, options...)
		})
	}
}

func ordinaryLife(t *testing.T, part lifecycle.Part) {
	t.Helper()
	require.NoError(t, start(t, part))
	requireRunning(t, part)
	require.NoError(t, part.Err(), "a running part has no error")
	require.NoError(t, stop(t, part))
}

func startedTwice(t *testing.T, part lifecycle.Part) {
	t.Helper()
	require.NoError(t, start(t, part))
	require.NoError(t, start(t, part))
	requireRunning(t, part)
	require.NoError(t, stop(t, part))
}

func startedByRivals(t *testing.T, part lifecycle.Part) {
	t.Helper()
	for _, err := range together(t, func(int) error { return start(t, part) }) {
		require.NoError(t, err)
	}
	requireRunning(t, part)
	require.NoError(t, stop(t, part))
}

func stoppedByRivals(t *testing.T, part lifecycle.Part) {
	t.Helper()
	require.NoError(t, start(t, part))
	for _, err := range together(t, func(int) error { return stop(t, part) }) {
		require.NoError(t, err)
	}
}

func stoppedFirst(t *testing.T, part lifecycle.Part) {
	t.Helper()
	require.NoError(t, stop(t, part))
}

func startedAndStopped(t *testing.T, part lifecycle.Part) {
	t.Helper()
	errs := together(t, func(i int) error {
		if i%2 == 0 {
			return start(t, part)
		}
		return stop(t, part)
	})
	for i, err := range errs {
		if i%2 == 0 && err != nil {
			require.ErrorIs(t, err, lifecycle.ErrStopped)
			continue
		}
		require.NoError(t, err)
	}
}

func stoppedHard(t *testing.T, part lifecycle.Part) {
	t.Helper()
	require.NoError(t, start(t, part))
	err := within(t, "a hard stop", func() error { return part.Stop(ended(t)) })
	if err != nil {
		require.ErrorIs(t, err, errStress, "a stop's error is that its context ended")
	}
}

func startedTooLate(t *testing.T, part lifecycle.Part) {
	t.Helper()
	err := within(t, "a start that is too late", func() error { return part.Start(ended(t)) })
	require.ErrorIs(t, err, errStress)
	require.NoError(t, stop(t, part))
}

func contextEnds(t *testing.T, part lifecycle.Part) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	require.NoError(t, within(t, "starting", func() error { return part.Start(ctx) }))
	requireRunning(t, part)
	cancel(errStress)
	select {
	case <-part.Done():
	case <-time.After(Patience):
		require.FailNow(t, "the part goes on though the context of its start has ended")
	}
}

func start(t *testing.T, part lifecycle.Part) error {
	t.Helper()
	return within(t, "starting", func() error { return part.Start(t.Context()) })
}

func stop(t *testing.T, part lifecycle.Part) error {
	t.Helper()
	return within(t, "stopping", func() error { return part.Stop(t.Context()) })
}

func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStress)
	return ctx
}

// errHung stands in for the error of a call that does not return: rivals are
// no test goroutines, and may not end the test themselves.
var errHung = errors.New("the part hangs")

func within(t *testing.T, what string, call func() error) error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- call() }()
	select {
	case err := <-result:
		return err
	case <-time.After(Patience):
		t.Errorf("%s takes longer than %s", what, Patience)
		return errHung
	}
}

func together(t *testing.T, call func(i int) error) []error {
	t.Helper()
	var group sync.WaitGroup
	errs := make([]error, rivals)
	gate := make(chan struct{})
	for i := range rivals {
		group.Go(func() {
			<-gate
			errs[i] = call(i)
		})
	}
	close(gate)
	group.Wait()
	return errs
}

func requireRunning(t *testing.T, part lifecycle.Part) {
	t.Helper()
	select {
	case <-part.Done():
		require.FailNow(t, "the part has ended of itself", "error: %v", part.Err())
	default:
	}
}

func requireDone(t *testing.T, part lifecycle.Part) {
	t.Helper()
	select {
	case <-part.Done():
	default:
		require.FailNow(t, "Stop has returned though the part has not stopped")
	}
}
