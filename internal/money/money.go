package money

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/cockroachdb/apd/v3"
)

// Currency is an ISO 4217 code.
type Currency string

// Currencies whose minor unit is known.
const (
	CurrencyBRL Currency = "BRL"
	CurrencyUSD Currency = "USD"
	CurrencyEUR Currency = "EUR"
	CurrencyMXN Currency = "MXN"
	CurrencyARS Currency = "ARS"
	CurrencyCOP Currency = "COP"
	CurrencyCLP Currency = "CLP"
)

// Exponent is how many digits of the currency follow the point: 2 for
// centavos, 0 where there is no minor unit.
func (c Currency) Exponent() (int32, error) {
	switch c {
	case CurrencyBRL, CurrencyUSD, CurrencyEUR, CurrencyMXN, CurrencyARS, CurrencyCOP:
		return 2, nil
	case CurrencyCLP:
		return 0, nil
	default:
		return 0, fmt.Errorf("%w: %q", ErrUnknownCurrency, string(c))
	}
}

// Amount is an amount in minor units with its currency. It is never a float,
// and amounts of unlike currencies do not add.
type Amount struct {
	minor    int64
	currency Currency
}

// New is so many minor units (centavos for BRL) of a currency.
func New(minor int64, currency Currency) (Amount, error) {
	if _, err := currency.Exponent(); err != nil {
		return Amount{}, err
	}
	return Amount{minor: minor, currency: currency}, nil
}

// Minor is the amount in minor units.
func (m Amount) Minor() int64 { return m.minor }

// Currency is what the amount is of.
func (m Amount) Currency() Currency { return m.currency }

// Add returns the exact sum; [ErrCurrencyMismatch] for unlike currencies and
// [ErrOverflow] when it does not fit.
func (m Amount) Add(other Amount) (Amount, error) {
	if m.currency != other.currency {
		return Amount{}, fmt.Errorf("%w: %s and %s", ErrCurrencyMismatch, m.currency, other.currency)
	}
	over := other.minor > 0 && m.minor > math.MaxInt64-other.minor
	under := other.minor < 0 && m.minor < math.MinInt64-other.minor
	if over || under {
		return Amount{}, fmt.Errorf("%w: %s + %s", ErrOverflow, m, other)
	}
	return Amount{minor: m.minor + other.minor, currency: m.currency}, nil
}

// Text is the amount in major units with all digits of the currency, "12.30".
func (m Amount) Text() string {
	return m.Decimal().Text('f')
}

// String implements fmt.Stringer, "BRL 12.30".
func (m Amount) String() string { return string(m.currency) + " " + m.Text() }

// MarshalJSON writes the amount in major units as a string; the currency
// stands beside it in whatever holds the money.
func (m Amount) MarshalJSON() ([]byte, error) { return json.Marshal(m.Text()) }

// Parse reads an amount in major units with no more digits than the currency
// has: "12.30" or "12" of BRL.
func Parse(text string, currency Currency) (Amount, error) {
	exponent, err := currency.Exponent()
	if err != nil {
		return Amount{}, err
	}
	value, _, err := apd.NewFromString(text)
	if err != nil || value.Form != apd.Finite {
		return Amount{}, fmt.Errorf("%w: %q", ErrInvalid, text)
	}
	amount, err := Round(value, currency)
	if err != nil {
		return Amount{}, err
	}
	if amount.Decimal().Cmp(value) != 0 {
		return Amount{}, fmt.Errorf("%w: %q has more than %d digits after the point", ErrInvalid, text, exponent)
	}
	return amount, nil
}

// Decimal is the amount in major units.
func (m Amount) Decimal() *apd.Decimal {
	exponent, err := m.currency.Exponent()
	if err != nil {
		exponent = 0 // the zero value, which has no currency
	}
	return apd.New(m.minor, -exponent)
}

// Negate is the amount with the other sign.
func (m Amount) Negate() Amount { return Amount{minor: -m.minor, currency: m.currency} }

// IsZero reports whether there is nothing, of whatever currency.
func (m Amount) IsZero() bool { return m.minor == 0 }

// Round rounds a decimal of major units to minor ones, half to even.
func Round(value *apd.Decimal, currency Currency) (Amount, error) {
	exponent, err := currency.Exponent()
	if err != nil {
		return Amount{}, err
	}
	rounded, err := roundHalfEven(value, exponent)
	if err != nil {
		return Amount{}, err
	}
	rounded.Exponent += exponent
	minor, err := rounded.Int64()
	if err != nil {
		return Amount{}, fmt.Errorf("%w: %s %s", ErrOverflow, currency, Plain(value))
	}
	return Amount{minor: minor, currency: currency}, nil
}
