package invoice

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

// Params are all that an invoice follows from.
type Params struct {
	Tenant      events.TenantID
	Environment events.Environment
	IssuedAt    time.Time
	// Own is the period that the invoice is for.
	Own Part
	// Others are invoiced periods whose usage has changed since.
	Others []Part
	// Issued are the tenant's documents so far, in whatever order.
	Issued []Invoice
	// Grants are the tenant's prepaid credit, in whatever order.
	Grants []Grant
}

// Part is one period with its usage as it is now and the card that prices it.
type Part struct {
	Period Period
	Card   *rating.Card
	Usage  usage.Snapshot
}

func (p Part) rate() (rating.Bill, error) {
	bill, err := rating.Rate(p.Card, rating.Usage{Totals: p.Usage.Totals, Charges: p.Usage.Charges})
	if err != nil {
		return bill, fmt.Errorf("period %s: %w", p.Period.Name, err)
	}
	return bill, nil
}

// Draft makes the invoice of a period: a line for each price of its card, an
// adjustment for each line of another period that has changed, and what prepaid
// credit pays.
func Draft(params Params) (Invoice, error) {
	own := params.Own
	bill, err := own.rate()
	if err != nil {
		return Invoice{}, fmt.Errorf("drafting an invoice: %w", err)
	}
	drafted := Invoice{
		ID: name(params.Tenant, params.Environment, own.Period.Name), Kind: KindInvoice, Tenant: params.Tenant, Environment: params.Environment,
		Period: own.Period.Name, From: own.Period.From.UTC(), To: own.Period.To.UTC(), IssuedAt: params.IssuedAt.UTC(),
		Currency: bill.Currency, Lines: []Line{}, Credits: []Credit{}, Unpriced: bill.Unpriced,
		Included: Included{Events: own.Usage.Rows, Digest: own.Usage.Digest},
	}
	for _, rated := range bill.Lines {
		drafted.Lines = append(drafted.Lines, lineOf(rated, own))
	}
	others := slices.SortedFunc(slices.Values(params.Others), func(a, b Part) int { return cmp.Compare(a.Period.Name, b.Period.Name) })
	for _, other := range others {
		if other.Card.Currency != bill.Currency {
			return Invoice{}, fmt.Errorf("adjusting period %s: %w: %s and %s", other.Period.Name, money.ErrCurrencyMismatch, other.Card.Currency, bill.Currency)
		}
		lines, err := Adjust(other, params.Issued)
		if err != nil {
			return Invoice{}, fmt.Errorf("adjusting period %s: %w", other.Period.Name, err)
		}
		drafted.Lines = append(drafted.Lines, lines...)
	}
	if err := drafted.sum(params); err != nil {
		return Invoice{}, fmt.Errorf("drafting an invoice: %w", err)
	}
	return drafted, nil
}

func lineOf(rated rating.Line, part Part) Line {
	line := Line{
		Kind: LineUsage, Period: part.Period.Name, Name: rated.Meter, Server: rated.Server, Tool: rated.Tool, Model: rated.Model,
		Meter: rated.Source.Meter, Unit: rated.Source.Unit, Quantity: rated.Quantity.String(), UnitPrice: rated.UnitPrice,
		Tiers: rated.Tiers, Percentage: rated.Percentage, RateCard: part.Card.Version,
		Exact: money.Plain(rated.Exact), Amount: rated.Amount.Text(),
	}
	if !rated.Included.IsZero() {
		line.Included = rated.Included.String()
	}
	return line
}

// sum numbers the lines and adds them up.
func (i *Invoice) sum(params Params) error {
	subtotal, err := money.New(0, i.Currency)
	if err != nil {
		return err
	}
	for n := range i.Lines {
		i.Lines[n].Number = n + 1
		amount, err := money.Parse(i.Lines[n].Amount, i.Currency)
		if err != nil {
			return err
		}
		if subtotal, err = subtotal.Add(amount); err != nil {
			return err
		}
	}
	i.Subtotal = subtotal.Text()
	total, err := i.spend(subtotal, params)
	i.Total = total.Text()
	return err
}

// key is which line of a period this is, on whatever invoice.
func (l Line) key() string {
	return strings.Join([]string{l.Name, string(l.Meter), l.Unit, l.Server, l.Tool, l.Model}, "\x00")
}

