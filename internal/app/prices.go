package app

import (
	"fmt"
	"math/big"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/usage"
)

// pricesOf are what a budget of money counts by: the card's general price of a
// tool call and of a token, exact, rounded up to a millionth for each run. An
// ending tells how much was used and not of what, so prices for one tool, server
// or model alone, and what a card includes, count on the bill and not here. A
// card that lacks a plain price of one of the three knows none.
func pricesOf(card *rating.Card) (budget.Prices, error) {
	var units [3]*big.Rat
	for i, key := range []usage.Key{
		{Meter: events.MeterToolCall, Unit: events.UnitCall, Billable: true},
		{Meter: events.MeterModelReply, Unit: events.UnitInputToken, Billable: true},
		{Meter: events.MeterModelReply, Unit: events.UnitOutputToken, Billable: true},
	} {
		bill, err := rating.Rate(card, rating.Usage{Totals: usage.Totals{{Key: key, Amount: usage.WholeAmount(1)}}})
		if err != nil {
			return nil, fmt.Errorf("reading the price of a unit %s: %w", key.Unit, err)
		}
		if len(bill.Lines) == 0 || bill.Lines[0].UnitPrice == "" { // none, or one that depends on how much there is
			return nil, nil
		}
		unit, ok := new(big.Rat).SetString(string(bill.Lines[0].UnitPrice))
		if !ok {
			return nil, fmt.Errorf("reading the price of a unit %s: %q is no decimal", key.Unit, bill.Lines[0].UnitPrice)
		}
		units[i] = unit
	}
	return func(currency string, use budget.Use) (tenant.Amount, bool) {
		if currency != string(card.Currency) {
			return 0, false
		}
		sum := new(big.Rat)
		for i, n := range []int64{use.Calls, use.InputTokens, use.OutputTokens} {
			sum.Add(sum, new(big.Rat).Mul(units[i], new(big.Rat).SetInt64(n)))
		}
		sum.Mul(sum, new(big.Rat).SetInt64(int64(tenant.Whole(1))))
		micros, rest := new(big.Int).QuoRem(sum.Num(), sum.Denom(), new(big.Int))
		if rest.Sign() > 0 {
			micros.Add(micros, big.NewInt(1))
		}
		if !micros.IsInt64() || micros.Int64() > int64(tenant.Whole(tenant.MaxBudget)) {
			return tenant.Whole(tenant.MaxBudget), true // more than any budget has
		}
		return tenant.Amount(micros.Int64()), true
	}, nil
}
