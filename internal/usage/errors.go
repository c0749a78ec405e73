package usage

import "errors"

// Sentinels.
var (
	// ErrInvalidAmount occurs when a text is no exact, non-negative quantity
	// within bounds.
	ErrInvalidAmount = errors.New("invalid amount")
	// ErrOverflow occurs when a sum does not fit its type.
	ErrOverflow = errors.New("overflow")
	// ErrInvalidPeriod occurs when a period is empty, reversed or unreadable.
	ErrInvalidPeriod = errors.New("invalid period")
	// ErrInvalidCursor occurs when a page is asked for by a cursor that no page
	// has returned.
	ErrInvalidCursor = errors.New("invalid cursor")
)
