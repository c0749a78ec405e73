package exporting_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/workers/exporting"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tellerFunc is a [exporting.Teller] of one function.
type tellerFunc func(fetch, work context.Context) (exporting.Told, error)

func (f tellerFunc) Tell(fetch, work context.Context) (exporting.Told, error) { return f(fetch, work) }

// rounds is an observer that remembers.
type rounds struct {
	mu     sync.Mutex
	told   []exporting.Told
	faults []error
	at     []time.Time
	leads  bool
}

func (r *rounds) Leads(_ string, yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leads = yes
}

func (r *rounds) Told(_ string, told exporting.Told, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told, r.faults, r.at = append(r.told, told), append(r.faults, err), append(r.at, time.Now())
}

func (r *rounds) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told)
}

// one is a lease that one at a time has.
type one struct{ free chan struct{} }

func newOne() *one {
	made := &one{free: make(chan struct{}, 1)}
	made.free <- struct{}{}
	return made
}

func (l *one) Acquire(ctx context.Context, _ string) (exporting.Tenure, error) {
	select {
	case <-l.free:
		return &tenure{lease: l, lost: make(chan struct{})}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type tenure struct {
	lease *one
	lost  chan struct{}
}

func (t *tenure) Lost() <-chan struct{} { return t.lost }

func (t *tenure) Release(context.Context) error {
	t.lease.free <- struct{}{}
	return nil
}

// run starts an exporter and stops it at the end of the test.
func run(t *testing.T, config exporting.Config) *exporting.Exporter {
	t.Helper()
	made, err := exporting.New(config)
	require.NoError(t, err)
	require.NoError(t, made.Start(t.Context()))
	return made
}

func fine(context.Context, context.Context) (exporting.Told, error) {
	return exporting.Told{Items: 1}, nil
}

// A system that hangs, one that refuses and one that makes us panic delay no
// other, and the refusing one is asked less and less often, but is asked.
func TestOneFailingSystemDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		healthy, refusing, panicking := &rounds{}, &rounds{}, &rounds{}
		parts := []*exporting.Exporter{
			run(t, exporting.Config{Destination: "hanging", Teller: tellerFunc(func(_, work context.Context) (exporting.Told, error) {
				<-work.Done()
				return exporting.Told{}, work.Err()
			})}),
			run(t, exporting.Config{Destination: "refusing", Observer: refusing, Teller: tellerFunc(func(context.Context, context.Context) (exporting.Told, error) {
				return exporting.Told{Behind: 7}, errors.New("no")
			})}),
			run(t, exporting.Config{Destination: "panicking", Observer: panicking, Teller: tellerFunc(func(context.Context, context.Context) (exporting.Told, error) {
				panic("a fault of ours")
			})}),
			run(t, exporting.Config{Destination: "healthy", Observer: healthy, Teller: tellerFunc(fine)}),
		}
		lifecycle.Pause(t.Context(), time.Hour+time.Second)
		synctest.Wait()
		require.Equal(t, 61, healthy.count(), "once a minute, and at once")
		require.EqualValues(t, 1, healthy.told[60].Items)
		require.ErrorContains(t, panicking.faults[0], "a fault of ours")
		require.EqualValues(t, 7, refusing.told[0].Behind, "what a failed round knows is told")
		require.InDelta(t, 18, refusing.count(), 7, "5 s, 10 s, ... 5 min")
		n := len(refusing.at)
		require.Less(t, refusing.at[1].Sub(refusing.at[0]), 8*time.Second)
		require.Greater(t, refusing.at[n-1].Sub(refusing.at[n-2]), 2*time.Minute)
		for _, part := range parts {
			stopping, cancel := context.WithTimeout(t.Context(), time.Second)
			err := part.Stop(stopping)
			require.Equal(t, part.Name() == "export hanging", errors.Is(err, context.DeadlineExceeded), "%s: %v", part.Name(), err)
			cancel()
		}
	})
}

