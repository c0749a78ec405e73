package usage

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

// Money is an amount in minor units with its currency. It is never a float,
// and amounts of unlike currencies do not add.
type Money struct {
	minor    int64
	currency Currency
}

// NewMoney is so many minor units (centavos for BRL) of a currency.
func NewMoney(minor int64, currency Currency) (Money, error) {
	if _, err := currency.Exponent(); err != nil {
		return Money{}, err
	}
	return Money{minor: minor, currency: currency}, nil
}

// Minor is the amount in minor units.
func (m Money) Minor() int64 { return m.minor }

// Currency is what the amount is of.
func (m Money) Currency() Currency { return m.currency }

// Add returns the exact sum; [ErrCurrencyMismatch] for unlike currencies and
// [ErrOverflow] when it does not fit.
func (m Money) Add(other Money) (Money, error) {
	if m.currency != other.currency {
		return Money{}, fmt.Errorf("%w: %s and %s", ErrCurrencyMismatch, m.currency, other.currency)
	}
	over := other.minor > 0 && m.minor > math.MaxInt64-other.minor
	under := other.minor < 0 && m.minor < math.MinInt64-other.minor
	if over || under {
		return Money{}, fmt.Errorf("%w: %s + %s", ErrOverflow, m, other)
	}
	return Money{minor: m.minor + other.minor, currency: m.currency}, nil
}

// Text is the amount in major units with all digits of the currency, "12.30".
func (m Money) Text() string {
	exponent, err := m.currency.Exponent()
	if err != nil {
		exponent = 0 // the zero value, which has no currency
	}
	return apd.New(m.minor, -exponent).Text('f')
}

// String implements fmt.Stringer, "BRL 12.30".
func (m Money) String() string { return string(m.currency) + " " + m.Text() }

// MarshalJSON writes the amount in major units as a string; the currency
// stands beside it in whatever holds the money.
func (m Money) MarshalJSON() ([]byte, error) { return json.Marshal(m.Text()) }

// moneyOf rounds a decimal of major units to minor ones, half to even.
func moneyOf(value *apd.Decimal, currency Currency) (Money, error) {
	exponent, err := currency.Exponent()
	if err != nil {
		return Money{}, err
	}
	rounded, err := roundHalfEven(value, exponent)
	if err != nil {
		return Money{}, err
	}
	rounded.Exponent += exponent
	minor, err := rounded.Int64()
	if err != nil {
		return Money{}, fmt.Errorf("%w: %s %s", ErrOverflow, currency, value.Text('f'))
	}
	return Money{minor: minor, currency: currency}, nil
}
