package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/money"
)

// Invoices are a tenant's invoices and credit notes, in the order of their
// issue.
func (l *Ledger) Invoices(ctx context.Context, tenant events.TenantID) (documents []invoice.Invoice, err error) {
	err = l.read(ctx, tenant, func(tx *transaction) error {
		documents, err = l.invoicesOf(ctx, tx, tenant)
		return err
	})
	return documents, err
}

func (l *Ledger) invoicesOf(ctx context.Context, tx *transaction, tenant events.TenantID) ([]invoice.Invoice, error) {
	var documents []invoice.Invoice
	found, err := tx.QueryContext(ctx, l.dialect.bind("SELECT document FROM invoices WHERE tenant_id = ? ORDER BY issued_at, id"), string(tenant))
	err = scanAll(found, err, func(row scanner) error {
		var text []byte
		if err := row.Scan(&text); err != nil {
			return err
		}
		document, err := invoice.Parse(text)
		documents = append(documents, document)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing invoices: %w", err)
	}
	return documents, nil
}

// Invoice is one document, with its bytes as it was issued; without one it is
// [ErrUnknownInvoice].
func (l *Ledger) Invoice(ctx context.Context, tenant events.TenantID, id string) (invoice.Invoice, []byte, error) {
	var text []byte
	err := l.read(ctx, tenant, func(tx *transaction) error {
		return tx.QueryRowContext(ctx, l.dialect.bind("SELECT document FROM invoices WHERE tenant_id = ? AND id = ?"), string(tenant), id).Scan(&text)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return invoice.Invoice{}, nil, fmt.Errorf("%w: %s of %s", ErrUnknownInvoice, id, tenant)
	}
	if err != nil {
		return invoice.Invoice{}, nil, fmt.Errorf("reading an invoice: %w", err)
	}
	document, err := invoice.Parse(text)
	return document, text, err
}

func (l *Ledger) insertInvoice(ctx context.Context, tx *transaction, document invoice.Invoice, cut int64) error {
	text, err := document.JSON()
	if err != nil {
		return err
	}
	statement := l.dialect.insert("INSERT INTO invoices (tenant_id, id, kind, period, document, cut, issued_at) ", 7, 1, "")
	_, err = tx.ExecContext(ctx, statement, string(document.Tenant), document.ID, string(document.Kind), document.Period, text, cut, nanos(document.IssuedAt))
	if err != nil {
		return fmt.Errorf("keeping invoice %s: %w", document.ID, err)
	}
	return nil
}

// CreditNoteParams say what is forgiven.
type CreditNoteParams struct {
	Tenant  events.TenantID
	Invoice string
	Amount  money.Amount
	Reason  string
}

// CreditNote forgives a part of an invoice, or all of it.
func (l *Ledger) CreditNote(ctx context.Context, params CreditNoteParams) (invoice.Invoice, error) {
	of, _, err := l.Invoice(ctx, params.Tenant, params.Invoice)
	if err != nil {
		return invoice.Invoice{}, err
	}
	var note invoice.Invoice
	err = l.write(ctx, func(tx *transaction) error {
		issued, err := l.invoicesOf(ctx, tx, params.Tenant)
		if err != nil {
			return err
		}
		note, err = invoice.Note(invoice.NoteParams{Of: of, Amount: params.Amount, Reason: params.Reason, Issued: issued, IssuedAt: l.now()})
		if err != nil {
			return err
		}
		if err := l.insertInvoice(ctx, tx, note, 0); err != nil {
			return err
		}
		entries, err := note.Transaction()
		if err != nil || note.Environment != events.EnvironmentLive {
			return err
		}
		return l.post(ctx, tx, params.Tenant, entries)
	})
	if err != nil {
		return invoice.Invoice{}, fmt.Errorf("issuing a credit note: %w", err)
	}
	return note, nil
}
