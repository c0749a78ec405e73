package scheduling_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/scheduling"
	"github.com/feira-dev/feira/workers/turns"
)

// ending is how a request has ended by its session's log; nil while it has not.
func (b *testBundle) ending(t *testing.T, id tenant.ID, name events.SessionID) *events.TurnCompleted {
	t.Helper()
	records, err := b.bus.Log().Load(t.Context(), id, name)
	require.NoError(t, err)
	for _, record := range records {
		if end, ok := record.Event.(*events.TurnCompleted); ok {
			return end
		}
	}
	return nil
}

// requireEnded waits for the ending, after which the request is gone.
func (b *testBundle) requireEnded(t *testing.T, id tenant.ID, name events.SessionID, reason string) *events.TurnCompleted {
	t.Helper()
	var end *events.TurnCompleted
	require.Eventually(t, func() bool {
		end = b.ending(t, id, name)
		return end != nil
	}, patience, pace)
	require.Equal(t, reason, end.Reason)
	require.Eventually(t, func() bool {
		waiting, err := b.bus.Requests().Waiting(t.Context(), end.RequestSequence)
		return err == nil && !waiting
	}, patience, pace)
	return end
}

func (c *crowd) lead(t *testing.T, id string) {
	t.Helper()
	c.scheduler(t, id)
	hears(t, c.heard, "index is built")
	c.barrier(t, c.heard)
}

// A request expires when its time comes, whatever keeps it from being granted,
// and never sooner.
func TestWhatExpiresIsEndedWhateverHoldsIt(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.tenant("tenant_capped", 1, 1)
	c.change(tenant.Tenant{ID: "tenant_paused", Servers: []string{"stripe"}, Paused: true}.WithDefaults())
	c.lead(t, "leader")
	c.pool(t, "w1", 100)
	c.ask(t, "tenant_capped", 1)
	require.Equal(t, 1, c.runs(t, "tenant_capped"))
	expires := time.Now().Add(500 * time.Millisecond)
	for _, id := range []tenant.ID{"tenant_capped", "tenant_paused"} {
		c.publish(t, events.RequestParams{Tenant: id, Session: "brief", Expires: expires})
		c.publish(t, events.RequestParams{Tenant: id, Session: "patient", Expires: expires.Add(time.Hour)})
	}
	for _, id := range []tenant.ID{"tenant_capped", "tenant_paused"} {
		end := c.requireEnded(t, id, "brief", events.ReasonExpired)
		require.Equal(t, events.TurnExpired, end.Status)
		require.Contains(t, end.Detail, expires.UTC().Format(time.RFC3339))
		require.False(t, time.Now().Before(expires))
		require.Nil(t, c.ending(t, id, "patient"))
	}
	c.set(t, tenant.Tenant{ID: "tenant_paused"})
	close(c.hold)
	c.requireServed(t, c.probes+3)
}

// With no worker at all, what has expired by the time of a leader is ended too.
func TestANewLeaderEndsWhatHasExpired(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tenant("tenant_acme", 4, 1)
	b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "late", Expires: time.Now().Add(-time.Second)})
	b.scheduler(t, "leader")
	b.requireEnded(t, "tenant_acme", "late", events.ReasonExpired)
}

func TestABacklogIsHeldAtItsLimit(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.change(tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe"}, Concurrency: 1, Backlog: 3}.WithDefaults())
	c.lead(t, "leader")
	c.pool(t, "w1", 100)
	c.ask(t, "tenant_acme", 1)
	require.Equal(t, 1, c.runs(t, "tenant_acme"), "what runs is not queued")
	queue := func(name events.SessionID) {
		c.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: name, Kind: events.KindCall})
	}
	for _, name := range []events.SessionID{"below-1", "below-2", "at", "above"} {
		queue(name)
	}
	end := c.requireEnded(t, "tenant_acme", "above", events.ReasonBacklogFull)
	require.Equal(t, events.TurnRejected, end.Status)
	require.Equal(t, "tenant tenant_acme had 3 requests queued, its limit is 3", end.Detail)
	letters, err := c.bus.Dead().List(t.Context(), "tenant_acme")
	require.NoError(t, err)
	require.Len(t, letters, 1)
	letter := letters[0].Event.(*events.LetterDied)
	require.Equal(t, events.ReasonBacklogFull, letter.Reason)
	require.JSONEq(t, `{"tool":"stripe__retrieve_balance","arguments":{}}`, string(letter.Data), "it keeps the request")

	c.set(t, tenant.Tenant{ID: "tenant_acme", Concurrency: 1, Backlog: 1})
	queue("far-above")
	c.requireEnded(t, "tenant_acme", "far-above", events.ReasonBacklogFull)
	c.set(t, tenant.Tenant{ID: "tenant_acme", Concurrency: 1})
	queue("free-again")
	require.Equal(t, 1, c.runs(t, "tenant_acme"))
	close(c.hold)
	c.requireServed(t, 1+3+1+c.probes) // lowering the limit has ended none of the three
	for _, name := range []events.SessionID{"below-1", "below-2", "at", "free-again"} {
		require.Nil(t, c.ending(t, "tenant_acme", name), "the floor's worker writes no log")
	}
}

