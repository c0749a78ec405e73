package budget

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/feira-dev/feira/internal/tenant"
)

// Prices tell what use costs a tenant. They may change whenever they like; who
// changes them has the account count anew ([Account.Reprice]).
type Prices interface {
	// Month is when the period of billing begins that a moment lies in: what is
	// used in one is priced together.
	Month(at time.Time) time.Time
	// Cost is what the use of such a period costs, rounded up once. It fails when
	// nobody knows, with a text for the tenant's operator.
	Cost(currency string, month time.Time, use Use) (tenant.Amount, error)
}

// errNoPrices occurs when an account has no prices.
var errNoPrices = errors.New("there are no prices")

// noPrices know none.
type noPrices struct{}

// Month implements [Prices].
func (noPrices) Month(time.Time) time.Time { return time.Time{} }

// Cost implements [Prices].
func (noPrices) Cost(string, time.Time, Use) (tenant.Amount, error) { return 0, errNoPrices }

// plus adds up. It stops at the largest number: a model that says it used more
// must not make what was spent less.
func (u Use) plus(more Use) Use {
	return Use{
		Calls: sum(u.Calls, more.Calls), InputTokens: sum(u.InputTokens, more.InputTokens), OutputTokens: sum(u.OutputTokens, more.OutputTokens),
	}
}

func sum(a, b int64) int64 {
	a, b = max(a, 0), max(b, 0)
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// bill is what a cell of a purse of money is made of: the use of each month, so
// that whichever card prices it, also one that comes later, prices all of it.
type bill struct {
	// carried was counted when only amounts were kept.
	carried tenant.Amount
	months  []share // in order
	unknown error   // why it is not known what it comes to
}

// share is the use of one month, which is told by when it begins.
type share struct {
	month int64
	use   Use
	cost  tenant.Amount
	err   error
}

// add takes in a use, and returns what the cell comes to.
func (b *bill) add(prices Prices, currency string, month time.Time, use Use) tenant.Amount {
	at, known := slices.BinarySearchFunc(b.months, month.Unix(), func(s share, month int64) int { return cmp.Compare(s.month, month) })
	if !known {
		b.months = slices.Insert(b.months, at, share{month: month.Unix()})
	}
	b.months[at].use = b.months[at].use.plus(use)
	b.months[at].price(prices, currency)
	return b.total()
}

func (s *share) price(prices Prices, currency string) {
	s.cost, s.err = prices.Cost(currency, time.Unix(s.month, 0), s.use)
}

// price prices every month anew.
func (b *bill) price(prices Prices, currency string) tenant.Amount {
	for i := range b.months {
		b.months[i].price(prices, currency)
	}
	return b.total()
}

// total is what is known of it, at most more than any budget has: beyond that no
// sum with what is set aside may wrap around.
func (b *bill) total() tenant.Amount {
	all := b.carried
	b.unknown = nil
	for _, s := range b.months {
		all = min(tenant.Amount(sum(int64(all), int64(s.cost))), tenant.Whole(tenant.MaxBudget))
		if s.err != nil && b.unknown == nil {
			b.unknown = fmt.Errorf("in %s: %w", time.Unix(s.month, 0).UTC().Format("2006-01"), s.err)
		}
	}
	return all
}

// Reprice counts what was spent anew by the prices as they are now.
func (a *Account) Reprice() {
	a.due = map[string]Reached{}
	for _, p := range a.purses {
		for in, b := range p.bills {
			p.spent[in] = b.price(a.prices, p.currency)
		}
		for in := range p.spent {
			a.mark(p, in)
		}
	}
}

// unpriced says why it is not known what a rule's cell has spent, or would.
func (a *Account) unpriced(r *rule, in cell) error {
	if r.Unit != tenant.UnitMoney {
		return nil
	}
	if b := r.purse.bills[in]; b != nil && b.unknown != nil {
		return b.unknown
	}
	_, err := a.prices.Cost(r.Currency, a.prices.Month(a.now), Use{Calls: 1, InputTokens: 1, OutputTokens: 1})
	return err
}
