package budget_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/tenant"
)

// naive is a tenant's budgets without any cleverness: it remembers every fact
// and adds all of them up whenever it is asked.
type naive struct {
	budgets []tenant.Budget
	facts   map[uint64]budget.Fact
	held    map[uint64]budget.Run
}

func (n *naive) spent(b tenant.Budget, session events.SessionID, at time.Time) int64 {
	sum := int64(0)
	for _, fact := range n.facts {
		if b.Per == tenant.ScopeSession && fact.Session != session {
			continue
		}
		if b.Period == tenant.PerDay && fact.At.Format(time.DateOnly) != at.Format(time.DateOnly) {
			continue
		}
		if b.Unit == tenant.UnitTokens {
			sum += fact.Use.Tokens()
		} else {
			sum += fact.Use.Calls
		}
	}
	return sum
}

func reserves(b tenant.Budget, kind events.Kind) int64 {
	switch {
	case kind == events.KindCall && b.Unit == tenant.UnitCalls:
		return 1
	case kind == events.KindCall:
		return 0
	default:
		return int64(b.Reserve) / 1_000_000
	}
}

func (n *naive) reserved(b tenant.Budget, session events.SessionID) int64 {
	sum := int64(0)
	for _, run := range n.held {
		if b.Per != tenant.ScopeSession || run.Session == session {
			sum += reserves(b, run.Kind)
		}
	}
	return sum
}

func (n *naive) decide(run budget.Run, at time.Time) budget.Decision {
	if _, held := n.held[run.Request]; held {
		return budget.Granted
	}
	worst := budget.Granted
	for _, b := range n.budgets {
		limit, wants, spent := int64(b.Limit)/1_000_000, reserves(b, run.Kind), n.spent(b, run.Session, at)
		switch {
		case b.Soft || wants == 0:
		case spent+wants > limit:
			worst = budget.Refused
		case spent+n.reserved(b, run.Session)+wants > limit:
			worst = max(worst, budget.Waits)
		}
	}
	if worst == budget.Granted {
		n.held[run.Request] = run
	}
	return worst
}

func drawBudgets(t *rapid.T) []tenant.Budget {
	n := rapid.IntRange(1, 3).Draw(t, "budgets")
	var all []tenant.Budget
	for i := range n {
		limit := rapid.Int64Range(1, 30).Draw(t, "limit")
		all = append(all, tenant.Budget{
			Name: string(rune('a' + i)), Unit: rapid.SampledFrom([]tenant.BudgetUnit{tenant.UnitCalls, tenant.UnitTokens}).Draw(t, "unit"),
			Period: rapid.SampledFrom([]tenant.BudgetPeriod{tenant.PerDay, tenant.InTotal}).Draw(t, "period"),
			Per:    rapid.SampledFrom([]tenant.BudgetScope{tenant.ScopeTenant, tenant.ScopeSession}).Draw(t, "per"),
			Limit:  tenant.Whole(limit), Reserve: tenant.Whole(rapid.Int64Range(1, min(limit, 6)).Draw(t, "reserve")),
			Soft: rapid.IntRange(0, 4).Draw(t, "soft") == 0,
		})
	}
	return all
}

func fresh(t require.TestingT, budgets []tenant.Budget) *budget.Account {
	a, err := budget.New(tenant.Tenant{ID: "acme", Servers: []string{"stripe"}, Budgets: budgets}.WithDefaults(), nil)
	require.NoError(t, err)
	return a
}

