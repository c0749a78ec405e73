package rating

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/usage"
)

// percentage prices each event by its own amount of money, at least minimum and
// at most cap where there are such.
type percentage struct {
	rate         *apd.Decimal // as a fraction: 0.0099 for 0.99 %
	minimum, cap *apd.Decimal // nil: none
	told         Percentage
}

type writtenPercentage struct {
	Rate    string `yaml:"rate"`
	Minimum string `yaml:"minimum"`
	Cap     string `yaml:"cap"`
}

// Percentage is a price by percentage as the card has it: of each event, in
// percent, at least and at most so much.
type Percentage struct {
	Rate    string `json:"rate"`
	Minimum string `json:"minimum,omitempty"`
	Cap     string `json:"cap,omitempty"`
}

func (w writtenPercentage) percentage() (*percentage, error) {
	rate, err := unitPrice(w.Rate, 100)
	if err != nil {
		return nil, fmt.Errorf("percentage.rate: %w", err)
	}
	parsed := &percentage{rate: rate, told: Percentage(w)}
	if w.Minimum != "" {
		if parsed.minimum, err = decimal(w.Minimum); err != nil {
			return nil, fmt.Errorf("percentage.minimum: %w", err)
		}
	}
	if w.Cap != "" {
		if parsed.cap, err = decimal(w.Cap); err != nil {
			return nil, fmt.Errorf("percentage.cap: %w", err)
		}
	}
	if parsed.minimum != nil && parsed.cap != nil && parsed.minimum.Cmp(parsed.cap) > 0 {
		return nil, errors.New("percentage.minimum: is above the cap")
	}
	return parsed, nil
}

// charge prices so many events of one amount, without rounding.
func (p *percentage) charge(amount usage.Amount, count int64) (*apd.Decimal, error) {
	context := money.Exact()
	each := new(apd.Decimal)
	if _, err := context.Mul(each, amount.Decimal(), p.rate); err != nil {
		return nil, err
	}
	if p.minimum != nil && each.Cmp(p.minimum) < 0 {
		each = p.minimum
	}
	if p.cap != nil && each.Cmp(p.cap) > 0 {
		each = p.cap
	}
	all := new(apd.Decimal)
	_, err := context.Mul(all, each, apd.New(count, 0))
	return all, err
}
