package rating

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/usage"
)

// tiers price by how much there is. Graduated ones price each part of a
// quantity by the step that it is in; of volume ones the step that the whole is
// in prices all of it.
type tiers struct {
	volume bool
	steps  []step
}

// step reaches up to a quantity, included; the last one has no end.
type step struct {
	upTo *usage.Amount
	unit *apd.Decimal
}

type writtenTiers struct {
	Mode  string        `yaml:"mode"`
	Steps []writtenStep `yaml:"steps"`
}

type writtenStep struct {
	UpTo      string `yaml:"up_to"`
	UnitPrice string `yaml:"unit_price"`
}

func (w writtenTiers) tiers(per int64) (*tiers, error) {
	parsed := &tiers{volume: w.Mode == "volume"}
	var before usage.Amount
	for i, written := range w.Steps {
		unit, err := unitPrice(written.UnitPrice, per)
		if err != nil {
			return nil, fmt.Errorf("tiers.steps[%d].%w", i, err)
		}
		next := step{unit: unit}
		last := i == len(w.Steps)-1
		if (written.UpTo == "") != last {
			return nil, fmt.Errorf("tiers.steps[%d].up_to: the last step has none, and every other one has one", i)
		}
		if !last {
			end, err := usage.ParseAmount(written.UpTo)
			if err != nil {
				return nil, fmt.Errorf("tiers.steps[%d].up_to: %w", i, err)
			}
			if _, err := before.Subtract(end); err == nil {
				return nil, fmt.Errorf("tiers.steps[%d].up_to: %s is not above %s", i, end, before)
			}
			next.upTo, before = &end, end
		}
		parsed.steps = append(parsed.steps, next)
	}
	return parsed, nil
}

// Tier is what one step of a price came to.
type Tier struct {
	// UpTo is the step's end, included; empty on the last one.
	UpTo      string       `json:"up_to,omitempty"`
	Quantity  usage.Amount `json:"quantity"`
	UnitPrice Price        `json:"unit_price"`
}

// charge prices a quantity and says which steps took part.
func (t *tiers) charge(quantity usage.Amount) (*apd.Decimal, []Tier, error) {
	var parts []Tier
	sum := new(apd.Decimal)
	var priced usage.Amount // so much has its price
	for _, step := range t.steps {
		part, err := step.part(quantity, priced, t.volume)
		if err != nil {
			return nil, nil, err
		}
		if part.IsZero() {
			continue
		}
		context := money.Exact()
		product := new(apd.Decimal)
		if _, err := context.Mul(product, part.Decimal(), step.unit); err != nil {
			return nil, nil, err
		}
		if _, err := context.Add(sum, sum, product); err != nil {
			return nil, nil, err
		}
		tier := Tier{Quantity: part, UnitPrice: Price(money.Plain(step.unit))}
		if step.upTo != nil {
			tier.UpTo = step.upTo.String()
		}
		parts = append(parts, tier)
		if priced, err = priced.Add(part); err != nil {
			return nil, nil, err
		}
	}
	return sum, parts, nil
}

// part is how much of a quantity the step prices, when so much has its price.
func (s step) part(quantity, priced usage.Amount, volume bool) (usage.Amount, error) {
	rest, err := quantity.Subtract(priced)
	if err != nil {
		return usage.Amount{}, err
	}
	if s.upTo == nil {
		return rest, nil
	}
	_, beyond := s.upTo.Subtract(quantity)
	switch {
	case beyond == nil: // the quantity ends in this step
		return rest, nil
	case volume:
		return usage.Amount{}, nil
	default:
		return s.upTo.Subtract(priced)
	}
}
