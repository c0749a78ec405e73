package bus_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/testenv"
)

func TestProvisionIsIdempotentAndReportsEachDrift(t *testing.T) {
	t.Parallel()
	b := setup(t)
	drifts, err := b.bus.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	require.Empty(t, drifts)

	drifts, err = b.bus.Provision(t.Context(), bus.Topology{
		Backlog: 20_000, UsageAge: time.Hour, RunLease: 5 * time.Second,
	})
	require.NoError(t, err)
	want := []bus.Drift{
		{Stream: "REQUESTS", Field: "max_msgs_per_subject", Have: "10000", Want: "20000"},
		{Stream: "USAGE", Field: "max_age", Have: "9600h0m0s", Want: "1h0m0s"},
		{Stream: "RUNS/workers", Field: "ack_wait", Have: "10s", Want: "5s"},
	}
	require.Empty(t, cmp.Diff(want, drifts))
	require.EqualValues(t, 10_000, b.info(t, events.StreamRequests).Config.MaxMsgsPerSubject, "nothing is changed in silence")
}

func TestProvisionAppliesOnlyWhatLosesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	topology := bus.Topology{Backlog: 20_000, UsageAge: time.Hour, SessionsAge: 90 * 24 * time.Hour, RunLease: 5 * time.Second, Apply: true}
	drifts, err := b.bus.Provision(t.Context(), topology)
	require.NoError(t, err)
	require.Len(t, drifts, 4)
	for _, drift := range drifts {
		require.Equal(t, drift.Stream != "USAGE", drift.Applied, drift.String())
	}
	drifts, err = b.bus.Provision(t.Context(), topology)
	require.NoError(t, err)
	require.Len(t, drifts, 1, "the narrower age would drop messages")
	require.EqualValues(t, 20_000, b.info(t, events.StreamRequests).Config.MaxMsgsPerSubject)
	require.Equal(t, 400*24*time.Hour, b.info(t, events.StreamUsage).Config.MaxAge)
}

func TestProvisionReportsAForeignStream(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	_, err := server.JetStream(t).CreateStream(t.Context(), jetstream.StreamConfig{Name: events.StreamRuns, Subjects: []string{events.SubjectAllRuns}})
	require.NoError(t, err)
	drifts, err := connect(t, server, &logBook{}).Provision(t.Context(), bus.Topology{Apply: true})
	require.NoError(t, err)
	byField := func(a, b bus.Drift) bool { return a.Field < b.Field }
	want := []bus.Drift{
		{Stream: "RUNS", Field: "discard", Have: "DiscardOld", Want: "DiscardNew"},
		{Stream: "RUNS", Field: "discard_new_per_subject", Have: "false", Want: "true"},
		{Stream: "RUNS", Field: "duplicate_window", Have: "2m0s", Want: "100ms", Applied: true},
		{Stream: "RUNS", Field: "max_msgs_per_subject", Have: "unlimited", Want: "1"},
		{Stream: "RUNS", Field: "retention", Have: "Limits", Want: "WorkQueue"},
		{Stream: "RUNS", Field: "allow_direct", Have: "false", Want: "true", Applied: true},
	}
	require.Empty(t, cmp.Diff(want, drifts, cmpopts.SortSlices(byField)))
}

// A consumer of an earlier version goes, once; no message goes with it, and no
// other consumer.
func TestProvisionDeletesWhatIsObsolete(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stream, err := b.js.Stream(t.Context(), events.StreamSessions)
	require.NoError(t, err)
	_, err = b.js.Publish(t.Context(), events.SessionSubject("tenant_acme", "ses_1"), []byte("{}"))
	require.NoError(t, err)
	for _, name := range []string{"triggers", "somebodys"} {
		_, err = stream.CreateConsumer(t.Context(), jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy})
		require.NoError(t, err)
	}
	drifts, err := b.bus.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	require.Equal(t, []bus.Drift{{Stream: "SESSIONS/triggers", Field: "consumer", Have: "there", Want: "none", Applied: true}}, drifts)
	_, err = stream.Consumer(t.Context(), "triggers")
	require.ErrorIs(t, err, jetstream.ErrConsumerNotFound)
	_, err = stream.Consumer(t.Context(), "somebodys")
	require.NoError(t, err)
	require.EqualValues(t, 1, b.info(t, events.StreamSessions).State.Msgs)
	drifts, err = b.bus.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	require.Empty(t, drifts)
}

func TestProvisionByRivals(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	var group errgroup.Group
	for range 4 {
		b := connect(t, server, &logBook{})
		group.Go(func() error {
			_, err := b.Provision(t.Context(), bus.Topology{})
			return err
		})
	}
	require.NoError(t, group.Wait())
}

func TestProvisionRefusesNonsense(t *testing.T) {
	t.Parallel()
	_, err := connect(t, testenv.NATS(t), &logBook{}).Provision(t.Context(), bus.Topology{Replicas: 6, Backlog: -1, DeadAge: -1})
	require.ErrorIs(t, err, bus.ErrInvalidConfig)
	for _, field := range []string{"replicas", "backlog", "age"} {
		require.ErrorContains(t, err, field)
	}
}
