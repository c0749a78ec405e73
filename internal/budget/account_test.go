package budget_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func calls(limit, reserve int64) tenant.Budget {
	return tenant.Budget{Name: "calls", Unit: tenant.UnitCalls, Period: tenant.PerDay, Limit: tenant.Whole(limit), Reserve: tenant.Whole(reserve)}
}

func account(t *testing.T, prices budget.Prices, budgets ...tenant.Budget) *budget.Account {
	t.Helper()
	customer := tenant.Tenant{ID: "acme", Servers: []string{"stripe"}, Budgets: budgets}.WithDefaults()
	require.NoError(t, customer.Validate())
	a, err := budget.New(customer, prices)
	require.NoError(t, err)
	return a
}

func turn(request uint64) budget.Run {
	return budget.Run{Request: request, Session: "s1", Kind: events.KindTurn}
}

func ended(sequence, request uint64, calls int64) budget.Fact {
	return budget.Fact{Sequence: sequence, Request: request, Session: "s1", At: noon, Use: budget.Use{Calls: calls}}
}

func decision(a *budget.Account, run budget.Run, at time.Time) budget.Decision {
	return a.Decide(run, at).Decision
}

// The limit itself fits, one more does not: it waits while others hold the
// room, and is refused when they have used it.
func TestDecideAtTheLimit(t *testing.T) {
	t.Parallel()
	a := account(t, nil, calls(10, 5))
	require.Equal(t, budget.Granted, decision(a, turn(1), noon))
	require.Equal(t, budget.Granted, decision(a, turn(2), noon))
	require.Equal(t, budget.Waits, decision(a, turn(3), noon))
	require.Equal(t, budget.Granted, decision(a, turn(2), noon), "it is held already")
	a.Settle(ended(1, 1, 0))
	require.Equal(t, budget.Granted, decision(a, turn(3), noon), "what the first did not use is free")
	a.Settle(ended(2, 2, 5))
	a.Settle(ended(3, 3, 1))
	verdict := a.Decide(turn(4), noon)
	require.Equal(t, budget.Refused, verdict.Decision)
	require.Equal(t, "budget calls is 10 calls a day: 6 spent, 0 set aside, 5 needed", verdict.Detail)
	call := budget.Run{Request: 5, Session: "s1", Kind: events.KindCall}
	require.Equal(t, budget.Granted, decision(a, call, noon), "a call needs but one")
}

func TestSoftBudgetRefusesNothing(t *testing.T) {
	t.Parallel()
	soft := calls(2, 2)
	soft.Soft = true
	a := account(t, nil, soft)
	require.False(t, a.Hard())
	a.Settle(ended(1, 1, 5))
	require.Equal(t, budget.Granted, decision(a, turn(2), noon))
	require.Len(t, a.Due(), 3)
}

func TestPeriodsFollowTheZone(t *testing.T) {
	t.Parallel()
	b := calls(5, 5)
	b.Zone = "America/Sao_Paulo"
	a := account(t, nil, b)
	late := time.Date(2026, 11, 25, 2, 59, 59, 0, time.UTC) // 23:59:59 there
	a.Settle(budget.Fact{Sequence: 1, Request: 1, At: late, Use: budget.Use{Calls: 5}})
	require.Equal(t, budget.Refused, decision(a, turn(2), late))
	require.Equal(t, budget.Granted, decision(a, turn(2), late.Add(time.Second)))
	require.Equal(t, budget.Granted, decision(a, turn(2), late), "a clock that steps back stands still")
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	for every, next := range map[tenant.BudgetPeriod]time.Time{
		tenant.PerDay:   time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC),
		tenant.PerWeek:  time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), // a Monday
		tenant.PerMonth: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		tenant.InTotal:  {},
	} {
		b := calls(5, 5)
		b.Period = every
		a := account(t, nil, b)
		a.Settle(ended(1, 1, 5))
		if next.IsZero() {
			require.Equal(t, budget.Refused, decision(a, turn(2), noon.AddDate(50, 0, 0)), every)
			continue
		}
		require.Equal(t, budget.Refused, decision(a, turn(2), next.Add(-time.Nanosecond)), every)
		require.Equal(t, budget.Granted, decision(a, turn(2), next), every)
		require.Equal(t, next, a.Balances(next)[0].From, every)
	}
}

func TestSessionsHaveTheirOwn(t *testing.T) {
	t.Parallel()
	b := calls(5, 5)
	b.Per = tenant.ScopeSession
	a := account(t, nil, b)
	a.Settle(ended(1, 1, 5))
	require.Equal(t, budget.Refused, decision(a, turn(2), noon))
	require.Equal(t, budget.Granted, decision(a, budget.Run{Request: 3, Session: "s2", Kind: events.KindTurn}, noon))
	require.Equal(t, budget.Waits, decision(a, budget.Run{Request: 4, Session: "s2", Kind: events.KindTurn}, noon))
}

// reais are prices in BRL: what a call costs, and a token.
type reais struct {
	call, token int64
	from        time.Time // before it nobody knows
}

var errNoCard = errors.New("no card")

func (r *reais) Month(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}

func (r *reais) Cost(currency string, month time.Time, use budget.Use) (tenant.Amount, error) {
	if currency != "BRL" || month.Before(r.from) {
		return 0, errNoCard
	}
	return tenant.Amount(use.Calls*r.call + use.Tokens()*r.token), nil
}

