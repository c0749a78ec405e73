package chaos_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/chaos"
	"github.com/feira-dev/feira/internal/tenant"
)

// budgetVariable makes the race as large as it was promised.
const budgetVariable = "FEIRA_CHAOS_BUDGET"

// race is how large a race for a budget is.
type race struct {
	requests, limit int
	wait            time.Duration // of a turn
}

func raceSize() race {
	if os.Getenv(budgetVariable) == "full" {
		return race{requests: 100_000, limit: 1000, wait: time.Second}
	}
	return race{requests: 5000, limit: 200, wait: time.Second}
}

// Many more requests than a budget has room for, 64 workers that race for them,
// and a leader that is killed with -9 three times, twice while it grants and
// once while it refuses: exactly what fits is granted, by the log what is spent
// and what runs are never more than the limit, and every refusal is told, by an
// ending and a dead letter. FEIRA_CHAOS_BUDGET=full makes it 100 000 requests.
func TestBudgetRace(t *testing.T) {
	t.Parallel()
	size := raceSize()
	customer := tenant.Tenant{ID: "shop", Concurrency: 64, Budgets: []tenant.Budget{{
		Name: "calls", Unit: tenant.UnitCalls, Period: tenant.InTotal, Limit: tenant.Whole(int64(size.limit)), Reserve: tenant.Whole(1),
	}}}
	m := setup(t, marketParams{tenants: []tenant.Tenant{customer}, backlog: int64(size.requests)})
	asked := m.flood(t, size)
	grants, refusals := m.listen(t, events.SubjectAllRuns), m.listen(t, events.SubjectAllDead)
	for range 4 {
		m.role(t, "worker", "--worker-slots", "16")
	}
	began := time.Now()
	leader, standby := m.leader(t), m.role(t, "scheduler")
	for _, reached := range []func() bool{
		func() bool { return len(grants.since(began)) >= size.limit/4 },
		func() bool { return len(grants.since(began)) >= size.limit*3/4 },
		func() bool { return len(refusals.since(began)) >= size.requests/4 },
	} {
		require.Eventually(t, reached, patience, pace)
		leader.Kill(t)
		standby.WaitForOutput(t, leading)
		leader, standby = standby, m.role(t, "scheduler")
	}
	require.Eventually(t, func() bool { return m.drained(t) }, 10*patience, pace)
	t.Logf("%d requests, limit %d, three leaders killed: over in %s", size.requests, size.limit, time.Since(began).Round(time.Millisecond))
	m.judgeRace(t, size, asked)
}

// flood publishes turns that make one tool call each, in sessions of their own.
func (m *market) flood(t *testing.T, size race) []chaos.Asked {
	t.Helper()
	asked := make([]chaos.Asked, size.requests)
	futures := make([]jetstream.PubAckFuture, size.requests)
	for i := range asked {
		asked[i].Key = chaos.Key{Tenant: "shop", Session: events.SessionID(fmt.Sprintf("ses-%d", i)), ID: events.RequestID(fmt.Sprintf("req-%d", i))}
		message, err := plain(events.RequestParams{Tenant: "shop", Session: asked[i].Session, ID: asked[i].ID, Priority: events.PriorityNormal}, events.Request{
			Message: fmt.Sprintf("/wait %s\n/call stripe__create_customer {\"email\": \"buyer-%d@example.com\"}", size.wait, i),
		})
		require.NoError(t, err)
		futures[i], err = m.js.PublishMsgAsync(message)
		require.NoError(t, err)
	}
	for i, future := range futures {
		select {
		case ack := <-future.Ok():
			asked[i].Kind, asked[i].Stored, asked[i].Sequence = events.KindTurn, true, ack.Sequence
		case err := <-future.Err():
			require.NoError(t, err)
		case <-t.Context().Done():
			require.NoError(t, t.Context().Err())
		}
	}
	return asked
}

func (m *market) judgeRace(t *testing.T, size race, asked []chaos.Asked) {
	t.Helper()
	log := m.log(t)
	findings := chaos.Trial{Caps: m.caps, Asked: asked, Log: log}.Judge()
	for _, fault := range findings.Faults {
		t.Error(fault)
	}
	require.Equal(t, map[events.TurnStatus]int{events.TurnCompletedOK: size.limit, events.TurnRejected: size.requests - size.limit}, findings.Endings)
	require.Equal(t, map[string]int{events.ReasonBudgetExceeded: size.requests - size.limit}, findings.Reasons)
	spent, running, most := 0, map[uint64]bool{}, 0
	var marks []int
	for _, record := range log {
		switch event := record.Event.(type) {
		case *events.TurnStarted:
			running[event.RequestSequence] = true
		case *events.TurnCompleted:
			delete(running, event.RequestSequence)
			spent += event.ToolCalls
		case *events.BudgetReached:
			marks = append(marks, event.Percent)
		}
		most = max(most, spent+len(running))
	}
	require.Equal(t, size.limit, spent)
	require.LessOrEqual(t, most, size.limit, "what is spent and what runs, at one moment")
	require.Equal(t, []int{50, 80, 100}, marks)
	stream, err := m.js.Stream(t.Context(), events.StreamDead)
	require.NoError(t, err)
	t.Logf("granted %d, refused %d, takeovers of runs %d, dead letters %d", findings.Endings[events.TurnCompletedOK],
		findings.Endings[events.TurnRejected], findings.Takeovers, stream.CachedInfo().State.Msgs)
	require.GreaterOrEqual(t, stream.CachedInfo().State.Msgs, uint64(size.requests-size.limit))
}
