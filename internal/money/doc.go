// Package money is amounts of money, exact.
//
// It owns currencies with their minor units, amounts in whole minor units
// ([Amount]), exact decimals and the one rounding of the product ([Round], half
// to even).
//
// It promises that no amount is ever a float, that unlike currencies do not
// add, and that what does not fit is an error. It knows no exchange rate.
package money

import "errors"

// Sentinels.
var (
	// ErrOverflow occurs when a sum does not fit its type.
	ErrOverflow = errors.New("overflow")
	// ErrCurrencyMismatch occurs when amounts of unlike currencies are added.
	ErrCurrencyMismatch = errors.New("unlike currencies")
	// ErrUnknownCurrency occurs when a currency's minor unit is not known.
	ErrUnknownCurrency = errors.New("unknown currency")
	// ErrInvalid occurs when a text is no amount of its currency.
	ErrInvalid = errors.New("invalid amount of money")
)