// Of two replicas one tells; when it stops, the other takes over at once, and
// when it has lost the lease it is called off before the other begins.
func TestReplicasTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease := newOne()
		var mu sync.Mutex
		telling, most := 0, 0
		teller := tellerFunc(func(fetch, _ context.Context) (exporting.Told, error) {
			mu.Lock()
			telling++
			most = max(most, telling)
			mu.Unlock()
			defer func() {
				mu.Lock()
				telling--
				mu.Unlock()
			}()
			lifecycle.Pause(fetch, 10*time.Second)
			return exporting.Told{}, context.Cause(fetch)
		})
		first, second := &rounds{}, &rounds{}
		a := run(t, exporting.Config{Destination: "one", Teller: teller, Lease: lease, Observer: first})
		synctest.Wait()
		b := run(t, exporting.Config{Destination: "one", Teller: teller, Lease: lease, Observer: second})
		lifecycle.Pause(t.Context(), 5*time.Minute)
		require.Positive(t, first.count())
		require.Zero(t, second.count(), "it stands by")
		require.NoError(t, a.Stop(t.Context()))
		require.False(t, first.leads)
		lifecycle.Pause(t.Context(), 11*time.Second)
		require.Equal(t, 1, second.count(), "it has taken over")
		require.NoError(t, b.Stop(t.Context()))
		require.Equal(t, 1, most)
		require.NotContains(t, first.faults, outcome.ErrStopping, "a stop is no failure of the other side")
	})
}

// A lease that is lost calls off what is under way, and is contended for again.
func TestLostLeaseCallsOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lease := &losing{}
		causes := make(chan error, 10)
		part := run(t, exporting.Config{Destination: "one", Lease: lease, Teller: tellerFunc(func(_, work context.Context) (exporting.Told, error) {
			<-work.Done()
			causes <- context.Cause(work)
			return exporting.Told{}, context.Cause(work)
		})})
		for range 3 {
			synctest.Wait()
			lease.lose()
			require.ErrorIs(t, <-causes, outcome.ErrLeaseLost)
		}
		stopping, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, part.Stop(stopping), context.DeadlineExceeded, "the last round went on until the hard stop")
		require.ErrorIs(t, <-causes, outcome.ErrStopping)
	})
}

// losing is a lease that is lost when the test says so, and had again at once.
type losing struct {
	mu  sync.Mutex
	now chan struct{}
}

func (l *losing) Acquire(context.Context, string) (exporting.Tenure, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = make(chan struct{})
	return lostTenure{l.now}, nil
}

func (l *losing) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.now)
}

type lostTenure struct{ lost chan struct{} }

func (t lostTenure) Lost() <-chan struct{}       { return t.lost }
func (lostTenure) Release(context.Context) error { return errors.New("it was lost") }

// A soft stop lets the batch that is under way end.
func TestSoftStopLetsABatchEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := false
		part := run(t, exporting.Config{Destination: "one", Teller: tellerFunc(func(_, work context.Context) (exporting.Told, error) {
			ended = lifecycle.Pause(work, 3*time.Second)
			return exporting.Told{}, nil
		})})
		synctest.Wait()
		require.NoError(t, part.Stop(t.Context()))
		require.True(t, ended)
	})
}

// What the settings do not name is warned of when it changes, not every minute.
func TestUnlistedIsWarnedOfOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		round := 0
		part := run(t, exporting.Config{
			Destination: "one", Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Teller: tellerFunc(func(context.Context, context.Context) (exporting.Told, error) {
				round++
				return exporting.Told{Unlisted: []string{"tenant_a", "tenant_b"}[:min(1+round/20, 2)]}, nil
			}),
		})
		lifecycle.Pause(t.Context(), 30*time.Minute+time.Second)
		require.NoError(t, part.Stop(t.Context()))
		require.Equal(t, 31, round)
		require.Equal(t, 2, strings.Count(log.String(), "do not name"), log.String())
	})
}

// It is a well-behaved part.
func TestLifecycle(t *testing.T) { //nolint:paralleltest // it looks for goroutines that are left
	lifecycletest.Stress(t, func() lifecycle.Part {
		made, err := exporting.New(exporting.Config{Destination: "one", Teller: tellerFunc(fine), Lease: newOne()})
		require.NoError(t, err)
		return made
	})
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := exporting.New(exporting.Config{Every: -1, Retry: -1, Longest: -1, Timeout: -1})
	for _, fault := range []string{"Destination", "Teller", "Every", "Retry", "Longest", "Timeout"} {
		require.ErrorContains(t, err, fault)
	}
}
