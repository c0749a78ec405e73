package commerce

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// maxMinor is the largest amount of one charge or payment in minor units: the
// eight digits that Stripe takes. It holds at every provider, so that a call
// which mistakes minor for major units is more often refused than paid.
const maxMinor = 99_999_999

const brl = "BRL"

// decimalsOf are the digits after the point of the currencies whose minor unit
// is known here; an amount in another one cannot be converted.
func decimalsOf(currency string) (int32, bool) {
	switch {
	case slices.Contains([]string{brl, "USD", "EUR", "GBP", "CAD", "AUD", "CHF", "ARS", "MXN", "COP", "PEN", "UYU", "BOB"}, currency):
		return 2, true
	case slices.Contains([]string{"CLP", "PYG", "JPY"}, currency):
		return 0, true
	default:
		return 0, false
	}
}

// money is an amount in whole minor units of a currency.
type money struct {
	minor    int64
	currency string
	decimals int32
}

// readMajor reads an amount of major units, as 19.90 for R$ 19,90.
func readMajor(field string, number json.Number, currency string) (money, error) {
	made, err := readCurrency(currency)
	if err != nil {
		return money{}, err
	}
	value, _, err := apd.NewFromString(number.String())
	if err != nil {
		return money{}, misfit(field, "is no number")
	}
	value.Exponent += made.decimals
	minor, whole := wholeOf(value)
	if !whole {
		return money{}, misfit(field, "is in MAJOR units of %s, which have %d digits after the point: R$ 19,90 is 19.90", made.currency, made.decimals)
	}
	return made.holding(field, minor)
}

// readMinor reads an amount of minor units, as 1990 for R$ 19,90.
func readMinor(field string, number json.Number, currency string) (money, error) {
	made, err := readCurrency(currency)
	if err != nil {
		return money{}, err
	}
	value, _, err := apd.NewFromString(number.String())
	if err != nil {
		return money{}, misfit(field, "is no number")
	}
	minor, whole := wholeOf(value)
	if !whole {
		return money{}, misfit(field, "is in MINOR units (centavos), which are whole: R$ 19,90 is 1990")
	}
	return made.holding(field, minor)
}

func readCurrency(currency string) (money, error) {
	currency = strings.ToUpper(currency)
	decimals, known := decimalsOf(currency)
	if !known {
		return money{}, misfit("/currency", "is none whose minor unit is known here")
	}
	return money{currency: currency, decimals: decimals}, nil
}

// wholeOf is a decimal as a whole number, at most a little over maxMinor; false
// when it has a fraction.
func wholeOf(value *apd.Decimal) (int64, bool) {
	reduced, _ := new(apd.Decimal).Reduce(value)
	if reduced.Exponent < 0 {
		return 0, false
	}
	if reduced.Cmp(apd.New(maxMinor, 0)) > 0 {
		return maxMinor + 1, true
	}
	whole, err := reduced.Int64()
	if err != nil {
		return -1, true // far below zero
	}
	return whole, true
}

func (m money) holding(field string, minor int64) (money, error) {
	if minor < 1 {
		return money{}, misfit(field, "has to be more than 0")
	}
	m.minor = minor
	if minor > maxMinor {
		most := money{minor: maxMinor, currency: m.currency, decimals: m.decimals}
		return money{}, misfit(field, "is more than %s %s, the most of one call", m.currency, most.major())
	}
	return m, nil
}

// major is the amount in major units, with all the currency's digits.
func (m money) major() json.Number {
	return json.Number(apd.New(m.minor, -m.decimals).Text('f'))
}

// centsOf reads a provider's decimal of reais, "22.90" or "22,90", in centavos;
// false when it is none.
func centsOf(text string) (int64, bool) {
	value, _, err := apd.NewFromString(strings.Replace(text, ",", ".", 1))
	if err != nil || text == "" {
		return 0, false
	}
	value.Exponent += 2
	minor, whole := wholeOf(value)
	return minor, whole && minor >= 0 && minor <= maxMinor
}

// shifted is a number moved by powers of ten, exactly: grams to kilograms.
func shifted(number json.Number, by int32) (json.Number, error) {
	value, _, err := apd.NewFromString(number.String())
	if err != nil {
		return "", err
	}
	value.Exponent += by
	return json.Number(value.Text('f')), nil
}

// total is the sum of numbers, each so many times, exactly.
func total(numbers []json.Number, times []int64) (json.Number, error) {
	context := apd.BaseContext.WithPrecision(60)
	sum := apd.New(0, 0)
	for i, number := range numbers {
		value, _, err := apd.NewFromString(number.String())
		if err != nil {
			return "", err
		}
		product := new(apd.Decimal)
		if _, err := context.Mul(product, value, apd.New(times[i], 0)); err != nil {
			return "", err
		}
		if _, err := context.Add(sum, sum, product); err != nil {
			return "", err
		}
	}
	return json.Number(sum.Text('f')), nil
}
