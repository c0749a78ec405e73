package usage

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/events"
)

// Bill is what totals cost by a rate card. Its JSON is the contract of the
// billing API: decimals are strings, lines stand in the order of the card.
type Bill struct {
	Currency Currency `json:"currency"`
	// Total is the exact sum of the lines' amounts.
	Total Money  `json:"total"`
	Lines []Line `json:"lines"`
	// Unpriced is billable usage that no price takes. It costs nothing yet and
	// is never left out in silence.
	Unpriced []Unpriced `json:"unpriced,omitempty"`
	// Version is that of the rate card.
	Version string `json:"-"`
}

// Line is what one price of the card came to.
type Line struct {
	// Meter is the line's name on the card, such as tool_calls.
	Meter string `json:"meter"`
	// Server, Tool and Model are set where the price is for these alone.
	Server string `json:"server,omitempty"`
	Tool   string `json:"tool,omitempty"`
	Model  string `json:"model,omitempty"`
	// Quantity is all that was used, Included the part of it that is free.
	Quantity Amount `json:"quantity"`
	Included Amount `json:"included,omitzero"`
	// UnitPrice is the price of one unit, exact.
	UnitPrice Price `json:"unit_price"`
	// Amount is (Quantity - Included) * UnitPrice, rounded once, half to even.
	Amount Money `json:"amount"`
}

// Unpriced is a quantity without a price.
type Unpriced struct {
	Meter    events.Meter `json:"meter"`
	Unit     string       `json:"unit"`
	Quantity Amount       `json:"quantity"`
}

// Price is the exact price of one unit in major units, as a decimal text
// without exponent.
type Price string

// Rate prices totals by a card. Usage that is not billable costs nothing and
// makes no line. The same totals in any order give the same bill.
func Rate(card *RateCard, totals Totals) (Bill, error) {
	sums := make([]Amount, len(card.prices))
	unpriced := NewTally()
	for _, total := range totals {
		if !total.Billable || total.Amount.IsZero() {
			continue
		}
		place, ok := card.find(total.Key)
		if !ok {
			if err := unpriced.Add(Key{Meter: total.Meter, Unit: total.Unit}, total.Amount); err != nil {
				return Bill{}, fmt.Errorf("rating %s %s: %w", total.Meter, total.Unit, err)
			}
			continue
		}
		sum, err := sums[place].Add(total.Amount)
		if err != nil {
			return Bill{}, fmt.Errorf("rating %s: %w", card.prices[place].line, err)
		}
		sums[place] = sum
	}
	bill := Bill{Currency: card.Currency, Total: Money{currency: card.Currency}, Lines: []Line{}, Version: card.Version}
	for i, sum := range sums {
		if sum.IsZero() {
			continue
		}
		if err := bill.add(card.prices[i], sum); err != nil {
			return Bill{}, fmt.Errorf("rating %s: %w", card.prices[i].line, err)
		}
	}
	for _, total := range unpriced.Totals() {
		bill.Unpriced = append(bill.Unpriced, Unpriced{Meter: total.Meter, Unit: total.Unit, Quantity: total.Amount})
	}
	return bill, nil
}

func (b *Bill) add(price price, quantity Amount) error {
	included := price.included
	if quantity.decimal().Cmp(included.decimal()) < 0 {
		included = quantity
	}
	context := exact()
	charged, product := new(apd.Decimal), new(apd.Decimal)
	if _, err := context.Sub(charged, quantity.decimal(), included.decimal()); err != nil {
		return err
	}
	if _, err := context.Mul(product, charged, price.unit); err != nil {
		return err
	}
	amount, err := moneyOf(product, b.Currency)
	if err != nil {
		return err
	}
	if b.Total, err = b.Total.Add(amount); err != nil {
		return err
	}
	b.Lines = append(b.Lines, Line{
		Meter: price.line, Server: price.selector.server, Tool: price.selector.tool, Model: price.selector.model,
		Quantity: quantity, Included: included, UnitPrice: Price(plain(price.unit)), Amount: amount,
	})
	return nil
}