func TestMoney(t *testing.T) {
	t.Parallel()
	b := tenant.Budget{Name: "cash", Unit: tenant.UnitMoney, Currency: "BRL", Period: tenant.PerDay, Limit: tenant.Whole(1), Reserve: 500_000}
	a := account(t, &reais{call: 50_000, token: 15}, b)
	require.Equal(t, budget.Granted, decision(a, turn(1), noon))
	a.Settle(budget.Fact{Sequence: 1, Request: 1, Session: "s1", At: noon, Use: budget.Use{Calls: 10, OutputTokens: 1}})
	require.Equal(t, tenant.Amount(500_015), a.Balances(noon)[0].Spent)
	require.Equal(t, budget.Refused, decision(a, turn(2), noon))
	b.Currency = "USD"
	a = account(t, &reais{call: 50_000, token: 15}, b)
	require.Equal(t, budget.Unknown, decision(a, turn(1), noon), "without a price nothing is granted")
	a.Settle(ended(7, 1, 1))
	a.Advance(7)
	require.Zero(t, a.Balances(noon)[0].Spent)
}

// A mark falls due once in a period: below it nothing, at it one.
func TestMarks(t *testing.T) {
	t.Parallel()
	a := account(t, nil, calls(10, 1))
	percents := func() (due []int) {
		for _, reached := range a.Due() {
			due = append(due, reached.Percent)
		}
		return due
	}
	a.Settle(ended(1, 1, 4))
	require.Empty(t, percents())
	a.Settle(ended(2, 2, 1))
	require.Equal(t, []int{50}, percents())
	half := a.Due()[0]
	require.Equal(t, "budget/calls/1795478400/all/50", half.ID)
	require.Equal(t, tenant.Whole(5), half.Spent)
	a.Told(half.ID, half.From, 3)
	require.Empty(t, percents())
	a.Settle(ended(4, 3, 9))
	require.Equal(t, []int{80, 100}, percents())
	next := ended(5, 4, 5)
	next.At = noon.AddDate(0, 0, 1)
	a.Settle(next)
	require.Equal(t, []int{80, 100, 50}, percents(), "a new day has its own")
}

// A request that a worker gave back is not settled, so it keeps what is set
// aside for it, and so does one that the log says has begun.
func TestCancelKeepsWhatHasBegun(t *testing.T) {
	t.Parallel()
	a := account(t, nil, calls(2, 1))
	require.Equal(t, budget.Granted, decision(a, turn(1), noon))
	require.Equal(t, budget.Granted, decision(a, turn(2), noon))
	a.Begin(1, turn(1))
	require.False(t, a.Cancel(1))
	require.True(t, a.Cancel(2))
	require.False(t, a.Cancel(2))
	require.True(t, a.Holds(1))
	require.True(t, a.Release(1))
	require.Empty(t, a.Held())
}

// A budget that is added, or counts in another way, begins before the log; a
// limit that changes keeps what was spent.
func TestConfigure(t *testing.T) {
	t.Parallel()
	a := account(t, nil, calls(10, 5))
	require.Equal(t, budget.Granted, decision(a, turn(9), noon))
	a.Settle(ended(1, 1, 5))
	a.Advance(6)
	customer := tenant.Tenant{ID: "acme", Servers: []string{"stripe"}, Budgets: []tenant.Budget{calls(20, 5)}}
	require.NoError(t, a.Configure(customer))
	require.Equal(t, uint64(6), a.Position())
	require.Equal(t, tenant.Whole(5), a.Balances(noon)[0].Spent)
	require.Equal(t, tenant.Whole(5), a.Balances(noon)[0].Reserved)
	require.Empty(t, a.Due(), "a quarter")
	monthly := calls(100, 5)
	monthly.Name, monthly.Period = "monthly", tenant.PerMonth
	customer.Budgets = append(customer.Budgets, monthly)
	require.NoError(t, a.Configure(customer))
	require.Zero(t, a.Position())
	a.Settle(ended(1, 1, 5))
	a.Advance(6)
	require.Equal(t, tenant.Whole(5), a.Balances(noon)[0].Spent, "counted before")
	require.Equal(t, tenant.Whole(5), a.Balances(noon)[1].Spent)
}

func TestStateGoesOn(t *testing.T) {
	t.Parallel()
	a := account(t, nil, calls(10, 1))
	a.Begin(1, turn(7))
	a.Settle(ended(2, 1, 5))
	a.Told(a.Due()[0].ID, a.Due()[0].From, 3)
	a.Advance(3)
	text, err := json.Marshal(a.Snapshot())
	require.NoError(t, err)
	var state budget.State
	require.NoError(t, json.Unmarshal(text, &state))
	b := account(t, nil, calls(10, 1))
	b.Restore(state)
	require.Equal(t, a.Snapshot(), b.Snapshot())
	require.Equal(t, a.Balances(noon), b.Balances(noon))
	require.True(t, b.Holds(7))
	require.Empty(t, b.Due())
	require.Equal(t, uint64(3), b.LastTold())
	b.Settle(ended(2, 1, 5))
	b.Begin(1, turn(8))
	require.Equal(t, a.Snapshot(), b.Snapshot(), "what is before the position is known")
}
