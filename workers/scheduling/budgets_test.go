package scheduling_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/scheduling"
)

// facts lets a scheduler read the logs.
type facts struct{ *bus.Log }

func (f facts) Watch(ctx context.Context, tenants []tenant.ID, after uint64, deliver func([]events.Record, uint64, bool) error) error {
	return f.Log.Watch(ctx, bus.WatchParams{
		Tenants: tenants, After: after,
		Types: []events.Type{events.TypeTurnStarted, events.TypeTurnCompleted, events.TypeBudgetReached},
	}, deliver)
}

// shop is a testBundle whose runs write what a worker does: a start, and an
// ending that says how many calls were made.
type shop struct {
	*testBundle

	calls int
}

func newShop(t *testing.T, calls int) *shop {
	t.Helper()
	s := &shop{testBundle: setup(t), calls: calls}
	s.handling = func(ctx context.Context, run events.Run) error {
		if err := s.start(ctx, run); err != nil {
			return err
		}
		return s.end(ctx, run, s.calls)
	}
	return s
}

func (s *shop) write(ctx context.Context, run events.Run, id string, event events.Event) error {
	for {
		last, err := s.bus.Log().Last(ctx, run.Tenant, run.Session)
		if err != nil {
			return err
		}
		_, err = s.bus.Log().Append(ctx, session.Entry{Last: last, Event: event, Envelope: events.Envelope{
			ID: fmt.Sprintf("%d/%s", run.Sequence, id), Source: events.SessionSource(run.Tenant, run.Session), Time: time.Now(),
			Tenant: run.Tenant, Session: run.Session, Request: events.RequestID(fmt.Sprintf("req_%d", run.Sequence)),
		}})
		if !errors.Is(err, session.ErrConflict) {
			return err
		}
	}
}

func (s *shop) start(ctx context.Context, run events.Run) error {
	return s.write(ctx, run, "started", &events.TurnStarted{RequestSequence: run.Sequence, Kind: run.Kind, Attempt: 1, Worker: "w", Call: &events.CallRequested{Tool: "t", Arguments: []byte("{}")}})
}

func (s *shop) end(ctx context.Context, run events.Run, calls int) error {
	err := s.write(ctx, run, "completed", &events.TurnCompleted{RequestSequence: run.Sequence, Status: events.TurnCompletedOK, ToolCalls: calls})
	if err != nil {
		return err
	}
	return s.bus.Requests().Remove(ctx, run.Sequence)
}

// budgeted registers a tenant with one budget of calls in all.
func (s *shop) budgeted(id tenant.ID, concurrency int, limit, reserve int64) tenant.Tenant {
	customer := tenant.Tenant{ID: id, Servers: []string{"stripe"}, Concurrency: concurrency, Budgets: []tenant.Budget{{
		Name: "calls", Unit: tenant.UnitCalls, Period: tenant.InTotal, Limit: tenant.Whole(limit), Reserve: tenant.Whole(reserve),
	}}}.WithDefaults()
	s.change(customer)
	return customer
}

func (s *shop) ask(t *testing.T, id tenant.ID, n int) {
	t.Helper()
	for range n {
		s.publish(t, events.RequestParams{Tenant: id})
	}
}

// tally counts how the tenant's requests have ended, and the calls made.
func (s *shop) tally(t *testing.T, id tenant.ID) (granted, refused, calls int) {
	t.Helper()
	err := s.bus.Log().Follow(t.Context(), bus.FollowParams{Tenant: id, Stored: true}, func(record events.Record) {
		end, ok := record.Event.(*events.TurnCompleted)
		switch {
		case !ok:
		case end.Reason == events.ReasonBudgetExceeded && end.Status == events.TurnRejected:
			refused++
		case end.Status == events.TurnCompletedOK:
			granted++
			calls += end.ToolCalls
		}
	})
	require.NoError(t, err)
	return granted, refused, calls
}

func (s *shop) requireTally(t *testing.T, id tenant.ID, granted, refused int) {
	t.Helper()
	require.Eventually(t, func() bool {
		g, r, _ := s.tally(t, id)
		return g+r >= granted+refused
	}, patience, 10*pace)
	g, r, _ := s.tally(t, id)
	require.Equal(t, []int{granted, refused}, []int{g, r}, "granted and refused")
}

