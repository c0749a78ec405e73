package scheduling_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/scheduling"
)

// Three tenants with several sessions each, two workers and a restart of the
// leader on the way: every request is served once, in its session's order,
// within cap and slots.
func TestRequestsAreServedOnceInOrderWithinCaps(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := 0
	for n, limit := range []int{1, 3, 100} {
		id := tenant.ID("tenant_" + strconv.Itoa(n))
		b.tenant(id, limit, n+1)
		b.floor.caps[id] = limit
		for i := range 60 {
			kind := events.KindTurn
			if i%5 == 4 {
				kind = events.KindCall
			}
			b.publish(t, events.RequestParams{Tenant: id, Session: events.SessionID("s" + strconv.Itoa(i%7)), Kind: kind})
			want++
		}
	}
	first := b.scheduler(t, "first")
	b.scheduler(t, "second")
	b.pool(t, "w1", 3)
	b.pool(t, "w2", 4)
	require.Eventually(t, func() bool { return b.floor.count() >= want/4 }, patience, pace)
	stop(t, first)
	b.requireServed(t, want)
	require.LessOrEqual(t, b.floor.peak, 7, "more runs than slots")
	require.Eventually(t, func() bool {
		runs, _, err := b.bus.Runs().Outstanding(t.Context())
		return err == nil && len(runs) == 0
	}, patience, pace, "nothing may be left in RUNS")
}

// deaf hears no endings: every hint is lost.
type deaf struct{ scheduling.Hints }

func (deaf) WatchRunEnded(context.Context, func(events.RunEnded)) error { return nil }

func TestLostHintsAreMadeUpForByReconciliation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.hints = deaf{b.bus.Hints()}
	b.tenant("tenant_acme", 1, 1)
	for range 5 {
		b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "s"})
	}
	b.scheduler(t, "only")
	b.pool(t, "w1", 2)
	b.requireServed(t, 5)
}

// A run that is given back is granted again, also when nobody tells of it, and
// before later requests of its session.
func TestReleasedRunIsGrantedAgain(t *testing.T) {
	t.Parallel()
	for name, hints := range map[string]func(scheduling.Hints) scheduling.Hints{
		"told":   func(h scheduling.Hints) scheduling.Hints { return h },
		"untold": func(h scheduling.Hints) scheduling.Hints { return deaf{h} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.hints = hints(b.bus.Hints())
			b.tenant("tenant_acme", 2, 1)
			first := b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "s"})
			b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "s"})
			released := make(chan struct{})
			b.handling = func(_ context.Context, run events.Run) error {
				select {
				case <-released:
				default:
					if run.Sequence == first {
						close(released)
						return outcome.Release(outcome.ErrStopping)
					}
				}
				return nil
			}
			b.scheduler(t, "only")
			b.pool(t, "w1", 2)
			b.requireServed(t, 2)
			<-released
		})
	}
}

// A new leader finds runs that another granted, and counts them: their tenants
// get no more than their cap, their sessions no second turn.
func TestNewLeaderCountsWhatIsRunning(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenant("tenant_acme", 2, 1)
	b.floor.caps["tenant_acme"] = 2
	var sequences []uint64
	for _, session := range []events.SessionID{"a", "a", "b", "c", "c"} {
		sequences = append(sequences, b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: session}))
	}
	granted := make(chan error, 1)
	err := b.bus.Runs().Grant(events.Run{Tenant: "tenant_acme", Session: "a", Kind: events.KindTurn, Sequence: sequences[0], Granted: time.Now()}, 0,
		func(_ uint64, err error) { granted <- err })
	require.NoError(t, err)
	require.NoError(t, <-granted)
	hold := make(chan struct{})
	b.handling = func(ctx context.Context, _ events.Run) error {
		select {
		case <-hold:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	b.scheduler(t, "new")
	b.pool(t, "w1", 10)
	places := func() map[events.Place]struct{} {
		found, err := b.bus.Runs().Places(t.Context())
		require.NoError(t, err)
		return found
	}
	require.Eventually(t, func() bool { return len(places()) == 2 }, patience, pace)
	require.Contains(t, places(), events.Place{Tenant: "tenant_acme", Key: events.TurnKey("a")})
	close(hold)
	b.requireServed(t, len(sequences))
}

// A grant of somebody else makes the leader's next ones stale: it reads RUNS
// anew, counts the stranger, and goes on.
func TestLeaderRecoversFromAStrangersGrant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenant("tenant_acme", 4, 1)
	b.scheduler(t, "leader")
	b.pool(t, "w1", 4)
	b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "warm"})
	b.requireServed(t, 1)
	stranger := b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "later", NotBefore: time.Now().Add(time.Hour)})
	_, last, err := b.bus.Runs().Outstanding(t.Context())
	require.NoError(t, err)
	granted := make(chan error, 1)
	require.NoError(t, b.bus.Runs().Grant(events.Run{Tenant: "tenant_acme", Session: "later", Kind: events.KindTurn, Sequence: stranger, Granted: time.Now()}, last,
		func(_ uint64, err error) { granted <- err }))
	require.NoError(t, <-granted)
	for n := range 20 {
		b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: events.SessionID("s" + strconv.Itoa(n))})
	}
	b.requireServed(t, 22)
}

