package usage

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Bounds of one quantity. A single event is bounded far below what a sum may
// reach, so that no producer can bring a total to overflow.
const (
	// AmountDigits is how many digits may follow the decimal point.
	AmountDigits = 9
	// MaxAmount is the largest whole quantity of one event.
	MaxAmount = 10_000_000_000
)

const (
	nanosPerWhole = 1_000_000_000
	maxAmountText = 32
)

// Amount is an exact, non-negative quantity: whole units and billionths. The
// zero value is zero, and equal quantities are equal values.
type Amount struct {
	whole int64
	nano  int64 // below nanosPerWhole
}

// WholeAmount is a quantity without a fraction; a negative one counts as zero.
func WholeAmount(whole int64) Amount { return Amount{whole: max(whole, 0)} }

// AmountOf joins whole units and billionths as a ledger keeps them apart;
// billionths above one whole are carried.
func AmountOf(whole, nano int64) (Amount, error) {
	if whole < 0 || nano < 0 {
		return Amount{}, fmt.Errorf("%w: %d and %d billionths is negative", ErrInvalidAmount, whole, nano)
	}
	carried := Amount{whole: nano / nanosPerWhole, nano: nano % nanosPerWhole}
	return Amount{whole: whole}.Add(carried)
}

// ParseAmount reads a decimal such as "1", "0.25" or "1200". Signs, exponents
// and more than [AmountDigits] digits after the point are refused.
func ParseAmount(text string) (Amount, error) { return parseAmount(text, MaxAmount) }

func parseAmount(text string, most int64) (Amount, error) {
	if len(text) > maxAmountText {
		return Amount{}, fmt.Errorf("%w: %d characters, at most %d are allowed", ErrInvalidAmount, len(text), maxAmountText)
	}
	digits, fraction, pointed := strings.Cut(text, ".")
	if !onlyDigits(digits) || pointed && (!onlyDigits(fraction) || len(fraction) > AmountDigits) {
		return Amount{}, fmt.Errorf("%w: %q, want digits and at most %d after the point", ErrInvalidAmount, text, AmountDigits)
	}
	whole, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || whole > most {
		return Amount{}, fmt.Errorf("%w: %q, at most %d is allowed", ErrInvalidAmount, text, most)
	}
	var nano int64
	if pointed {
		nano, err = strconv.ParseInt(fraction+strings.Repeat("0", AmountDigits-len(fraction)), 10, 64)
		if err != nil {
			return Amount{}, fmt.Errorf("%w: %q", ErrInvalidAmount, text)
		}
	}
	return Amount{whole: whole, nano: nano}, nil
}

func onlyDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// Add returns the exact sum, or [ErrOverflow].
func (a Amount) Add(other Amount) (Amount, error) {
	nano := a.nano + other.nano
	carry := nano / nanosPerWhole
	if a.whole > math.MaxInt64-carry || other.whole > math.MaxInt64-carry-a.whole {
		return Amount{}, fmt.Errorf("%w: %s + %s", ErrOverflow, a, other)
	}
	return Amount{whole: a.whole + other.whole + carry, nano: nano % nanosPerWhole}, nil
}

// Subtract returns the exact difference, or [ErrOverflow] when other is more.
func (a Amount) Subtract(other Amount) (Amount, error) {
	if other.whole > a.whole || other.whole == a.whole && other.nano > a.nano {
		return Amount{}, fmt.Errorf("%w: %s - %s is negative", ErrOverflow, a, other)
	}
	less := Amount{whole: a.whole - other.whole, nano: a.nano - other.nano}
	if less.nano < 0 {
		less.whole, less.nano = less.whole-1, less.nano+nanosPerWhole
	}
	return less, nil
}

// Times is count of the same quantity, or [ErrOverflow].
func (a Amount) Times(count int64) (Amount, error) {
	if count < 0 || count > 0 && (a.whole > math.MaxInt64/count || a.nano > math.MaxInt64/count) {
		return Amount{}, fmt.Errorf("%w: %d times %s", ErrOverflow, count, a)
	}
	return AmountOf(a.whole*count, a.nano*count)
}

// Whole is the part before the point.
func (a Amount) Whole() int64 { return a.whole }

// Nano is the part after the point, in billionths.
func (a Amount) Nano() int64 { return a.nano }

// IsZero reports whether there is nothing.
func (a Amount) IsZero() bool { return a == Amount{} }

// String implements fmt.Stringer with the shortest exact decimal.
func (a Amount) String() string {
	if a.nano == 0 {
		return strconv.FormatInt(a.whole, 10)
	}
	fraction := strconv.FormatInt(nanosPerWhole+a.nano, 10)[1:]
	return strconv.FormatInt(a.whole, 10) + "." + strings.TrimRight(fraction, "0")
}

// MarshalText implements encoding.TextMarshaler.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It reads back what
// [Amount.MarshalText] wrote, which may be a sum above [MaxAmount].
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := parseAmount(string(text), math.MaxInt64)
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// Decimal is the quantity for arithmetic with prices.
func (a Amount) Decimal() *apd.Decimal {
	coefficient := new(apd.BigInt).Mul(apd.NewBigInt(a.whole), apd.NewBigInt(nanosPerWhole))
	coefficient.Add(coefficient, apd.NewBigInt(a.nano))
	return apd.NewWithBigInt(coefficient, -AmountDigits)
}