// Exactly what fits is granted; what does not is refused aloud, and other
// tenants go on.
func TestBudgetGrantsExactlyWhatFits(t *testing.T) {
	t.Parallel()
	s := newShop(t, 3)
	s.budgeted("acme", 8, 20, 3)
	s.tenant("free", 8, 1)
	s.ask(t, "acme", 20)
	s.ask(t, "free", 20)
	s.scheduler(t, "leader")
	s.pool(t, "w1", 16)
	s.requireTally(t, "acme", 6, 14)
	s.requireTally(t, "free", 20, 0)
	letters, err := s.bus.Dead().List(t.Context(), "acme")
	require.NoError(t, err)
	require.Len(t, letters, 14)
	died := letters[0].Event.(*events.LetterDied)
	require.Equal(t, events.ReasonBudgetExceeded, died.Reason)
	require.Equal(t, "tenant acme: budget calls is 20 calls a total: 18 spent, 0 set aside, 3 needed", died.Detail)
	requireMarks(t, s, "acme", 50, 80)
}

// requireMarks waits for the marks that the log tells of, each once.
func requireMarks(t *testing.T, s *shop, id tenant.ID, percents ...int) {
	t.Helper()
	var told []int
	require.Eventually(t, func() bool {
		records, err := s.bus.Log().Read(t.Context(), id, events.BudgetSession, 0)
		require.NoError(t, err)
		told = nil
		for _, record := range records {
			told = append(told, record.Event.(*events.BudgetReached).Percent)
		}
		return len(told) >= len(percents)
	}, patience, pace)
	require.Equal(t, percents, told)
}

// What others have set aside and not used yet is waited for: the request that
// needs it is not refused, and says why it waits.
func TestBudgetWaitsForWhatIsSetAside(t *testing.T) {
	t.Parallel()
	s := newShop(t, 0)
	release := make(chan struct{})
	s.handling = func(ctx context.Context, run events.Run) error {
		if err := s.start(ctx, run); err != nil {
			return err
		}
		select {
		case <-release:
		case <-ctx.Done():
			return ctx.Err()
		}
		return s.end(ctx, run, 1)
	}
	s.budgeted("acme", 8, 10, 5)
	s.ask(t, "acme", 3)
	s.scheduler(t, "leader")
	s.pool(t, "w1", 16)
	require.Eventually(t, func() bool {
		told, err := s.bus.Asks().Queue(t.Context(), events.QueueAsked{Tenant: "acme"})
		return err == nil && len(told.Tenants) == 1 && told.Tenants[0].Running == 2 && told.Tenants[0].Waits == "budget" &&
			told.Tenants[0].Requests[0].Reason == "budget"
	}, patience, pace)
	close(release)
	s.requireTally(t, "acme", 3, 0)
}

// A new leader goes on from the checkpoint, the log behind it, and RUNS: what
// runs is counted, what has ended is spent, and each mark is told once.
func TestBudgetGoesOnUnderAnotherLeader(t *testing.T) {
	t.Parallel()
	s := newShop(t, 1)
	s.budgeted("acme", 64, 100, 1)
	for round := range 4 {
		s.ask(t, "acme", 40)
		leader := s.scheduler(t, fmt.Sprintf("leader%d", round))
		if round == 0 {
			s.pool(t, "w1", 64)
		}
		require.Eventually(t, func() bool {
			granted, refused, _ := s.tally(t, "acme")
			return granted+refused >= 20+40*round
		}, patience, pace)
		if round < 3 {
			stop(t, leader)
		}
	}
	s.requireTally(t, "acme", 100, 60)
	requireMarks(t, s, "acme", 50, 80, 100)
	require.Eventually(t, func() bool { // it is written now and then
		state, _, found, err := s.budgets.Spend.Load(t.Context(), "acme")
		require.NoError(t, err)
		return found && state.Purses[0].Position > 0
	}, patience, pace)
}

// blind is a store of spending that does not answer until it is told to.
type blind struct {
	scheduling.Spend

	asked atomic.Int64
	sees  atomic.Bool
}

var errBlind = errors.New("nobody answers")

func (b *blind) Load(ctx context.Context, id tenant.ID) (budget.State, uint64, bool, error) {
	b.asked.Add(1)
	if !b.sees.Load() {
		return budget.State{}, 0, false, errBlind
	}
	return b.Spend.Load(ctx, id)
}

// While nobody knows what was spent, nothing is granted under a hard budget.
// Others, and soft budgets, go on.
func TestUnknownSpendGrantsNothing(t *testing.T) {
	t.Parallel()
	s := newShop(t, 1)
	store := &blind{Spend: s.budgets.Spend}
	s.budgets = &scheduling.Budgeting{Spend: store, Facts: s.budgets.Facts}
	s.budgeted("acme", 8, 100, 1)
	soft := s.budgeted("soft", 8, 1, 1)
	soft.Budgets[0].Soft = true
	s.change(soft)
	s.tenant("free", 8, 1)
	for _, id := range []tenant.ID{"acme", "soft", "free"} {
		s.ask(t, id, 5)
	}
	s.scheduler(t, "leader")
	s.pool(t, "w1", 16)
	s.requireTally(t, "free", 5, 0)
	s.requireTally(t, "soft", 5, 0)
	require.Eventually(t, func() bool { return store.asked.Load() >= 3 }, patience, pace, "it asks again and again")
	granted, refused, _ := s.tally(t, "acme")
	require.Zero(t, granted+refused)
	store.sees.Store(true)
	s.requireTally(t, "acme", 5, 0)
	requireMarks(t, s, "soft", 50, 80, 100)
}