// billed is what documents have billed of one line of a period.
type billed struct {
	line            Line
	quantity, exact *apd.Decimal
	amount          money.Amount
}

// Adjust is what leads from what documents bill of a period to what it costs
// by its usage as it is now: nothing when it is billed right.
func Adjust(part Part, issued []Invoice) ([]Line, error) {
	bill, err := part.rate()
	if err != nil {
		return nil, err
	}
	before, err := billedOf(part.Period.Name, bill.Currency, issued)
	if err != nil {
		return nil, err
	}
	var lines []Line
	for _, rated := range bill.Lines {
		line := lineOf(rated, part)
		changed, differs, err := difference(line, before[line.key()], bill.Currency)
		if err != nil {
			return nil, err
		}
		delete(before, line.key())
		if differs {
			lines = append(lines, changed)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) { // what costs nothing any more
		gone := before[key].line
		gone.Quantity, gone.Exact, gone.Amount = "0", "0", "0"
		changed, differs, err := difference(gone, before[key], bill.Currency)
		if err != nil {
			return nil, err
		}
		if differs {
			lines = append(lines, changed)
		}
	}
	return lines, nil
}

// difference is the adjustment that leads from what was billed to a line.
func difference(line Line, before *billed, currency money.Currency) (Line, bool, error) {
	if before == nil {
		zero, err := money.New(0, currency)
		if err != nil {
			return Line{}, false, err
		}
		before = &billed{quantity: new(apd.Decimal), exact: new(apd.Decimal), amount: zero}
	}
	now, err := money.Parse(line.Amount, currency)
	if err != nil {
		return Line{}, false, err
	}
	amount, err := now.Add(before.amount.Negate())
	if err != nil {
		return Line{}, false, err
	}
	quantity, err := minus(line.Quantity, before.quantity)
	if err != nil {
		return Line{}, false, err
	}
	exact, err := minus(line.Exact, before.exact)
	if err != nil {
		return Line{}, false, err
	}
	line.Kind, line.Quantity, line.Exact, line.Amount = LineAdjustment, money.Plain(quantity), money.Plain(exact), amount.Text()
	line.Included, line.Tiers = "", nil // these are of the whole, not of the difference
	return line, !amount.IsZero() || !quantity.IsZero() || !exact.IsZero(), nil
}

// billedOf adds up the lines of a period over all invoices. Credit notes are no
// part of it: they forgive, and do not change what was used.
func billedOf(period string, currency money.Currency, issued []Invoice) (map[string]*billed, error) {
	sums := map[string]*billed{}
	for _, document := range issued {
		if document.Kind != KindInvoice || document.Currency != currency {
			continue
		}
		for _, line := range document.Lines {
			if line.Period != period {
				continue
			}
			if err := addBilled(sums, line, currency); err != nil {
				return nil, fmt.Errorf("invoice %s, line %d: %w", document.ID, line.Number, err)
			}
		}
	}
	return sums, nil
}

func addBilled(sums map[string]*billed, line Line, currency money.Currency) error {
	amount, err := money.Parse(line.Amount, currency)
	if err != nil {
		return err
	}
	sum := sums[line.key()]
	if sum == nil {
		zero, err := money.New(0, currency)
		if err != nil {
			return err
		}
		sum = &billed{line: line, quantity: new(apd.Decimal), exact: new(apd.Decimal), amount: zero}
		sums[line.key()] = sum
	}
	if sum.quantity, err = plus(line.Quantity, sum.quantity); err != nil {
		return err
	}
	if sum.exact, err = plus(line.Exact, sum.exact); err != nil {
		return err
	}
	sum.amount, err = sum.amount.Add(amount)
	return err
}

func minus(text string, less *apd.Decimal) (*apd.Decimal, error) {
	return plus(text, new(apd.Decimal).Neg(less))
}

func plus(text string, more *apd.Decimal) (*apd.Decimal, error) {
	value, _, err := apd.NewFromString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", money.ErrInvalid, text)
	}
	context := money.Exact()
	sum := new(apd.Decimal)
	_, err = context.Add(sum, value, more)
	return sum, err
}
