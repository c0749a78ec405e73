package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/tenant"
)

// purses tell the gateway of budgets, with the broker's absence marked.
type purses struct{ operator *Operator }

// Budgets implements [gateway.Purses].
func (p purses) Budgets(ctx context.Context, id tenant.ID) ([]budget.Balance, error) {
	balances, err := p.operator.Budgets(ctx, id)
	return balances, away(err)
}

// Foresee implements [gateway.Purses].
func (p purses) Foresee(ctx context.Context, customer tenant.Tenant) ([]budget.Balance, error) {
	balances, err := p.operator.balances(ctx, customer)
	return balances, away(err)
}

// bills tell the gateway of invoices.
type bills struct{ operator *Operator }

// Invoices implements [gateway.Bills].
func (b bills) Invoices(ctx context.Context, tenant events.TenantID) ([]invoice.Invoice, error) {
	return b.operator.Invoices(ctx, tenant)
}

// Invoice implements [gateway.Bills].
func (b bills) Invoice(ctx context.Context, tenant events.TenantID, id string) (invoice.Invoice, []byte, error) {
	document, text, err := b.operator.Invoice(ctx, tenant, id)
	if errors.Is(err, ledger.ErrUnknownInvoice) {
		err = fmt.Errorf("%w: %w", gateway.ErrNoInvoice, err)
	}
	return document, text, err
}

// Trace implements [gateway.Bills].
func (b bills) Trace(ctx context.Context, document invoice.Invoice, line int) ([]gateway.TracedLine, error) {
	traced, err := b.operator.TraceInvoice(ctx, document, line)
	if err != nil {
		return nil, err
	}
	lines := make([]gateway.TracedLine, len(traced))
	for n, one := range traced {
		lines[n] = gateway.TracedLine{
			Line: one.Number, Name: one.Name, Period: one.Period, Quantity: one.Quantity, Amount: one.Amount, Events: []gateway.TracedEvent{},
		}
		for _, event := range one.Events {
			lines[n].Events = append(lines[n].Events, gateway.TracedEvent{
				ID: event.Event, Session: string(event.Session), Request: string(event.Request), Server: event.Server, Tool: event.Tool,
				Model: event.Model, Outcome: event.Outcome, At: event.At.UTC().Format(time.RFC3339Nano), Quantity: event.Quantity.String(),
			})
		}
	}
	return lines, nil
}
