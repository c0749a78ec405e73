package chaos_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/chaos"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

// worker starts a worker of that name.
func (m *market) worker(t *testing.T, id string, slots int) *testenv.Child {
	t.Helper()
	return m.role(t, "worker", "--worker-id", id, "--worker-slots", strconv.Itoa(slots), "--worker-soft-stop", "1s")
}

// facts hears the sessions' events as they are stored.
func (m *market) facts(t *testing.T) *said { t.Helper(); return m.listen(t, events.SubjectAllFeeds) }

// starts are those facts that say that a worker has begun a run.
func (s *said) starts(t *testing.T, worker string) []heard {
	t.Helper()
	var found []heard
	for _, one := range s.since(time.Time{}) {
		record, err := events.Decode(events.Message{Subject: one.msg.Subject, Header: events.Header(one.msg.Header), Data: one.msg.Data})
		require.NoError(t, err)
		if start, ok := record.Event.(*events.TurnStarted); ok && strings.HasPrefix(start.Worker, worker+"#") {
			found = append(found, one)
		}
	}
	return found
}

func (s *said) requireStarts(t *testing.T, worker string, n int) []heard {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.starts(t, worker)) >= n }, patience, pace, "%s starts %d runs", worker, n)
	return s.starts(t, worker)
}

// hang has the model hold what it is asked for ever, until it answers again.
func (m *market) hang(t *testing.T) {
	t.Helper()
	require.NoError(t, m.sandbox.Fault(fault.Fault{Server: sandbox.ModelServer, Kind: fault.KindHang, Times: fault.Always}))
}

// answer has the model answer what it is asked from now on.
func (m *market) answer() { m.sandbox.ClearFaults(sandbox.ModelServer) }

// attempts are the workers that started a request, in order.
func attempts(log []events.Record, id events.RequestID) []string {
	var workers []string
	for _, record := range log {
		if start, ok := record.Event.(*events.TurnStarted); ok && record.Request == id {
			name, _, _ := strings.Cut(start.Worker, "#")
			workers = append(workers, name)
		}
	}
	return workers
}

// Slots of a new worker are used as soon as it says that it has them, though
// all others are busy for good.
func TestNewSlotsAreUsedAtOnce(t *testing.T) {
	t.Parallel()
	m := setup(t, marketParams{tenants: []tenant.Tenant{{ID: "shop", Concurrency: 64}}})
	facts := m.facts(t)
	m.leader(t)
	busy := m.worker(t, "busy", 2)
	m.hang(t)
	var asked []chaos.Asked
	for n := range 10 {
		asked = append(asked, m.ask(t, "shop", n, "/say hello"))
	}
	facts.requireStarts(t, "busy", 2)
	launched := time.Now()
	fresh := m.worker(t, "new", 8)
	up := time.Now()
	starts := facts.requireStarts(t, "new", 8)
	t.Logf("the first run after %s, all 8 slots after %s; roles were up after %s",
		starts[0].at.Sub(launched), starts[7].at.Sub(launched), up.Sub(launched))
	require.Less(t, starts[7].at.Sub(up), handOverBound)
	require.Len(t, facts.starts(t, "busy"), 2)
	m.answer()
	m.worker(t, "last", 16)
	busy.Terminate(t) // they give back what hangs
	fresh.Terminate(t)
	m.requireServed(t, asked)
}

// Workers that are told to stop in the middle of a turn, one after the other,
// and more of them than a run may have deliveries: each gives the run back, the
// next goes on from the log, and no delivery is used up.
func TestStoppedWorkersCostNoAttempt(t *testing.T) {
	t.Parallel()
	const stops = events.MaxRunDeliveries + 1
	m := setup(t, marketParams{tenants: []tenant.Tenant{{ID: "shop", Concurrency: 4}}})
	grants, facts := m.listen(t, events.SubjectAllRuns), m.facts(t)
	m.leader(t)
	m.requireSpaced(t)
	var want []string
	// The first reply asks for a tool call; what comes after that hangs.
	current := m.worker(t, "worker-0", 4)
	asked := []chaos.Asked{m.ask(t, "shop", 0, "/wait 3s\n/call stripe__create_customer {\"email\": \"buyer@example.com\"}")}
	facts.requireStarts(t, "worker-0", 1)
	m.requireAsked(t) // the answer to come is on its way, and no other
	m.hang(t)
	require.Eventually(t, func() bool { return m.sandbox.Journal().Count(journal.Filter{}) == 1 }, patience, pace)
	for n := range stops {
		name := "worker-" + strconv.Itoa(n)
		want = append(want, name)
		facts.requireStarts(t, name, 1)
		next := m.worker(t, "worker-"+strconv.Itoa(n+1), 4)
		if n == stops-1 {
			m.answer()
		}
		current.Terminate(t)
		require.Zero(t, current.Wait(t))
		require.Contains(t, current.Output(), `"msg":"run is given back"`)
		current = next
	}
	findings := m.requireServed(t, asked)
	require.Equal(t, append(want, "worker-"+strconv.Itoa(stops)), attempts(m.log(t), "req-0"))
	require.Equal(t, stops, findings.Takeovers)
	require.Equal(t, 2, findings.Replies, "what the log had was not asked for again")
	requireOneEffectEach(t, m.sandbox.Journal().Entries(journal.Filter{}))
	// Each grant is a new message with deliveries of its own: that is why none
	// is used up.
	require.Len(t, grants.since(time.Time{}), stops+1)
	consumer, err := m.js.Consumer(t.Context(), events.StreamRuns, events.DurableWorkers)
	require.NoError(t, err)
	require.Equal(t, uint64(stops+1), consumer.CachedInfo().Delivered.Consumer, "one delivery for each grant")
}

