package rating

import (
	"fmt"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/goccy/go-yaml"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/usage"
)

// MostOf is the most that a unit of a usage costs by the card, exact: its price,
// or that of the dearest step of its tiers, whatever is included. So many units
// never cost more than so many times it, and exactly that where the price has
// neither. False when no price takes the usage, or one by percentage does.
func (c *Card) MostOf(key usage.Key) (*apd.Decimal, bool) {
	place, ok := c.find(key)
	if !ok {
		return nil, false
	}
	switch price := c.prices[place]; {
	case price.tiers != nil:
		most := new(apd.Decimal)
		for _, step := range price.tiers.steps {
			if step.unit.Cmp(most) > 0 {
				most = step.unit
			}
		}
		return most, true
	case price.unit != nil:
		return price.unit, true
	default:
		return nil, false
	}
}

// Heading reads only what [Cards.At] chooses by, so that a card which cannot be
// read whole is still known to be in force, and for whom. What it returns has no
// prices and is not to be rated by.
func Heading(text []byte) (*Card, error) {
	var written struct {
		Version       string            `yaml:"version"`
		Kind          Kind              `yaml:"kind"`
		Tenants       []events.TenantID `yaml:"tenants"`
		Currency      money.Currency    `yaml:"currency"`
		EffectiveFrom string            `yaml:"effective_from"`
	}
	if err := yaml.Unmarshal(text, &written); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidCard, err)
	}
	from, err := time.Parse(time.RFC3339, written.EffectiveFrom)
	if err != nil {
		return nil, fmt.Errorf("%w: effective_from: %w", ErrInvalidCard, err)
	}
	switch written.Kind {
	case KindPrice, KindCost:
	case "":
		written.Kind = KindPrice
	default:
		return nil, fmt.Errorf("%w: kind is %q", ErrInvalidCard, written.Kind)
	}
	return &Card{Version: written.Version, Kind: written.Kind, Tenants: written.Tenants, Currency: written.Currency, EffectiveFrom: from}, nil
}
