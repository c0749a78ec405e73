// Package invoice is what a tenant is asked to pay for a period: invoices,
// credit notes, and the double entries that they make.
//
// It owns the life of a period ([StateOf]), how an invoice follows from usage,
// rate cards, prepaid credit and what was issued before ([Draft]), the postings
// of whatever is issued, and its forms ([Invoice.JSON], [Invoice.HTML]).
//
//	open ──period ends──► closing ──grace ends──► closed ──issued──► invoiced
//
// It promises that every step is a pure function: the same usage, in whatever
// order and however often it came, gives the same bytes. An issued invoice does
// not change: what comes late, or is corrected, is an adjustment line on a later
// invoice, which names its period, so that all lines of a period sum to what the
// period costs by its card. Postings of one transaction sum to zero.
//
// It does no I/O, reads no clock and keeps nothing; package ledger does.
package invoice

import "errors"

// Sentinels.
var (
	// ErrNotClosed occurs when a period is to be invoiced before its grace ends.
	ErrNotClosed = errors.New("the period is not closed")
	// ErrUnbalanced occurs when postings do not sum to zero.
	ErrUnbalanced = errors.New("postings do not sum to zero")
	// ErrSum occurs when a document's sums are not those of its lines.
	ErrSum = errors.New("the sums are not those of the lines")
	// ErrCreditNote occurs when a credit note is above what its invoice is of.
	ErrCreditNote = errors.New("the credit note does not fit its invoice")
	// ErrInvalidGrant occurs when prepaid credit breaks a rule.
	ErrInvalidGrant = errors.New("invalid credit")
)
