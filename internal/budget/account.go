package budget

import (
	"cmp"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// Use is what a run has used.
type Use struct {
	Calls        int64
	InputTokens  int64
	OutputTokens int64
}

// Tokens are those of both kinds.
func (u Use) Tokens() int64 { return u.InputTokens + u.OutputTokens }

// Run is a request that wants to start, or has.
type Run struct {
	Request uint64 // its sequence in REQUESTS
	Session events.SessionID
	Kind    events.Kind
}

// Fact is an ending, as the log tells it.
type Fact struct {
	Sequence uint64 // in the log
	Request  uint64 // in REQUESTS
	Session  events.SessionID
	At       time.Time
	Use      Use
}

// Decision is what becomes of a run that wants to start.
type Decision uint8

// Decisions.
const (
	// Granted: the reservation is made.
	Granted Decision = iota
	// Waits: it would fit, but others hold what it needs until they have ended.
	Waits
	// Unknown: nobody can say what it costs, so it is not granted.
	Unknown
	// Refused: it would not fit if nothing else ran.
	Refused
)

// Verdict is a decision; of all but a grant, the budget that it is by, in words.
type Verdict struct {
	Decision Decision
	Detail   string
}

// rule is a budget at work.
type rule struct {
	tenant.Budget

	purse    *purse
	reserved map[events.SessionID]tenant.Amount // by whose use is counted; never 0
}

// hold is what is set aside for one run.
type hold struct {
	run     Run
	started bool // the log says so, so it will be run to its end
}

// Account is a tenant's.
type Account struct {
	customer tenant.Tenant
	prices   Prices
	rules    []*rule
	purses   map[base]*purse
	holds    map[uint64]hold
	now      time.Time // the latest heard of
	told     map[string]int64
	due      map[string]Reached
	// last is the place of the last mark in the log.
	last uint64
}

// New is the account of a tenant that has spent nothing. The tenant's budgets
// must be valid. Nil prices know no price.
func New(customer tenant.Tenant, prices Prices) (*Account, error) {
	if prices == nil {
		prices = noPrices{}
	}
	a := &Account{
		prices: prices, purses: map[base]*purse{}, holds: map[uint64]hold{},
		told: map[string]int64{}, due: map[string]Reached{},
	}
	return a, a.Configure(customer)
}

// Configure takes the tenant's budgets as they are now. What was counted stays
// where it is counted still; a new way of counting begins before the log.
func (a *Account) Configure(customer tenant.Tenant) error {
	rules, purses := make([]*rule, 0, len(customer.Budgets)), map[base]*purse{}
	for _, b := range customer.Budgets {
		location, err := b.Location()
		if err != nil {
			return fmt.Errorf("budget %s: zone: %w", b.Name, err)
		}
		b.Per = cmp.Or(b.Per, tenant.ScopeTenant)
		counts := base{unit: b.Unit, currency: b.Currency, every: b.Period, zone: cmp.Or(b.Zone, "UTC"), per: b.Per}
		if purses[counts] == nil {
			purses[counts] = cmp.Or(a.purses[counts], newPurse(counts, location))
		}
		rules = append(rules, &rule{Budget: b, purse: purses[counts], reserved: map[events.SessionID]tenant.Amount{}})
	}
	a.customer, a.rules, a.purses, a.due = customer, rules, purses, map[string]Reached{}
	for _, h := range a.holds {
		a.reserve(h.run, 1)
	}
	for _, p := range purses {
		for in := range p.spent {
			a.mark(p, in)
		}
	}
	return nil
}

// Hard reports whether anything can be refused.
func (a *Account) Hard() bool {
	for _, r := range a.rules {
		if !r.Soft {
			return true
		}
	}
	return false
}

// Counts reports whether a budget is in that unit.
func (a *Account) Counts(unit tenant.BudgetUnit) bool {
	for _, r := range a.rules {
		if r.Unit == unit {
			return true
		}
	}
	return false
}

// Position is the place in the log up to which everything is counted.
func (a *Account) Position() uint64 {
	least, first := uint64(0), true
	for _, r := range a.rules {
		if first || r.purse.position < least {
			least, first = r.purse.position, false
		}
	}
	return least
}

// Decide says whether a run may start now, and sets aside for it if so. One that
// is held already may.
func (a *Account) Decide(run Run, now time.Time) Verdict {
	if _, held := a.holds[run.Request]; held {
		return Verdict{}
	}
	a.tick(now)
	verdict := Verdict{}
	for _, r := range a.rules {
		if r.Soft {
			continue
		}
		if found := a.judge(r, run); found.Decision > verdict.Decision {
			verdict = found
		}
	}
	if verdict.Decision == Granted {
		a.hold(run, false)
	}
	return verdict
}

func (a *Account) judge(r *rule, run Run) Verdict {
	in := r.purse.cell(run.Session, a.now)
	if err := a.unpriced(r, in); err != nil {
		return Verdict{Decision: Unknown, Detail: fmt.Sprintf("budget %s: what is spent in %s cannot be counted: %s", r.Name, r.Currency, err)}
	}
	spent, reserved := r.purse.spent[in], r.reserved[in.session]
	wants := a.customer.Reserves(r.Budget, run.Kind)
	detail := func(of string) string {
		return fmt.Sprintf("budget %s is %s %s a %s%s: %s spent, %s set aside, %s needed",
			r.Name, r.Limit, cmp.Or(r.Currency, string(r.Unit)), r.Period, of, spent, reserved, wants)
	}
	of := ""
	if r.Per == tenant.ScopeSession {
		of = " for a session"
	}
	switch {
	case wants == 0: // of what the budget counts it uses nothing
		return Verdict{}
	case spent+wants > r.Limit:
		return Verdict{Decision: Refused, Detail: detail(of)}
	case spent+reserved+wants > r.Limit:
		return Verdict{Decision: Waits, Detail: detail(of)}
	default:
		return Verdict{}
	}
}

// Hold sets aside for a run that somebody else has granted, whatever the limits
// say.
func (a *Account) Hold(run Run) { a.hold(run, false) }

// Begin takes in that the log, at this place, says that a run has begun. It is
// run to its end, so it is held whatever the limits say.
func (a *Account) Begin(place uint64, run Run) {
	if place > a.Position() {
		a.hold(run, true)
	}
}

// Keep holds a run that has begun though nothing here knew of it.
func (a *Account) Keep(run Run) { a.hold(run, true) }

func (a *Account) hold(run Run, started bool) {
	if held, again := a.holds[run.Request]; again {
		held.started = held.started || started
		a.holds[run.Request] = held
		return
	}
	a.holds[run.Request] = hold{run: run, started: started}
	a.reserve(run, 1)
}

// Holds reports whether something is set aside for the request.
func (a *Account) Holds(request uint64) bool {
	_, held := a.holds[request]
	return held
}

// Cancel frees what is set aside for a run that was not granted after all; one
// that has begun keeps it.
func (a *Account) Cancel(request uint64) bool {
	return !a.holds[request].started && a.Release(request)
}

// Release frees what is set aside for a run that has ended without a fact.
func (a *Account) Release(request uint64) bool {
	held, known := a.holds[request]
	if !known {
		return false
	}
	delete(a.holds, request)
	a.reserve(held.run, -1)
	return true
}

// Held are the runs that something is set aside for, in no order.
func (a *Account) Held() []Run {
	runs := make([]Run, 0, len(a.holds))
	for _, held := range a.holds {
		runs = append(runs, held.run)
	}
	return runs
}

func (a *Account) reserve(run Run, times tenant.Amount) {
	for _, r := range a.rules {
		if r.Soft {
			continue
		}
		whose := events.SessionID("")
		if r.Per == tenant.ScopeSession {
			whose = run.Session
		}
		r.reserved[whose] += times * a.customer.Reserves(r.Budget, run.Kind)
		if r.reserved[whose] == 0 {
			delete(r.reserved, whose)
		}
	}
}

// Settle counts an ending, once, and frees what was set aside for it.
func (a *Account) Settle(fact Fact) {
	a.tick(fact.At)
	a.Release(fact.Request)
	for _, p := range a.purses {
		if period(p.every, fact.At, p.location) < p.oldest(a.now) {
			continue
		}
		if in, counted := p.count(fact, a.prices); counted {
			a.mark(p, in)
		}
	}
}

// Advance tells that every fact up to this place of the log has been settled.
func (a *Account) Advance(through uint64) {
	for _, r := range a.rules {
		r.purse.advance(through)
	}
}

// tick moves time on, and forgets periods that are long over.
func (a *Account) tick(now time.Time) {
	if !now.After(a.now) {
		return
	}
	before := a.now
	a.now = now
	for _, p := range a.purses {
		oldest := p.oldest(now)
		if !before.IsZero() && oldest == p.oldest(before) {
			continue
		}
		for in := range p.spent {
			if in.start < oldest {
				delete(p.spent, in)
				delete(p.bills, in)
			}
		}
	}
	a.forget()
}
