package money

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// exactPrecision holds the product of the longest quantity and the longest
// price without rounding, many times over.
const exactPrecision = 120

// Exact is arithmetic that refuses to lose a digit.
func Exact() apd.Context {
	context := apd.BaseContext
	context.Precision = exactPrecision
	context.Traps |= apd.Inexact
	return context
}

// roundHalfEven rounds to a number of digits after the point. It is the only
// rounding there is.
func roundHalfEven(value *apd.Decimal, digits int32) (*apd.Decimal, error) {
	context := apd.BaseContext
	context.Precision = exactPrecision
	context.Rounding = apd.RoundHalfEven
	rounded := new(apd.Decimal)
	if _, err := context.Quantize(rounded, value, -digits); err != nil {
		return nil, fmt.Errorf("rounding %s: %w", value.Text('f'), err)
	}
	return rounded, nil
}

// Plain writes a decimal without exponent and without zeros at the end.
func Plain(value *apd.Decimal) string {
	text := value.Text('f')
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
