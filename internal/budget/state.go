package budget

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// State is an account at a place of the log, to go on from there.
type State struct {
	Now time.Time `json:"now"`
	// Log is when the log was made whose places these are; zero where nobody kept
	// it.
	Log     time.Time        `json:"log,omitzero"`
	Purses  []PurseState     `json:"purses"`
	Started []StartedState   `json:"started,omitempty"`
	Told    map[string]int64 `json:"told,omitempty"`
	Last    uint64           `json:"last_told,omitempty"`
}

// PurseState is what was spent by one way of counting, up to the position.
type PurseState struct {
	Unit     tenant.BudgetUnit   `json:"unit"`
	Currency string              `json:"currency,omitempty"`
	Period   tenant.BudgetPeriod `json:"period"`
	Zone     string              `json:"zone"`
	Per      tenant.BudgetScope  `json:"per"`
	Position uint64              `json:"position"`
	Spent    []SpentState        `json:"spent,omitempty"`
}

// SpentState is what a tenant or one of its sessions has spent in a period.
type SpentState struct {
	Session events.SessionID `json:"session,omitempty"`
	Start   int64            `json:"start"`
	Amount  tenant.Amount    `json:"amount"`
	// Carried and Used are what an amount of money is made of: a card that comes
	// later prices what was used before it. Checkpoints of before have neither,
	// and their amount is carried.
	Carried tenant.Amount `json:"carried,omitempty"`
	Used    []UsedState   `json:"used,omitempty"`
}

// UsedState is the use of one month of billing: when that begins, calls, input
// tokens, output tokens. It has no names because a checkpoint has a great many.
type UsedState [4]int64

// StartedState is a run that the log says has begun and not ended.
type StartedState struct {
	Request uint64           `json:"request"`
	Session events.SessionID `json:"session"`
	Kind    events.Kind      `json:"kind"`
}

// Snapshot is the account at the position that was last advanced to. Facts
// beyond it must not have been settled. Runs that were granted and have not
// begun are not in it: RUNS tells of them.
func (a *Account) Snapshot() State {
	state := State{Now: a.now, Told: maps.Clone(a.told), Last: a.last}
	for _, p := range a.purses {
		kept := PurseState{Unit: p.unit, Currency: p.currency, Period: p.every, Zone: p.zone, Per: p.per, Position: p.position}
		for in, amount := range p.spent {
			kept.Spent = append(kept.Spent, p.kept(in, amount))
		}
		slices.SortFunc(kept.Spent, func(x, y SpentState) int {
			return strings.Compare(fmt.Sprint(x.Start, x.Session), fmt.Sprint(y.Start, y.Session))
		})
		state.Purses = append(state.Purses, kept)
	}
	slices.SortFunc(state.Purses, func(x, y PurseState) int {
		return strings.Compare(fmt.Sprint(x.Unit, x.Currency, x.Period, x.Zone, x.Per), fmt.Sprint(y.Unit, y.Currency, y.Period, y.Zone, y.Per))
	})
	for request, held := range a.holds {
		if held.started {
			state.Started = append(state.Started, StartedState{Request: request, Session: held.run.Session, Kind: held.run.Kind})
		}
	}
	slices.SortFunc(state.Started, func(x, y StartedState) int { return int(min(max(int64(x.Request)-int64(y.Request), -1), 1)) }) //nolint:gosec // no stream has so many messages
	return state
}

// kept is a cell as it is kept.
func (p *purse) kept(in cell, amount tenant.Amount) SpentState {
	state := SpentState{Session: in.session, Start: in.start, Amount: amount}
	if b := p.bills[in]; b != nil {
		state.Carried = b.carried
		for _, m := range b.months {
			state.Used = append(state.Used, UsedState{m.month, m.use.Calls, m.use.InputTokens, m.use.OutputTokens})
		}
	}
	return state
}

// restore takes a cell as it was kept, and prices it as prices are now.
func (p *purse) restore(kept SpentState, prices Prices) {
	in := cell{session: kept.Session, start: kept.Start}
	p.spent[in] = kept.Amount
	if p.unit != tenant.UnitMoney {
		return
	}
	b := p.bill(in)
	b.carried = kept.Carried
	if len(kept.Used) == 0 {
		b.carried = kept.Amount
	}
	p.spent[in] = b.total()
	for _, used := range kept.Used {
		p.spent[in] = b.add(prices, p.currency, time.Unix(used[0], 0), Use{Calls: used[1], InputTokens: used[2], OutputTokens: used[3]})
	}
}

// Restore takes what a new account is to go on from. A way of counting that the
// state does not know begins before the log.
func (a *Account) Restore(state State) {
	for _, kept := range state.Purses {
		p := a.purses[base{unit: kept.Unit, currency: kept.Currency, every: kept.Period, zone: kept.Zone, per: kept.Per}]
		if p == nil {
			continue
		}
		p.position = kept.Position
		for _, spent := range kept.Spent {
			p.restore(spent, a.prices)
		}
	}
	for _, started := range state.Started {
		a.hold(Run(started), true)
	}
	maps.Copy(a.told, state.Told)
	a.last = max(a.last, state.Last)
	a.tick(state.Now)
	for _, p := range a.purses {
		for in := range p.spent {
			a.mark(p, in)
		}
	}
}

// Anew takes in that the log was lost and made anew: what its places were means
// nothing now, so the account counts from its beginning. What was spent and told
// before stays.
func (a *Account) Anew() {
	for _, p := range a.purses {
		p.position = 0
		clear(p.counted)
	}
	a.last = 0
}

// Balance is how one budget stands for the tenant, or for one session.
type Balance struct {
	Budget   tenant.Budget    `json:"budget"`
	Session  events.SessionID `json:"session,omitempty"`
	Spent    tenant.Amount    `json:"spent"`
	Reserved tenant.Amount    `json:"reserved"`
	From     time.Time        `json:"from,omitzero"`
	To       time.Time        `json:"to,omitzero"`
	// Unknown says why nobody knows what is spent; Spent is then what is known of
	// it, and nothing is granted under a hard budget.
	Unknown string `json:"unknown,omitempty"`
}

// Balances tell how the budgets stand at a moment; of those per session, the
// sessions that have spent something.
func (a *Account) Balances(now time.Time) []Balance {
	a.tick(now)
	var all []Balance
	for _, r := range a.rules {
		from, to := span(r.Period, a.now, r.purse.location)
		own := r.purse.cell("", a.now)
		if r.Per != tenant.ScopeSession {
			all = append(all, Balance{Budget: r.Budget, Spent: r.purse.spent[own], Reserved: r.reserved[""], From: from, To: to, Unknown: a.unknown(r, own)})
			continue
		}
		var sessions []Balance
		for in, amount := range r.purse.spent {
			if in.start == own.start {
				sessions = append(sessions, Balance{
					Budget: r.Budget, Session: in.session, Spent: amount, Reserved: r.reserved[in.session], From: from, To: to, Unknown: a.unknown(r, in),
				})
			}
		}
		slices.SortFunc(sessions, func(x, y Balance) int { return strings.Compare(string(x.Session), string(y.Session)) })
		all = append(all, sessions...)
	}
	return all
}

func (a *Account) unknown(r *rule, in cell) string {
	if err := a.unpriced(r, in); err != nil {
		return err.Error()
	}
	return ""
}
