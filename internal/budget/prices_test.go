package budget_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
)

func cash(period tenant.BudgetPeriod) tenant.Budget {
	return tenant.Budget{Name: "cash", Unit: tenant.UnitMoney, Currency: "BRL", Period: period, Limit: tenant.Whole(1), Reserve: 100_000}
}

func used(sequence uint64, at time.Time, calls int64) budget.Fact {
	return budget.Fact{Sequence: sequence, Request: sequence, Session: "s1", At: at, Use: budget.Use{Calls: calls}}
}

// another leader goes on from what was saved, by its own prices.
func another(t *testing.T, a *budget.Account, prices budget.Prices, budgets ...tenant.Budget) *budget.Account {
	t.Helper()
	text, err := json.Marshal(a.Snapshot())
	require.NoError(t, err)
	var state budget.State
	require.NoError(t, json.Unmarshal(text, &state))
	next := account(t, prices, budgets...)
	next.Restore(state)
	return next
}

// What was used before prices changed costs what it costs now, also under a
// leader that comes later, and marks fall due by it.
func TestRepriceCountsWhatWasUsed(t *testing.T) {
	t.Parallel()
	prices := &reais{call: 50_000}
	a := account(t, prices, cash(tenant.PerDay))
	a.Settle(used(1, noon, 8))
	a.Advance(1)
	require.Equal(t, tenant.Amount(400_000), a.Balances(noon)[0].Spent)
	require.Empty(t, a.Due())
	require.Equal(t, budget.Granted, decision(a, turn(2), noon))
	prices.call = 120_000
	a.Reprice()
	require.Equal(t, tenant.Amount(960_000), a.Balances(noon)[0].Spent)
	require.Len(t, a.Due(), 2)
	verdict := a.Decide(turn(3), noon)
	require.Equal(t, budget.Refused, verdict.Decision)
	require.Equal(t, "budget cash is 1 BRL a day: 0.96 spent, 0.1 set aside, 0.1 needed", verdict.Detail)
	next := another(t, a, &reais{call: 1}, cash(tenant.PerDay))
	require.Equal(t, tenant.Amount(8), next.Balances(noon)[0].Spent)
	require.Equal(t, budget.Granted, decision(next, turn(3), noon))
}

// While nobody knows what something costs that was used, nothing is granted;
// what was used meanwhile is counted once somebody does.
func TestUnknownPricesLoseNothing(t *testing.T) {
	t.Parallel()
	december := noon.AddDate(0, 1, 0)
	prices := &reais{call: 50_000, from: december.AddDate(1, 0, 0)}
	a := account(t, prices, cash(tenant.InTotal))
	a.Settle(used(1, noon, 3))
	a.Advance(1)
	verdict := a.Decide(turn(2), noon)
	require.Equal(t, budget.Unknown, verdict.Decision)
	require.Equal(t, "budget cash: what is spent in BRL cannot be counted: in 2026-11: no card", verdict.Detail)
	require.Equal(t, "in 2026-11: no card", a.Balances(noon)[0].Unknown)
	prices.from = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	a.Reprice()
	require.Equal(t, budget.Unknown, decision(a, turn(2), december), "that of November is not known still")
	a = another(t, a, prices, cash(tenant.InTotal))
	a.Settle(used(2, december, 2))
	require.Equal(t, tenant.Amount(100_000), a.Balances(december)[0].Spent, "what is known of it")
	prices.from = time.Time{}
	a.Reprice()
	require.Equal(t, tenant.Amount(250_000), a.Balances(december)[0].Spent)
	require.Empty(t, a.Balances(december)[0].Unknown)
	require.Equal(t, budget.Granted, decision(a, turn(3), december))
}

// A price that begins with a month is waited for, and needs nobody to say that
// the month has begun.
func TestPriceOfAMonthToCome(t *testing.T) {
	t.Parallel()
	a := account(t, &reais{call: 1, from: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}, cash(tenant.PerDay))
	require.Equal(t, budget.Unknown, decision(a, turn(1), noon))
	require.Equal(t, budget.Granted, decision(a, turn(1), noon.AddDate(0, 0, 7)))
}

// A checkpoint of before says only what was spent: that stays, and what is used
// from now on is added.
func TestCheckpointOfBeforeIsCarried(t *testing.T) {
	t.Parallel()
	a := account(t, &reais{call: 10_000}, cash(tenant.InTotal))
	var state budget.State
	require.NoError(t, json.Unmarshal([]byte(`{"now":"2026-11-24T12:00:00Z","purses":[{"unit":"money","currency":"BRL","period":"total","zone":"UTC","per":"tenant",`+
		`"position":5,"spent":[{"start":0,"amount":0.25}]}]}`), &state))
	a.Restore(state)
	a.Settle(used(6, noon, 3))
	a.Advance(6)
	for range 2 {
		a.Reprice()
		require.Equal(t, tenant.Amount(280_000), a.Balances(noon)[0].Spent)
		a = another(t, a, &reais{call: 10_000}, cash(tenant.InTotal))
	}
}

// A use beyond all numbers makes no spending smaller.
func TestUseNeverWrapsAround(t *testing.T) {
	t.Parallel()
	prices := &greedy{}
	a := account(t, prices, cash(tenant.InTotal))
	for sequence := range uint64(3) {
		fact := used(sequence+1, noon, math.MaxInt64)
		fact.Use.OutputTokens = -1
		a.Settle(fact)
	}
	require.Equal(t, budget.Use{Calls: math.MaxInt64}, prices.last)
	require.Equal(t, tenant.Whole(tenant.MaxBudget), a.Balances(noon)[0].Spent)
	require.Equal(t, budget.Refused, decision(a, turn(9), noon))
}

// greedy takes a millionth for a call.
type greedy struct {
	reais

	last budget.Use
}

func (g *greedy) Cost(_ string, _ time.Time, use budget.Use) (tenant.Amount, error) {
	if use.Calls > 1 {
		g.last = use
	}
	return tenant.Amount(use.Calls), nil
}
