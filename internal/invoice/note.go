package invoice

import (
	"fmt"
	"strconv"
	"time"

	"github.com/feira-dev/feira/internal/money"
)

// NoteParams say what a credit note forgives.
type NoteParams struct {
	// Of is the invoice.
	Of Invoice
	// Amount is positive and at most what earlier notes have left of the
	// invoice's subtotal.
	Amount money.Amount
	Reason string
	// Issued are the tenant's documents so far.
	Issued   []Invoice
	IssuedAt time.Time
}

// Note makes a credit note. It changes no usage: what was used wrongly is
// corrected by a correction, and comes as an adjustment.
func Note(params NoteParams) (Invoice, error) {
	of := params.Of
	left, err := money.Parse(of.Subtotal, of.Currency)
	if err != nil {
		return Invoice{}, fmt.Errorf("making a credit note: %w", err)
	}
	number := 1
	for _, document := range params.Issued {
		if document.Kind != KindCreditNote || document.Corrects != of.ID {
			continue
		}
		number++
		forgiven, err := money.Parse(document.Subtotal, of.Currency)
		if err != nil {
			return Invoice{}, fmt.Errorf("making a credit note: %w", err)
		}
		if left, err = left.Add(forgiven); err != nil {
			return Invoice{}, fmt.Errorf("making a credit note: %w", err)
		}
	}
	rest, err := left.Add(params.Amount.Negate())
	if err != nil {
		return Invoice{}, fmt.Errorf("making a credit note: %w", err)
	}
	switch {
	case of.Kind != KindInvoice:
		return Invoice{}, fmt.Errorf("%w: %s is none", ErrCreditNote, of.ID)
	case params.Reason == "":
		return Invoice{}, fmt.Errorf("%w: reason is missing", ErrCreditNote)
	case params.Amount.Minor() <= 0 || rest.Minor() < 0:
		return Invoice{}, fmt.Errorf("%w: amount is %s, want more than nothing and at most %s", ErrCreditNote, params.Amount, left)
	}
	amount := params.Amount.Negate().Text()
	return Invoice{
		ID: "CN-" + of.ID + "-" + strconv.Itoa(number), Kind: KindCreditNote, Corrects: of.ID, Reason: params.Reason,
		Tenant: of.Tenant, Environment: of.Environment, Period: of.Period, From: of.From, To: of.To,
		IssuedAt: params.IssuedAt.UTC(), Currency: of.Currency,
		Lines:    []Line{{Number: 1, Kind: LineCredit, Period: of.Period, Name: "credit", Quantity: "1", Exact: amount, Amount: amount}},
		Subtotal: amount, Credits: []Credit{}, Total: amount, Included: Included{},
	}, nil
}