// requireSpaced waits until the leader has moved RUNS on, so that what workers are
// handed after that are runs.
func (m *market) requireSpaced(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		stream, err := m.js.Stream(t.Context(), events.StreamRuns)
		require.NoError(t, err)
		state := stream.CachedInfo().State
		return state.LastSeq > 0 && state.Msgs == 0
	}, patience, pace)
}

// requireAsked waits until the model has been asked.
func (m *market) requireAsked(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return len(m.sandbox.Model().Conversations()) > 0 }, patience, pace)
}

// A worker that is told to stop ends what it can within its soft stop, and
// takes nothing new.
func TestStoppedWorkerEndsWhatItHas(t *testing.T) {
	t.Parallel()
	const slots, requests = 4, 12
	m := setup(t, marketParams{tenants: []tenant.Tenant{{ID: "shop", Concurrency: 64}}})
	facts := m.facts(t)
	m.leader(t)
	worker := m.role(t, "worker", "--worker-id", "leaving", "--worker-slots", strconv.Itoa(slots), "--worker-soft-stop", "60s")
	asked := m.backlog(t, "shop", requests, 500*time.Millisecond)
	facts.requireStarts(t, "leaving", slots)
	worker.Terminate(t)
	require.Zero(t, worker.Wait(t))
	taken := len(facts.starts(t, "leaving"))
	require.Less(t, taken, requests)

	m.worker(t, "next", 16)
	findings := m.requireServed(t, asked)
	require.Zero(t, findings.Takeovers, "the first worker has ended all that it began")
	require.Len(t, facts.starts(t, "next"), requests-taken)
}

// A worker killed with -9 costs one lease: the broker then hands its runs out
// again, and the next worker goes on from the log.
func TestKilledWorkerCostsOneLease(t *testing.T) {
	t.Parallel()
	const slots = 4
	m := setup(t, marketParams{tenants: []tenant.Tenant{{ID: "shop", Concurrency: slots}}})
	facts := m.facts(t)
	m.leader(t)
	m.requireSpaced(t)
	doomed := m.worker(t, "doomed", slots)
	m.hang(t)
	var asked []chaos.Asked
	for n := range 3 * slots {
		asked = append(asked, m.ask(t, "shop", n, "/say hello"))
	}
	facts.requireStarts(t, "doomed", slots)
	m.worker(t, "heir", 2*slots)
	doomed.Kill(t)
	killed := time.Now()
	m.answer()
	starts := facts.requireStarts(t, "heir", slots)
	t.Logf("the heir goes on %s to %s after kill -9", starts[0].at.Sub(killed), starts[slots-1].at.Sub(killed))
	// Not before the lease is over, by the broker's clock, and not a second
	// lease later.
	require.Greater(t, starts[0].at.Sub(killed), events.RunLease-events.RunLeaseRefresh-time.Second)
	findings := m.requireServed(t, asked)
	require.Equal(t, m.caps, findings.Peaks, "what the dead one held counts against the cap until it is taken over")
	require.Equal(t, slots, findings.Takeovers)
	consumer, err := m.js.Consumer(t.Context(), events.StreamRuns, events.DurableWorkers)
	require.NoError(t, err)
	require.Equal(t, uint64(len(asked)+slots), consumer.CachedInfo().Delivered.Consumer, "each run of the dead worker is delivered once more")
}

// Every worker is killed in the middle of a backlog, and one is started: it
// serves everything, and nobody has to help.
func TestOneWorkerServesWhatAllOthersDiedOver(t *testing.T) {
	t.Parallel()
	const requests = 240
	m := setup(t, marketParams{tenants: []tenant.Tenant{{ID: "shop", Concurrency: 12}}})
	m.leader(t)
	crew := []*testenv.Child{m.worker(t, "a", 4), m.worker(t, "b", 4), m.worker(t, "c", 4)}
	facts := m.facts(t)
	asked := m.backlog(t, "shop", requests, 100*time.Millisecond)
	for _, name := range []string{"a", "b", "c"} {
		facts.requireStarts(t, name, 6)
	}
	for _, worker := range crew {
		worker.Stop(t) // all at one moment: none goes on while the next is killed
	}
	for _, worker := range crew {
		worker.Kill(t)
	}
	stream, err := m.js.Stream(t.Context(), events.StreamRequests)
	require.NoError(t, err)
	waiting := stream.CachedInfo().State.Msgs
	require.NotZero(t, waiting, "there is a backlog")
	began := time.Now()
	m.worker(t, "last", 16)
	findings := m.requireServed(t, asked)
	require.NotZero(t, findings.Takeovers, "they were killed in the middle of turns")
	requireOneEffectEach(t, m.sandbox.Journal().Entries(journal.Filter{}))
	t.Logf("%d of %d requests were left, %d of them half done; all served %s after the start of the last worker",
		waiting, len(asked), findings.Takeovers, time.Since(began))
}
