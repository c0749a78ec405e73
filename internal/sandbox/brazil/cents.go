package brazil

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Cents is an amount of reais in minor units. In JSON it is a decimal number
// of reais, as most Brazilian providers write money.
type Cents int64

// maxExponent keeps a hostile "1e999999999" from being worked out.
const maxExponent = 20

// ParseCents reads a decimal number of reais, such as "150", "89.9" or
// "1.5e2", with at most two decimals.
func ParseCents(text string) (Cents, error) {
	d, _, err := apd.NewFromString(text)
	if err != nil || d.Form != apd.Finite || d.Exponent > maxExponent || d.Exponent < -maxExponent {
		return 0, fmt.Errorf("%w: amount %.40q", ErrMalformed, text)
	}
	d.Exponent += 2
	n, err := d.Int64()
	if err != nil {
		return 0, fmt.Errorf("%w: amount %.40q has more than two decimals, or is too large", ErrMalformed, text)
	}
	return Cents(n), nil
}

// String is the amount as a decimal with a point, "150.00".
func (c Cents) String() string {
	sign, n := "", int64(c)
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// Comma is the amount as a Brazilian writes it, "150,00".
func (c Cents) Comma() string { return strings.Replace(c.String(), ".", ",", 1) }

// MarshalJSON implements [json.Marshaler].
func (c Cents) MarshalJSON() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalJSON implements [json.Unmarshaler]. A number in quotes is taken too.
func (c *Cents) UnmarshalJSON(data []byte) error {
	parsed, err := ParseCents(string(bytes.Trim(data, `"`)))
	if err != nil {
		return err
	}
	*c = parsed
	return nil
}

var (
	_ json.Marshaler   = Cents(0)
	_ json.Unmarshaler = (*Cents)(nil)
)