// listener hears a logger's messages, the signals that a scheduler gives.
type listener struct {
	slog.Handler
	heard chan string
}

func (l listener) Handle(_ context.Context, record slog.Record) error {
	select {
	case l.heard <- record.Message:
	default:
	}
	return nil
}

func (l listener) Enabled(context.Context, slog.Level) bool { return true }

func TestWithoutSlotsNothingIsGranted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	heard := make(chan string, 16)
	b.logger = slog.New(listener{Handler: slog.DiscardHandler, heard: heard})
	b.tenant("tenant_acme", 4, 1)
	b.publish(t, events.RequestParams{Tenant: "tenant_acme"})
	b.scheduler(t, "leader")
	for message := range heard {
		if message == "index is built" {
			break
		}
	}
	places, err := b.bus.Runs().Places(t.Context())
	require.NoError(t, err)
	require.Empty(t, places, "there is nobody to run it")
	b.pool(t, "w1", 1)
	b.requireServed(t, 1)
}

func TestNotBeforeIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenant("tenant_acme", 4, 1)
	at := time.Now().Add(5 * time.Second).Truncate(time.Second)
	started := make(chan time.Time, 2)
	b.handling = func(context.Context, events.Run) error {
		started <- time.Now()
		return nil
	}
	b.scheduler(t, "leader")
	b.pool(t, "w1", 4)
	b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "later", NotBefore: at})
	b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "now"})
	require.True(t, (<-started).Before(at), "what may start at once does not wait")
	require.False(t, (<-started).Before(at))
	b.requireServed(t, 2)
}

// What nobody is registered for is granted too, one by one, so that a worker
// refuses it aloud.
func TestUnknownTenantsReachAWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.floor.caps["tenant_ghost"], b.floor.caps[events.IllegalTenant] = 1, 1
	for range 5 {
		b.publish(t, events.RequestParams{Tenant: "tenant_ghost"})
	}
	_, err := b.bus.Requests().Publish(t.Context(), events.Message{Subject: events.RequestsSubject("te$nant"), Data: []byte(`{}`)})
	require.NoError(t, err)
	b.scheduler(t, "leader")
	b.pool(t, "w1", 4)
	b.requireServed(t, 6)
}

func TestFailedRunComesAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenant("tenant_acme", 4, 1)
	tries := make(chan struct{}, 8)
	b.handling = func(context.Context, events.Run) error {
		tries <- struct{}{}
		if len(tries) < 3 {
			return errors.New("not yet")
		}
		return nil
	}
	b.publish(t, events.RequestParams{Tenant: "tenant_acme"})
	b.scheduler(t, "leader")
	b.pool(t, "w1", 4)
	b.requireServed(t, 1)
	require.Len(t, tries, 3)
}

func TestConfigNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := scheduling.New(scheduling.Config{})
	for _, field := range []string{"id", "lease", "requests", "runs", "hints", "tenants", "endings", "logger"} {
		require.ErrorContains(t, err, field+" is missing")
	}
}