// A cancelled request that waits is out of the queue as soon as the order is
// heard; an order for one that has not been ended changes nothing.
func TestACancelledRequestLeavesTheQueueAtOnce(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.change(tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe"}, Concurrency: 1, Backlog: 1}.WithDefaults())
	c.lead(t, "leader")
	c.pool(t, "w1", 100)
	c.ask(t, "tenant_acme", 1)
	require.Equal(t, 1, c.runs(t, "tenant_acme"))
	sequence := c.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "unwanted"})
	lie := events.Control{Action: events.ActionCancel, Sequence: sequence}
	c.runs(t, "tenant_acme") // by then the leader knows of it
	require.NoError(t, c.bus.Hints().Control("tenant_acme", "unwanted", lie))
	hears(t, c.heard, "a request that is to be cancelled has not ended")
	c.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "above"})
	c.requireEnded(t, "tenant_acme", "above", events.ReasonBacklogFull)

	canceller, err := turns.NewCanceller(turns.CancellerConfig{Ender: c.endings.(*turns.Ender), Commands: c.bus.Hints()})
	require.NoError(t, err)
	status, err := canceller.Cancel(t.Context(), events.RequestHead{
		Tenant: "tenant_acme", Session: "unwanted", ID: events.DerivedRequest(sequence), Sequence: sequence,
	}, "")
	require.NoError(t, err)
	require.Equal(t, events.TurnCancelled, status)
	hears(t, c.heard, "a cancelled request has left the queue")
	c.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "wanted"})
	c.runs(t, "tenant_acme")
	close(c.hold)
	c.requireServed(t, 2+c.probes)
	require.Nil(t, c.ending(t, "tenant_acme", "wanted"), "there was room for it")
}

// flaky fails a number of times.
type flaky struct {
	scheduling.Endings

	faults atomic.Int32
}

func (f *flaky) End(ctx context.Context, sequence uint64, end events.TurnCompleted) (events.TurnStatus, error) {
	if f.faults.Add(-1) >= 0 {
		return "", errors.New("the broker is away")
	}
	return f.Endings.End(ctx, sequence, end)
}

func TestAnEndingThatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broken := &flaky{Endings: b.endings}
	broken.faults.Store(1)
	b.endings = broken
	b.tenant("tenant_acme", 4, 1)
	b.scheduler(t, "leader")
	b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "late", Expires: time.Now().Add(-time.Second)})
	b.requireEnded(t, "tenant_acme", "late", events.ReasonExpired)
}

// A request whose run was given back after its start does not expire any more:
// it stays queued, and runs when it may.
func TestWhatHasStartedDoesNotExpire(t *testing.T) {
	t.Parallel()
	b := setup(t)
	heard := make(chan string, 64)
	b.logger = slog.New(listener{Handler: slog.DiscardHandler, heard: heard})
	asked := make(chan error, 8)
	b.endings = watched{Endings: b.endings, asked: asked}
	b.change(tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe"}, Paused: true}.WithDefaults())
	sequence := b.publish(t, events.RequestParams{Tenant: "tenant_acme", Session: "begun", ID: "req_1", Expires: time.Now().Add(-time.Second)})
	_, err := b.bus.Log().Append(t.Context(), session.Entry{
		Envelope: events.Envelope{
			ID: "req_1/started/1/gone", Source: events.SessionSource("tenant_acme", "begun"),
			Tenant: "tenant_acme", Session: "begun", Request: "req_1", Time: time.Now(),
		},
		Event: &events.TurnStarted{RequestSequence: sequence, Kind: events.KindTurn, Attempt: 1, Worker: "gone", Message: "hello"},
	})
	require.NoError(t, err)
	b.scheduler(t, "leader")
	b.pool(t, "w1", 1)
	hears(t, heard, "index is built")
	require.ErrorIs(t, <-asked, session.ErrStarted)
	b.tenant("tenant_acme", 1, 1)
	b.requireServed(t, 1)
	require.Empty(t, asked, "it is asked once")
}

// watched tells what became of endings.
type watched struct {
	scheduling.Endings

	asked chan<- error
}

func (w watched) End(ctx context.Context, sequence uint64, end events.TurnCompleted) (events.TurnStatus, error) {
	status, err := w.Endings.End(ctx, sequence, end)
	w.asked <- err
	return status, err
}
