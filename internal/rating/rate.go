package rating

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/usage"
)

// Usage is what is rated: totals of a period, and of the card's [Card.Each]
// meters each event, too.
type Usage struct {
	Totals  usage.Totals
	Charges usage.Charges
}

// Rate prices usage by a card. Usage that is not billable costs nothing and
// makes no line. The same usage in any order gives the same bill.
func Rate(card *Card, used Usage) (Bill, error) {
	rating := rating{card: card, sums: make([]sum, len(card.prices)), unpriced: usage.NewTally()}
	for _, total := range used.Totals {
		if err := rating.addTotal(total); err != nil {
			return Bill{}, err
		}
	}
	for _, charge := range used.Charges {
		if err := rating.addCharge(charge); err != nil {
			return Bill{}, err
		}
	}
	return rating.bill()
}

// rating is one run of [Rate].
type rating struct {
	card     *Card
	sums     []sum // by the place of the price
	unpriced *usage.Tally
}

// sum is what one price has taken.
type sum struct {
	quantity usage.Amount
	// charged, seen and events are of prices that look at each event.
	charged *apd.Decimal
	seen    usage.Amount
	events  int64
}

func (r *rating) addTotal(total usage.Total) error {
	if !total.Billable || total.Amount.IsZero() {
		return nil
	}
	place, ok := r.card.find(total.Key)
	if !ok {
		if err := r.unpriced.Add(usage.Key{Meter: total.Meter, Unit: total.Unit}, total.Amount); err != nil {
			return fmt.Errorf("rating %s %s: %w", total.Meter, total.Unit, err)
		}
		return nil
	}
	added, err := r.sums[place].quantity.Add(total.Amount)
	if err != nil {
		return fmt.Errorf("rating %s: %w", r.card.prices[place].line, err)
	}
	r.sums[place].quantity = added
	return nil
}

func (r *rating) addCharge(charge usage.Charge) error {
	place, ok := r.card.find(charge.Key)
	if !charge.Billable || !ok || r.card.prices[place].percentage == nil {
		return nil
	}
	price, sum := r.card.prices[place], &r.sums[place]
	charged, err := price.percentage.charge(charge.Amount, charge.Count)
	if err != nil {
		return fmt.Errorf("rating %s: %w", price.line, err)
	}
	if sum.charged == nil {
		sum.charged = new(apd.Decimal)
	}
	context := money.Exact()
	if _, err := context.Add(sum.charged, sum.charged, charged); err != nil {
		return fmt.Errorf("rating %s: %w", price.line, err)
	}
	quantity, err := charge.Amount.Times(charge.Count)
	if err == nil {
		sum.seen, err = sum.seen.Add(quantity)
	}
	if err != nil {
		return fmt.Errorf("rating %s: %w", price.line, err)
	}
	sum.events += charge.Count
	return nil
}

func (r *rating) bill() (Bill, error) {
	zero, err := money.New(0, r.card.Currency)
	if err != nil {
		return Bill{}, err
	}
	bill := Bill{Currency: r.card.Currency, Total: zero, Lines: []Line{}, Version: r.card.Version}
	for i, sum := range r.sums {
		if sum.quantity.IsZero() {
			continue
		}
		line, err := r.card.prices[i].rate(sum)
		if err == nil {
			err = bill.add(line)
		}
		if err != nil {
			return Bill{}, fmt.Errorf("rating %s: %w", r.card.prices[i].line, err)
		}
	}
	if err := bill.lift(r.card.MinimumFee); err != nil {
		return Bill{}, fmt.Errorf("rating %s: %w", LineMinimumFee, err)
	}
	for _, total := range r.unpriced.Totals() {
		bill.Unpriced = append(bill.Unpriced, Unpriced{Meter: total.Meter, Unit: total.Unit, Quantity: total.Amount})
	}
	return bill, nil
}

// rate is the line of a price, but for its rounded amount.
func (p price) rate(sum sum) (Line, error) {
	line := Line{
		Meter: p.line, Server: p.selector.server, Tool: p.selector.tool, Model: p.selector.model,
		Quantity: sum.quantity, Source: Source{Meter: p.selector.meter, Unit: p.selector.unit},
	}
	if p.percentage != nil {
		if sum.seen != sum.quantity {
			return Line{}, fmt.Errorf("%w: %s in all, %s of each", ErrChargesMissing, sum.quantity, sum.seen)
		}
		told := p.percentage.told
		line.Percentage, line.Events, line.Exact = &told, sum.events, sum.charged
		return line, nil
	}
	charged, err := sum.quantity.Subtract(p.included)
	line.Included = p.included
	if err != nil { // less than is included
		charged, line.Included = usage.Amount{}, sum.quantity
	}
	if p.tiers != nil {
		line.Exact, line.Tiers, err = p.tiers.charge(charged)
		return line, err
	}
	context := money.Exact()
	line.UnitPrice, line.Exact = Price(money.Plain(p.unit)), new(apd.Decimal)
	_, err = context.Mul(line.Exact, charged.Decimal(), p.unit)
	return line, err
}

// add rounds a line, once, and adds it.
func (b *Bill) add(line Line) error {
	amount, err := money.Round(line.Exact, b.Currency)
	if err != nil {
		return err
	}
	if b.Total, err = b.Total.Add(amount); err != nil {
		return err
	}
	line.Amount = amount
	b.Lines = append(b.Lines, line)
	return nil
}

// lift adds what the bill is short of a minimum.
func (b *Bill) lift(minimum money.Amount) error {
	short, err := minimum.Add(b.Total.Negate())
	if err != nil || short.Minor() <= 0 {
		return err
	}
	return b.add(Line{
		Meter: LineMinimumFee, Quantity: usage.WholeAmount(1), UnitPrice: Price(money.Plain(short.Decimal())), Exact: short.Decimal(),
	})
}
