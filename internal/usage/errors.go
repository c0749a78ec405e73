package usage

import "errors"

// Sentinels.
var (
	// ErrInvalidAmount occurs when a text is no exact, non-negative quantity
	// within bounds.
	ErrInvalidAmount = errors.New("invalid amount")
	// ErrOverflow occurs when a sum does not fit its type.
	ErrOverflow = errors.New("overflow")
	// ErrCurrencyMismatch occurs when amounts of unlike currencies are added.
	ErrCurrencyMismatch = errors.New("unlike currencies")
	// ErrUnknownCurrency occurs when a currency's minor unit is not known.
	ErrUnknownCurrency = errors.New("unknown currency")
	// ErrInvalidPeriod occurs when a period is empty, reversed or unreadable.
	ErrInvalidPeriod = errors.New("invalid period")
	// ErrInvalidRateCard occurs when a rate card breaks its schema or a rule;
	// the text names the place.
	ErrInvalidRateCard = errors.New("invalid rate card")
	// ErrNoRateCard occurs when no rate card is in force at the moment asked for.
	ErrNoRateCard = errors.New("no rate card in force")
	// ErrInvalidCursor occurs when a page is asked for by a cursor that no page
	// has returned.
	ErrInvalidCursor = errors.New("invalid cursor")
)
