package app

import (
	"context"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/usage"
)

// DemoInvoice is a tenant's invoice with how its lines come from tool calls.
type DemoInvoice struct {
	ID       string `json:"id"`
	Currency string `json:"currency"`
	Total    string `json:"total"`
	// Lines are those of the invoice, each with how many usage events it is of
	// and the sum of what they count.
	Lines []DemoInvoiceLine `json:"lines"`
}

// DemoInvoiceLine is a line that was traced.
type DemoInvoiceLine struct {
	Line     int    `json:"line"`
	Name     string `json:"name"`
	Quantity string `json:"quantity"`
	Amount   string `json:"amount"`
	Events   int    `json:"events"`
	// Traced is the sum of what the events count; it is Quantity.
	Traced string `json:"traced"`
}

// DemoAudit is what an audit of all books came to.
type DemoAudit struct {
	OK           bool `json:"ok"`
	Events       int  `json:"events"`
	Rows         int  `json:"rows"`
	Invoices     int  `json:"invoices"`
	Transactions int  `json:"transactions"`
	Differences  int  `json:"differences"`
}

// accountant is an operator whose clock is past the grace of the current month:
// a demo cannot wait for the month to end.
func (d *demo) accountant(ctx context.Context) (*Operator, error) {
	books, err := d.operator.kit.books(ctx)
	if err != nil {
		return nil, err
	}
	later := NewOperator(d.world.cfg, d.tel)
	month := invoice.PeriodOf(d.operator.kit.now(), books.Zone())
	later.kit.now = func() time.Time { return month.To.Add(invoice.Grace + time.Hour) }
	return later, nil
}

// invoices issues the month's invoices and goes from their lines back to the
// usage events.
func (d *demo) invoices(ctx context.Context, report *DemoReport) error {
	books, err := d.operator.kit.books(ctx)
	if err != nil {
		return err
	}
	accountant, err := d.accountant(ctx)
	if err != nil {
		return err
	}
	defer accountant.Close()
	month := invoice.PeriodOf(d.operator.kit.now(), books.Zone()).Name
	d.Note("The month is over, says the clock of whoever keeps the books: each tenant gets its invoice for " + month + ".")
	issued, err := accountant.IssueInvoices(ctx, InvoiceParams{Month: month, Environment: events.EnvironmentTest})
	if err != nil {
		return fmt.Errorf("issuing invoices: %w", err)
	}
	byTenant := map[tenant.ID]invoice.Invoice{}
	for _, one := range issued {
		byTenant[one.Invoice.Tenant] = one.Invoice
	}
	for i := range report.Tenants {
		document, ok := byTenant[report.Tenants[i].ID]
		if !ok {
			return fmt.Errorf("tenant %s has no invoice", report.Tenants[i].ID)
		}
		if report.Tenants[i].Invoice, err = traced(ctx, accountant, document); err != nil {
			return err
		}
	}
	return nil
}

// traced goes from each line to its usage events and adds up what they count.
func traced(ctx context.Context, accountant *Operator, document invoice.Invoice) (DemoInvoice, error) {
	told := DemoInvoice{ID: document.ID, Currency: string(document.Currency), Total: document.Total, Lines: []DemoInvoiceLine{}}
	lines, err := accountant.TraceInvoice(ctx, document, 0)
	if err != nil {
		return told, fmt.Errorf("tracing %s: %w", document.ID, err)
	}
	for _, line := range lines {
		var sum usage.Amount
		for _, event := range line.Events {
			if sum, err = sum.Add(event.Quantity); err != nil {
				return told, fmt.Errorf("tracing %s: %w", document.ID, err)
			}
		}
		told.Lines = append(told.Lines, DemoInvoiceLine{
			Line: line.Number, Name: line.Name, Quantity: line.Quantity, Amount: line.Amount, Events: len(line.Events), Traced: sum.String(),
		})
	}
	return told, nil
}

// audit holds everything that the demo wrote against each other.
func (d *demo) audit(ctx context.Context) (DemoAudit, error) {
	found, err := d.operator.AuditLedger(ctx, LedgerAuditParams{Patience: demoPatience})
	if err != nil {
		return DemoAudit{}, fmt.Errorf("auditing: %w", err)
	}
	audit := DemoAudit{
		OK: found.OK, Rows: found.Ledger.Rows, Invoices: found.Books.Invoices, Transactions: found.Books.Transactions,
		Differences: len(found.Ledger.Differences) + len(found.Books.Findings),
	}
	for _, one := range found.Tenants {
		audit.Events += one.Log.Events
		audit.Differences += len(one.Findings)
		for _, finding := range one.Findings {
			d.Note(string(one.Tenant) + ": " + finding)
		}
	}
	return audit, nil
}

// demoPatience is how long what is on its way to the ledger may take.
const demoPatience = 10 * time.Second