// Whatever happens in whatever order, spent and set aside together stay within
// every hard limit, and every decision is the naive one. Runs use at most what
// was set aside for them; the leader changes now and then.
func TestAccountAgreesWithTheNaiveModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		budgets := drawBudgets(t)
		a, n := fresh(t, budgets), &naive{budgets: budgets, facts: map[uint64]budget.Fact{}, held: map[uint64]budget.Run{}}
		now, request, place := noon, uint64(0), uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2, 3:
				request++
				run := budget.Run{
					Request: request, Session: rapid.SampledFrom([]events.SessionID{"s1", "s2"}).Draw(t, "session"),
					Kind: rapid.SampledFrom([]events.Kind{events.KindTurn, events.KindCall}).Draw(t, "kind"),
				}
				require.Equal(t, n.decide(run, now), a.Decide(run, now).Decision)
			case 4, 5, 6, 7:
				place++
				settleOne(t, a, n, place, now)
			case 8:
				now = now.Add(time.Duration(rapid.IntRange(1, 16).Draw(t, "hours")) * time.Hour)
			case 9: // another leader: what is held it learns from RUNS
				state := a.Snapshot()
				a = fresh(t, budgets)
				a.Restore(state)
				for _, run := range n.held {
					a.Hold(run)
				}
			}
			requireWithin(t, a, n, now)
		}
	})
}

func settleOne(t *rapid.T, a *budget.Account, n *naive, place uint64, now time.Time) {
	var requests []uint64
	for request := range n.held {
		requests = append(requests, request)
	}
	if len(requests) == 0 {
		return
	}
	slices.Sort(requests)
	run := n.held[rapid.SampledFrom(requests).Draw(t, "ends")]
	fact := budget.Fact{Sequence: place, Request: run.Request, Session: run.Session, At: now}
	most := map[tenant.BudgetUnit]int64{tenant.UnitCalls: 9, tenant.UnitTokens: 9}
	for _, b := range n.budgets {
		if !b.Soft {
			most[b.Unit] = min(most[b.Unit], reserves(b, run.Kind))
		}
	}
	fact.Use.Calls = rapid.Int64Range(0, most[tenant.UnitCalls]).Draw(t, "calls")
	fact.Use.InputTokens = rapid.Int64Range(0, most[tenant.UnitTokens]).Draw(t, "tokens")
	n.facts[place] = fact
	delete(n.held, run.Request)
	a.Settle(fact)
	if rapid.Bool().Draw(t, "again") {
		a.Settle(fact)
	}
	a.Advance(place)
}

func requireWithin(t *rapid.T, a *budget.Account, n *naive, now time.Time) {
	for _, balance := range a.Balances(now) {
		spent, reserved := int64(balance.Spent)/1_000_000, int64(balance.Reserved)/1_000_000
		require.Equal(t, n.spent(balance.Budget, balance.Session, now), spent, balance.Budget.Name)
		if !balance.Budget.Soft {
			require.Equal(t, n.reserved(balance.Budget, balance.Session), reserved, balance.Budget.Name)
			require.LessOrEqual(t, balance.Spent+balance.Reserved, balance.Budget.Limit, balance.Budget.Name)
		}
	}
}

// Any order and any repetition of the same endings spends the same.
func TestSettlingIsTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		budgets := drawBudgets(t)
		var facts []budget.Fact
		for i := range rapid.IntRange(0, 12).Draw(t, "facts") {
			facts = append(facts, budget.Fact{
				Sequence: uint64(i + 1), Request: uint64(i + 1), Session: rapid.SampledFrom([]events.SessionID{"s1", "s2"}).Draw(t, "session"),
				At:  noon.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "hours")) * time.Hour),
				Use: budget.Use{Calls: rapid.Int64Range(0, 9).Draw(t, "calls"), OutputTokens: rapid.Int64Range(0, 9).Draw(t, "tokens")},
			})
		}
		told := append(slices.Clone(facts), facts...)
		a, b := fresh(t, budgets), fresh(t, budgets)
		for _, fact := range facts {
			a.Settle(fact)
		}
		for _, fact := range rapid.Permutation(told).Draw(t, "told") {
			b.Settle(fact)
		}
		end := noon.Add(60 * time.Hour)
		a.Balances(end)
		b.Balances(end)
		a.Advance(12)
		b.Advance(12)
		require.Empty(t, cmp.Diff(a.Snapshot(), b.Snapshot()))
	})
}