// A request that was answered before under another sequence has no ending of
// its own; what is set aside for its run is free again once its log was searched.
func TestRunWithoutAnEndingGivesBack(t *testing.T) {
	t.Parallel()
	s := newShop(t, 1)
	end := s.handling
	var first atomic.Bool
	s.handling = func(ctx context.Context, run events.Run) error {
		if first.CompareAndSwap(false, true) {
			return s.bus.Requests().Remove(ctx, run.Sequence)
		}
		return end(ctx, run)
	}
	s.budgeted("acme", 8, 1, 1)
	s.ask(t, "acme", 3)
	s.scheduler(t, "leader")
	s.pool(t, "w1", 1)
	s.requireTally(t, "acme", 1, 1)
}

// A budget that comes while requests run finds what was spent before it.
func TestBudgetThatComesLateReadsTheLog(t *testing.T) {
	t.Parallel()
	s := newShop(t, 4)
	s.tenant("acme", 1, 1)
	s.ask(t, "acme", 2)
	s.scheduler(t, "leader")
	s.pool(t, "w1", 4)
	s.requireTally(t, "acme", 2, 0)
	s.budgeted("acme", 1, 15, 4)
	require.Eventually(t, func() bool {
		state, _, found, err := s.budgets.Spend.Load(t.Context(), "acme")
		return err == nil && found && len(state.Purses) == 1 && len(state.Purses[0].Spent) == 1
	}, patience, pace)
	s.ask(t, "acme", 3)
	s.requireTally(t, "acme", 3, 2)
	other := tenant.Tenant{ID: "acme", Servers: []string{"stripe"}}.WithDefaults()
	s.change(other)
	refused := 2
	for granted := 3; granted == 3; { // what comes before the change is heard of is refused still
		s.ask(t, "acme", 1)
		require.Eventually(t, func() bool {
			g, r, _ := s.tally(t, "acme")
			ended := g+r > granted+refused
			if ended {
				granted, refused = g, r
			}
			return ended
		}, patience, pace)
	}
}

// The log is lost and made anew, under a leader or between two: its places begin
// again below the checkpoint's, and what ends there is counted all the same; what
// had been spent before stays spent, and no mark is told twice.
func TestBudgetOutlivesItsLog(t *testing.T) {
	t.Parallel()
	for name, live := range map[string]bool{"under a leader": true, "between two leaders": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t, 1)
			s.budgeted("acme", 8, 10, 1)
			s.ask(t, "acme", 6)
			leader := s.scheduler(t, "one")
			s.pool(t, "w1", 8)
			s.requireTally(t, "acme", 6, 0)
			requireMarks(t, s, "acme", 50)
			s.requireSaved(t, "acme", 6, 1)
			if !live {
				stop(t, leader)
			}
			before, err := s.bus.Log().Born(t.Context())
			require.NoError(t, err)
			s.server.Lose(t, events.StreamSessions)
			_, err = s.bus.Provision(t.Context(), bus.Topology{})
			require.NoError(t, err)
			after, err := s.bus.Log().Born(t.Context())
			require.NoError(t, err)
			require.True(t, after.After(before))
			if !live {
				s.scheduler(t, "two")
			}
			s.ask(t, "acme", 1)
			s.requireTally(t, "acme", 1, 0)
			s.requireSaved(t, "acme", 7, 0)
			s.ask(t, "acme", 9)
			s.requireTally(t, "acme", 4, 6)
			requireMarks(t, s, "acme", 80, 100)
			account, err := budget.New(s.tenants["acme"], nil)
			require.NoError(t, err)
			require.NoError(t, scheduling.CatchUp(t.Context(), s.budgets, "acme", account))
			require.Equal(t, tenant.Whole(10), account.Balances(time.Now())[0].Spent)
		})
	}
}

// requireSaved waits until a checkpoint says that so much is spent, at a place
// that is not before this one, and knows a mark that was told.
func (s *shop) requireSaved(t *testing.T, id tenant.ID, spent int64, place uint64) {
	t.Helper()
	require.Eventually(t, func() bool {
		state, _, found, err := s.budgets.Spend.Load(t.Context(), id)
		return err == nil && found && len(state.Purses) == 1 && len(state.Purses[0].Spent) == 1 &&
			state.Purses[0].Spent[0].Amount == tenant.Whole(spent) && state.Purses[0].Position >= place && !state.Log.IsZero() && len(state.Told) > 0
	}, patience, pace)
}
