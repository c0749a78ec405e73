package invoice

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
)

// Account is where postings go. A debit is positive, a credit negative.
type Account string

// Accounts, one of each for each tenant.
const (
	// AccountReceivable is what the tenant owes.
	AccountReceivable Account = "receivable"
	// AccountRevenue is what was earned, to the last digit.
	AccountRevenue Account = "revenue"
	// AccountRounding takes what lines round away.
	AccountRounding Account = "rounding"
	// AccountPrepaid is credit that the tenant has not used.
	AccountPrepaid Account = "prepaid"
	// AccountBreakage is credit that expired unused.
	AccountBreakage Account = "breakage"
	// AccountCash is what came in from outside.
	AccountCash Account = "cash"
	// AccountCost is what providers and models charge us, AccountPayable what we
	// owe them.
	AccountCost    Account = "provider_cost"
	AccountPayable Account = "provider_payable"
)

// Transaction is postings that happen together, once: its key is unique within
// the tenant.
type Transaction struct {
	Key      string
	Postings []Posting
}

// Posting is an exact amount on an account.
type Posting struct {
	Account  Account
	Currency money.Currency
	Amount   *apd.Decimal
}

// Check is [ErrUnbalanced] unless the postings of each currency sum to zero.
func (t Transaction) Check() error {
	sums := map[money.Currency]*apd.Decimal{}
	context := money.Exact()
	for _, posting := range t.Postings {
		if sums[posting.Currency] == nil {
			sums[posting.Currency] = new(apd.Decimal)
		}
		if _, err := context.Add(sums[posting.Currency], sums[posting.Currency], posting.Amount); err != nil {
			return fmt.Errorf("transaction %s: %w", t.Key, err)
		}
	}
	for currency, sum := range sums {
		if !sum.IsZero() {
			return fmt.Errorf("%w: transaction %s, %s %s", ErrUnbalanced, t.Key, currency, money.Plain(sum))
		}
	}
	return nil
}

// Transaction is what an issued document books. It follows from the document
// alone. A line's revenue is exact, and what its rounding added or took stands
// beside it.
func (i Invoice) Transaction() (Transaction, error) {
	booked := Transaction{Key: i.ID}
	post := func(account Account, amount *apd.Decimal) {
		if !amount.IsZero() {
			booked.Postings = append(booked.Postings, Posting{Account: account, Currency: i.Currency, Amount: amount})
		}
	}
	for _, line := range i.Lines {
		exact, err := plus(line.Exact, new(apd.Decimal))
		if err != nil {
			return booked, fmt.Errorf("booking %s: %w", i.ID, err)
		}
		amount, err := money.Parse(line.Amount, i.Currency)
		if err != nil {
			return booked, fmt.Errorf("booking %s: %w", i.ID, err)
		}
		residue, err := minus(line.Exact, amount.Decimal())
		if err != nil {
			return booked, fmt.Errorf("booking %s: %w", i.ID, err)
		}
		post(AccountReceivable, amount.Decimal())
		post(AccountRevenue, new(apd.Decimal).Neg(exact))
		post(AccountRounding, residue)
	}
	for _, credit := range i.Credits {
		paid, err := money.Parse(credit.Amount, i.Currency)
		if err != nil {
			return booked, fmt.Errorf("booking %s: %w", i.ID, err)
		}
		post(AccountPrepaid, paid.Decimal())
		post(AccountReceivable, paid.Negate().Decimal())
	}
	return booked, booked.Check()
}

// CostTransaction is what the usage of an invoice's own period cost us, by a
// card of kind cost.
func CostTransaction(id string, bill rating.Bill) Transaction {
	booked := Transaction{Key: "cost:" + id}
	for _, line := range bill.Lines {
		if line.Exact.IsZero() {
			continue
		}
		booked.Postings = append(booked.Postings,
			Posting{Account: AccountCost, Currency: bill.Currency, Amount: line.Exact},
			Posting{Account: AccountPayable, Currency: bill.Currency, Amount: new(apd.Decimal).Neg(line.Exact)})
	}
	return booked
}

// Transaction is what a grant books.
func (g Grant) Transaction() Transaction {
	return twoSided("grant:"+g.ID, AccountCash, AccountPrepaid, g.Amount)
}

// Expire is what the rest of a grant books when it has expired.
func (g Grant) Expire(left money.Amount) Transaction {
	return twoSided("expiry:"+g.ID, AccountPrepaid, AccountBreakage, left)
}

func twoSided(key string, debit, credit Account, amount money.Amount) Transaction {
	return Transaction{Key: key, Postings: []Posting{
		{Account: debit, Currency: amount.Currency(), Amount: amount.Decimal()},
		{Account: credit, Currency: amount.Currency(), Amount: amount.Negate().Decimal()},
	}}
}
