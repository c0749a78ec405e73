package rating

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/usage"
)

// price is one line of a bill before there is usage. Exactly one of unit, tiers
// and percentage is set.
type price struct {
	line       string
	selector   selector
	included   usage.Amount
	unit       *apd.Decimal // of one unit, exact
	tiers      *tiers
	percentage *percentage
}

// selector says which usage a price takes; an empty server, tool or model
// takes any.
type selector struct {
	meter               events.Meter
	unit                string
	server, tool, model string
}

func (s selector) takes(key usage.Key) bool {
	return s.meter == key.Meter && s.unit == key.Unit &&
		(s.server == "" || s.server == key.Server) &&
		(s.tool == "" || s.tool == key.Tool) &&
		(s.model == "" || s.model == key.Model)
}

// weight orders the prices that take the same usage. Two with one weight ask
// for the same fields, so both can only take it if they are equal, which
// parsing refuses.
func (s selector) weight() int {
	weight := 0
	if s.tool != "" {
		weight += 4
	}
	if s.server != "" {
		weight += 2
	}
	if s.model != "" {
		weight++
	}
	return weight
}

type writtenPrice struct {
	Line       string             `yaml:"line"`
	Meter      events.Meter       `yaml:"meter"`
	Unit       string             `yaml:"unit"`
	Server     string             `yaml:"server"`
	Tool       string             `yaml:"tool"`
	Model      string             `yaml:"model"`
	UnitPrice  string             `yaml:"unit_price"`
	Per        int64              `yaml:"per"`
	Included   string             `yaml:"included"`
	Tiers      *writtenTiers      `yaml:"tiers"`
	Percentage *writtenPercentage `yaml:"percentage"`
}

func (w writtenPrice) price(currency money.Currency) (price, error) {
	parsed := price{
		line:     w.Line,
		selector: selector{meter: w.Meter, unit: w.Unit, server: w.Server, tool: w.Tool, model: w.Model},
	}
	var err error
	if w.Included != "" {
		if parsed.included, err = usage.ParseAmount(w.Included); err != nil {
			return price{}, fmt.Errorf("included: %w", err)
		}
	}
	switch {
	case w.Percentage != nil:
		if w.Unit != string(currency) {
			return price{}, fmt.Errorf("percentage: unit is %q, want the card's currency %s: a percentage is of money", w.Unit, currency)
		}
		if w.Per != 0 || w.Included != "" {
			return price{}, errors.New("percentage: excludes per and included")
		}
		parsed.percentage, err = w.Percentage.percentage()
	case w.Tiers != nil:
		parsed.tiers, err = w.Tiers.tiers(w.Per)
	default:
		parsed.unit, err = unitPrice(w.UnitPrice, w.Per)
	}
	return parsed, err
}

// unitPrice is the exact price of one unit.
func unitPrice(text string, per int64) (*apd.Decimal, error) {
	written, err := decimal(text)
	if err != nil {
		return nil, fmt.Errorf("unit_price: %w", err)
	}
	context := money.Exact()
	unit := new(apd.Decimal)
	if _, err := context.Quo(unit, written, apd.New(max(per, 1), 0)); err != nil {
		return nil, fmt.Errorf("unit_price per %d is not exact: %w", per, err)
	}
	return unit, nil
}

// decimal reads what the schema has let through.
func decimal(text string) (*apd.Decimal, error) {
	value, _, err := apd.NewFromString(text)
	return value, err
}
