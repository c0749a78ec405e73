package app

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/usage"
)

// tariff is what a budget of money counts by: a card's general price of a tool
// call and of a token, exact; of tiers the dearest step. An ending tells how much
// was used and not of what, so prices for one tool, server or model alone, what a
// card includes, its minimum fee and what is settled elsewhere count on the bill
// and not here.
type tariff struct {
	currency money.Currency
	units    [3]*big.Rat // of a call, an input token, an output token
}

// errNoUnit occurs when a card has no price of what every run uses: what is spent
// by it nobody can count.
var errNoUnit = errors.New("has no general price")

// tariffOf reads the prices of a card.
func tariffOf(card *rating.Card) (*tariff, error) {
	made := &tariff{currency: card.Currency}
	for i, key := range []usage.Key{
		{Meter: events.MeterToolCall, Unit: events.UnitCall, Billable: true},
		{Meter: events.MeterModelReply, Unit: events.UnitInputToken, Billable: true},
		{Meter: events.MeterModelReply, Unit: events.UnitOutputToken, Billable: true},
	} {
		price, ok := card.MostOf(key)
		if !ok {
			return nil, fmt.Errorf("rate card %s %w of %s %s", card.Version, errNoUnit, key.Meter, key.Unit)
		}
		unit, ok := new(big.Rat).SetString(money.Plain(price))
		if !ok {
			return nil, fmt.Errorf("rate card %s: the price of %s %s is no decimal", card.Version, key.Meter, key.Unit)
		}
		made.units[i] = unit
	}
	return made, nil
}

// cost is what the use comes to, rounded up to a millionth once.
func (t *tariff) cost(use budget.Use) tenant.Amount {
	sum := new(big.Rat)
	for i, n := range []int64{use.Calls, use.InputTokens, use.OutputTokens} {
		sum.Add(sum, new(big.Rat).Mul(t.units[i], new(big.Rat).SetInt64(n)))
	}
	sum.Mul(sum, new(big.Rat).SetInt64(int64(tenant.Whole(1))))
	micros, rest := new(big.Int).QuoRem(sum.Num(), sum.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		micros.Add(micros, big.NewInt(1))
	}
	if !micros.IsInt64() || micros.Int64() > int64(tenant.Whole(tenant.MaxBudget)) {
		return tenant.Whole(tenant.MaxBudget) // more than any budget has
	}
	return tenant.Amount(micros.Int64())
}

// tenantPrices are a tenant's, by the cards that bill. They belong to one
// goroutine.
type tenantPrices struct {
	id     tenant.ID
	cards  func() *cardSet // those of now
	set    *cardSet        // whose tariffs these are
	months map[int64]monthly
}

// monthly is the tariff of a month, or why there is none.
type monthly struct {
	*tariff

	version string
	err     error
}

// Month implements [budget.Prices]: months are billed by the card that is in
// force when they begin.
func (p *tenantPrices) Month(at time.Time) time.Time {
	return usage.MonthOf(at, p.cards().zone).From
}

// Cost implements [budget.Prices].
func (p *tenantPrices) Cost(currency string, month time.Time, use budget.Use) (tenant.Amount, error) {
	if set := p.cards(); set != p.set {
		p.set, p.months = set, map[int64]monthly{}
	}
	found, known := p.months[month.Unix()]
	if !known {
		found = p.set.tariff(month, p.id)
		p.months[month.Unix()] = found
	}
	switch {
	case found.err != nil:
		return 0, found.err
	case currency != string(found.currency):
		return 0, fmt.Errorf("rate card %s is in %s", found.version, found.currency)
	default:
		return found.cost(use), nil
	}
}
