package budget

import (
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

// base is a way of counting. Budgets that count alike share what was counted,
// so a changed limit, or a second budget, finds what was spent before it.
type base struct {
	unit     tenant.BudgetUnit
	currency string
	every    tenant.BudgetPeriod
	zone     string
	per      tenant.BudgetScope
}

// cell is whose spending in which period. The session is empty where the
// tenant's whole use is counted.
type cell struct {
	session events.SessionID
	start   int64
}

// purse is what was spent by one way of counting.
type purse struct {
	base

	location *time.Location
	spent    map[cell]tenant.Amount
	bills    map[cell]*bill // what spent is made of; of money alone
	// position is the place in the log up to which everything is counted.
	position uint64
	// counted are the places beyond it that are.
	counted map[uint64]struct{}
}

func newPurse(b base, location *time.Location) *purse {
	return &purse{base: b, location: location, spent: map[cell]tenant.Amount{}, bills: map[cell]*bill{}, counted: map[uint64]struct{}{}}
}

func (p *purse) cell(session events.SessionID, at time.Time) cell {
	if p.per != tenant.ScopeSession {
		session = ""
	}
	return cell{session: session, start: period(p.every, at, p.location)}
}

// count takes a fact in, once, and tells which cell it is in.
func (p *purse) count(fact Fact, prices Prices) (cell, bool) {
	if fact.Sequence <= p.position {
		return cell{}, false
	}
	if _, again := p.counted[fact.Sequence]; again {
		return cell{}, false
	}
	p.counted[fact.Sequence] = struct{}{}
	in := p.cell(fact.Session, fact.At)
	var amount tenant.Amount
	switch p.unit {
	case tenant.UnitCalls:
		amount = tenant.Whole(fact.Use.Calls)
	case tenant.UnitTokens:
		amount = tenant.Whole(fact.Use.Tokens())
	case tenant.UnitMoney:
		if fact.Use == (Use{}) {
			return in, false
		}
		p.spent[in] = p.bill(in).add(prices, p.currency, prices.Month(fact.At), fact.Use)
		return in, true
	}
	if amount == 0 {
		return in, false
	}
	p.spent[in] += amount
	return in, true
}

func (p *purse) bill(in cell) *bill {
	if p.bills[in] == nil {
		p.bills[in] = &bill{}
	}
	return p.bills[in]
}

// advance tells that all up to the place has been told of.
func (p *purse) advance(through uint64) {
	if through <= p.position {
		return
	}
	p.position = through
	for sequence := range p.counted {
		if sequence <= through {
			delete(p.counted, sequence)
		}
	}
}

// oldest is the first period that is kept: the one before the current one,
// since a run that began in it may end late.
func (p *purse) oldest(now time.Time) int64 {
	from, _ := span(p.every, now, p.location)
	if from.IsZero() {
		return 0
	}
	return period(p.every, from.Add(-time.Second), p.location)
}
