package app

import (
	"context"
	"errors"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/money"
)

// InvoiceParams say which invoice is meant.
type InvoiceParams struct {
	Tenant events.TenantID
	// Month is as 2026-11; the current one when empty.
	Month       string
	Environment events.Environment
}

// InvoicePreview is an invoice as it would be now.
type InvoicePreview struct {
	State   invoice.State   `json:"state"`
	Invoice invoice.Invoice `json:"invoice"`
}

// PreviewInvoice makes the invoice of a month as it would be now, and keeps
// nothing.
func (o *Operator) PreviewInvoice(ctx context.Context, params InvoiceParams) (InvoicePreview, error) {
	books, asked, err := o.invoiceParams(ctx, params)
	if err != nil {
		return InvoicePreview{}, err
	}
	drafted, state, err := books.Preview(ctx, asked)
	return InvoicePreview{State: state, Invoice: drafted}, err
}

// Issued is an invoice of a run, and whether this run issued it.
type Issued struct {
	First   bool            `json:"issued_now"`
	Invoice invoice.Invoice `json:"invoice"`
}

// IssueInvoices issues a month's invoice of a tenant, or of every tenant of whom
// there is usage in it when none is named. One that fails does not keep the
// others.
func (o *Operator) IssueInvoices(ctx context.Context, params InvoiceParams) ([]Issued, error) {
	return eachBilled(ctx, o, params, func(books *ledger.Ledger, asked ledger.InvoiceParams) (Issued, error) {
		made, first, err := books.Issue(ctx, asked)
		return Issued{First: first, Invoice: made}, err
	})
}

// eachBilled does something for the tenant that is named, or for every tenant of
// whom there is usage in the month. One that fails does not keep the others.
func eachBilled[T any](ctx context.Context, o *Operator, params InvoiceParams, do func(*ledger.Ledger, ledger.InvoiceParams) (T, error)) ([]T, error) {
	books, asked, err := o.invoiceParams(ctx, params)
	if err != nil {
		return nil, err
	}
	tenants := []events.TenantID{params.Tenant}
	if params.Tenant == "" {
		if tenants, err = books.Tenants(ctx, asked.Period.Period); err != nil {
			return nil, err
		}
	}
	done := []T{}
	var faults []error
	for _, tenant := range tenants {
		asked.Tenant = tenant
		one, err := do(books, asked)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		done = append(done, one)
	}
	return done, errors.Join(faults...)
}

func (o *Operator) invoiceParams(ctx context.Context, params InvoiceParams) (*ledger.Ledger, ledger.InvoiceParams, error) {
	asked := ledger.InvoiceParams{Tenant: params.Tenant, Environment: params.Environment}
	books, err := o.kit.books(ctx)
	if err != nil {
		return nil, asked, err
	}
	if asked.Cards, err = o.cards(ctx, books); err != nil {
		return nil, asked, err
	}
	if params.Month == "" {
		asked.Period = invoice.PeriodOf(o.kit.now(), books.Zone())
		return books, asked, nil
	}
	asked.Period, err = invoice.ParsePeriod(params.Month, books.Zone())
	return books, asked, err
}

// Invoices lists a tenant's invoices and credit notes, in the order of their
// issue.
func (o *Operator) Invoices(ctx context.Context, id events.TenantID) ([]invoice.Invoice, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return nil, err
	}
	return books.Invoices(ctx, id)
}

// Invoice is one document with its bytes as it was issued.
func (o *Operator) Invoice(ctx context.Context, tenant events.TenantID, id string) (invoice.Invoice, []byte, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return invoice.Invoice{}, nil, err
	}
	return books.Invoice(ctx, tenant, id)
}

// TracedLine is a line with the usage events that it is of.
type TracedLine struct {
	invoice.Line

	Events []ledger.TracedEvent `json:"events"`
}

