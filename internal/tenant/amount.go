package tenant

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// micro is how many parts a unit of an [Amount] has.
const micro = 1_000_000

// microDigits is how many digits of an amount may follow the point.
const microDigits = 6

// Amount is so much of a budget's unit, exact in millionths: a number of calls
// or tokens, or money in major units, as 12.50. It is written as a decimal and
// read from one, in quotes or not, and is never a float.
type Amount int64

// Whole is so many whole units.
func Whole(units int64) Amount { return Amount(units * micro) }

// ParseAmount reads a decimal of at most six digits behind the point.
func ParseAmount(text string) (Amount, error) {
	whole, part, pointed := strings.Cut(text, ".")
	if !digits(whole) || pointed && !digits(part) || len(whole) > 13 || len(part) > microDigits {
		return 0, fmt.Errorf("%w: %q is no amount, want digits and at most %d behind the point", ErrInvalid, text, microDigits)
	}
	units, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || units > MaxBudget {
		return 0, fmt.Errorf("%w: %q is too much, at most %d is allowed", ErrInvalid, text, int64(MaxBudget))
	}
	parts, err := strconv.ParseInt(part+strings.Repeat("0", microDigits-len(part)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no amount: %w", ErrInvalid, text, err)
	}
	return Amount(units*micro + parts), nil
}

func digits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// String is the decimal, without needless digits.
func (a Amount) String() string {
	sign, value := "", int64(a)
	if value < 0 {
		sign, value = "-", -value
	}
	text := sign + strconv.FormatInt(value/micro, 10)
	if part := value % micro; part > 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%06d", part), "0")
	}
	return text
}

// IsWhole reports whether it is a number of whole units.
func (a Amount) IsWhole() bool { return a%micro == 0 }

// MarshalJSON writes the decimal as a string.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(`"` + a.String() + `"`), nil }

// UnmarshalJSON reads a decimal, which may be a string or a number.
func (a *Amount) UnmarshalJSON(data []byte) error { return a.read(data) }

// UnmarshalYAML reads a decimal, which may be a string or a number.
func (a *Amount) UnmarshalYAML(data []byte) error { return a.read(data) }

func (a *Amount) read(data []byte) error {
	read, err := ParseAmount(string(bytes.Trim(data, " \n\"'")))
	if err == nil {
		*a = read
	}
	return err
}