// TraceInvoice goes from each line of a document to its usage events; line 0
// means all lines.
func (o *Operator) TraceInvoice(ctx context.Context, document invoice.Invoice, line int) ([]TracedLine, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return nil, err
	}
	cards, err := o.cards(ctx, books)
	if err != nil {
		return nil, err
	}
	lines := []TracedLine{}
	for _, one := range document.Lines {
		if line != 0 && one.Number != line {
			continue
		}
		traced := TracedLine{Line: one, Events: []ledger.TracedEvent{}}
		err := books.Trace(ctx, ledger.TraceParams{Tenant: document.Tenant, Invoice: document.ID, Line: one.Number, Cards: cards},
			func(event ledger.TracedEvent) error {
				traced.Events = append(traced.Events, event)
				return nil
			})
		if err != nil {
			return nil, err
		}
		lines = append(lines, traced)
	}
	return lines, nil
}

// CreditNoteParams say what is forgiven of which invoice.
type CreditNoteParams struct {
	Tenant  events.TenantID
	Invoice string
	// Amount is in major units of the invoice's currency, "12.30".
	Amount string
	Reason string
}

// CreditNote forgives a part of an invoice.
func (o *Operator) CreditNote(ctx context.Context, params CreditNoteParams) (invoice.Invoice, error) {
	of, _, err := o.Invoice(ctx, params.Tenant, params.Invoice)
	if err != nil {
		return invoice.Invoice{}, err
	}
	amount, err := money.Parse(params.Amount, of.Currency)
	if err != nil {
		return invoice.Invoice{}, err
	}
	return o.kit.ledger.CreditNote(ctx, ledger.CreditNoteParams{
		Tenant: params.Tenant, Invoice: params.Invoice, Amount: amount, Reason: params.Reason,
	})
}

// GrantParams are prepaid credit of a tenant.
type GrantParams struct {
	Tenant   events.TenantID
	ID       string
	Amount   string
	Currency money.Currency
	// Expires is the last moment of the credit; never when zero.
	Expires time.Time
}

// GrantCredit keeps prepaid credit; the same id again does nothing.
func (o *Operator) GrantCredit(ctx context.Context, params GrantParams) (Credit, error) {
	amount, err := money.Parse(params.Amount, params.Currency)
	if err != nil {
		return Credit{}, err
	}
	books, err := o.kit.books(ctx)
	if err != nil {
		return Credit{}, err
	}
	grant := invoice.Grant{ID: params.ID, Tenant: params.Tenant, Amount: amount, GrantedAt: o.kit.now().UTC(), ExpiresAt: params.Expires}
	return creditOf(grant, amount), books.Grant(ctx, grant)
}

// Credit is a grant as it is shown.
type Credit struct {
	ID       string          `json:"id"`
	Tenant   events.TenantID `json:"tenant"`
	Currency money.Currency  `json:"currency"`
	Amount   money.Amount    `json:"amount"`
	// Left is what no invoice has spent.
	Left    money.Amount `json:"left"`
	Granted time.Time    `json:"granted_at"`
	Expires time.Time    `json:"expires_at,omitzero"`
}

func creditOf(grant invoice.Grant, left money.Amount) Credit {
	return Credit{
		ID: grant.ID, Tenant: grant.Tenant, Currency: grant.Amount.Currency(), Amount: grant.Amount, Left: left,
		Granted: grant.GrantedAt, Expires: grant.ExpiresAt,
	}
}

// Account is a tenant's prepaid credit and the balances of its accounts.
type Account struct {
	Credits  []Credit         `json:"credits"`
	Balances []ledger.Balance `json:"balances"`
}

// Account shows a tenant's credit and accounts.
func (o *Operator) Account(ctx context.Context, id events.TenantID) (Account, error) {
	account := Account{Credits: []Credit{}, Balances: []ledger.Balance{}}
	books, err := o.kit.books(ctx)
	if err != nil {
		return account, err
	}
	issued, err := books.Invoices(ctx, id)
	if err != nil {
		return account, err
	}
	grants, err := books.Grants(ctx, id)
	if err != nil {
		return account, err
	}
	for _, grant := range grants {
		left, err := grant.Left(issued)
		if err != nil {
			return account, err
		}
		account.Credits = append(account.Credits, creditOf(grant, left))
	}
	balances, err := books.Balances(ctx, id)
	account.Balances = append(account.Balances, balances...)
	return account, err
}
