package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/rating"
)

// InvoiceParams say which invoice is meant.
type InvoiceParams struct {
	Tenant      events.TenantID
	Environment events.Environment
	Period      invoice.Period
	// Cards price it: the one in force when the period begins. A card of kind
	// cost is booked beside the invoice, and stands on none.
	Cards rating.Cards
}

// Preview is the invoice of a period as it would be now, with the period's
// state; of an invoiced period it is the invoice.
func (l *Ledger) Preview(ctx context.Context, params InvoiceParams) (invoice.Invoice, invoice.State, error) {
	var drafted drafted
	var state invoice.State
	err := l.read(ctx, params.Tenant, func(tx *transaction) (err error) {
		drafting := &drafting{ledger: l, tx: tx, params: params, now: l.now()}
		drafted, err = drafting.draft(ctx)
		state = invoice.StateOf(params.Period.Period, drafted.issued, drafting.now)
		return err
	})
	if err != nil {
		return invoice.Invoice{}, "", fmt.Errorf("previewing an invoice: %w", err)
	}
	return drafted.invoice, state, nil
}

// Issue closes a period at the last number that the ledger has given, and keeps
// its invoice with the entries that it makes. A period is invoiced once: asked
// again, Issue returns the invoice and false. Before the grace has ended it is
// [invoice.ErrNotClosed].
func (l *Ledger) Issue(ctx context.Context, params InvoiceParams) (issued invoice.Invoice, first bool, err error) {
	err = l.write(ctx, func(tx *transaction) error {
		drafting := &drafting{ledger: l, tx: tx, params: params, now: l.now()}
		drafted, err := drafting.draft(ctx)
		if err != nil {
			return err
		}
		issued, first = drafted.invoice, !drafted.issued
		if drafted.issued {
			return nil
		}
		if state := invoice.StateOf(params.Period.Period, false, drafting.now); state != invoice.StateClosed {
			return fmt.Errorf("%w: %s is %s until %s", invoice.ErrNotClosed, params.Period.Name, state,
				params.Period.To.Add(invoice.Grace).Format(time.RFC3339))
		}
		return drafting.keep(ctx, drafted)
	})
	if err != nil {
		return invoice.Invoice{}, false, fmt.Errorf("issuing an invoice: %w", err)
	}
	return issued, first, nil
}

// drafting is one invoice in the making, in one transaction.
type drafting struct {
	ledger *Ledger
	tx     *transaction
	params InvoiceParams
	now    time.Time
}

// drafted is an invoice with what it takes to keep it.
type drafted struct {
	invoice invoice.Invoice
	issued  bool // before
	cut     int64
	card    *rating.Card
	cost    *rating.Bill // nil without a card of kind cost
	changed []closedPeriod
	past    invoice.Params
}

func (d *drafting) draft(ctx context.Context) (drafted, error) {
	var made drafted
	if err := d.tx.QueryRowContext(ctx, "SELECT value FROM ledger_counters WHERE name = 'number'").Scan(&made.cut); err != nil {
		return made, fmt.Errorf("reading the cut: %w", err)
	}
	issued, err := d.ledger.invoicesOf(ctx, d.tx, d.params.Tenant)
	if err != nil {
		return made, err
	}
	for _, document := range issued {
		if document.Kind == invoice.KindInvoice && document.Period == d.params.Period.Name && document.Environment == d.params.Environment {
			made.invoice, made.issued = document, true
			return made, nil
		}
	}
	grants, err := d.ledger.grantsOf(ctx, d.tx, d.params.Tenant)
	if err != nil {
		return made, err
	}
	if d.params.Environment != events.EnvironmentLive {
		grants = nil // credit is real money
	}
	if made.card, err = d.params.Cards.At(d.params.Period.From, rating.KindPrice, d.params.Tenant); err != nil {
		return made, err
	}
	made.past = invoice.Params{
		Tenant: d.params.Tenant, Environment: d.params.Environment, IssuedAt: d.now, Issued: issuedIn(issued, d.params.Environment), Grants: grants,
	}
	if made.past.Own, err = d.part(ctx, d.params.Period, made.card, made.cut); err != nil {
		return made, err
	}
	if made.changed, err = d.changedPeriods(ctx, made.cut); err != nil {
		return made, err
	}
	for _, period := range made.changed {
		card, err := d.cardOf(period)
		if err != nil {
			return made, err
		}
		part, err := d.part(ctx, period.period, card, made.cut)
		if err != nil {
			return made, err
		}
		made.past.Others = append(made.past.Others, part)
	}
	if made.invoice, err = invoice.Draft(made.past); err != nil {
		return made, err
	}
	made.cost, err = d.cost(ctx, made.cut)
	return made, err
}

func issuedIn(all []invoice.Invoice, environment events.Environment) []invoice.Invoice {
	var found []invoice.Invoice
	for _, document := range all {
		if document.Environment == environment {
			found = append(found, document)
		}
	}
	return found
}

func (d *drafting) part(ctx context.Context, period invoice.Period, card *rating.Card, cut int64) (invoice.Part, error) {
	taken, err := d.ledger.snapshot(ctx, d.tx, SnapshotParams{
		Tenant: d.params.Tenant, Period: period.Period, Environment: d.params.Environment, Each: card.Each(), Cut: cut,
	})
	if err != nil {
		return invoice.Part{}, fmt.Errorf("adding up period %s: %w", period.Name, err)
	}
	return invoice.Part{Period: period, Card: card, Usage: taken}, nil
}

// cost is what the period's own usage cost us.
func (d *drafting) cost(ctx context.Context, cut int64) (*rating.Bill, error) {
	card, err := d.params.Cards.At(d.params.Period.From, rating.KindCost, d.params.Tenant)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // no card of kind cost is no fault
	}
	part, err := d.part(ctx, d.params.Period, card, cut)
	if err != nil {
		return nil, err
	}
	bill, err := rating.Rate(card, rating.Usage{Totals: part.Usage.Totals, Charges: part.Usage.Charges})
	return &bill, err
}

// keep writes the invoice, its entries and the state of the periods on it.
func (d *drafting) keep(ctx context.Context, made drafted) error {
	if err := d.ledger.insertInvoice(ctx, d.tx, made.invoice, made.cut); err != nil {
		return err
	}
	if made.invoice.Environment == events.EnvironmentLive {
		if err := d.book(ctx, made); err != nil {
			return err
		}
	}
	statement := d.ledger.dialect.insert("INSERT INTO billing_periods (tenant_id, environment, period, cut, covered, card, invoice_id, closed_at) ", 8, 1, "")
	_, err := d.tx.ExecContext(ctx, statement, string(d.params.Tenant), string(d.params.Environment), d.params.Period.Name,
		made.cut, made.cut, made.card.Version, made.invoice.ID, nanos(d.now))
	if err != nil {
		return fmt.Errorf("closing period %s: %w", d.params.Period.Name, err)
	}
	cover := d.ledger.dialect.bind("UPDATE billing_periods SET covered = ? WHERE tenant_id = ? AND environment = ? AND period = ?")
	for _, changed := range made.changed {
		if _, err := d.tx.ExecContext(ctx, cover, made.cut, string(d.params.Tenant), string(d.params.Environment), changed.period.Name); err != nil {
			return fmt.Errorf("covering period %s: %w", changed.period.Name, err)
		}
	}
	return nil
}

// book makes the entries of an invoice, of what its usage cost, and of credit
// that has expired with its period.
func (d *drafting) book(ctx context.Context, made drafted) error {
	entries, err := made.invoice.Transaction()
	if err != nil {
		return err
	}
	transactions := []invoice.Transaction{entries}
	if made.cost != nil {
		transactions = append(transactions, invoice.CostTransaction(made.invoice.ID, *made.cost))
	}
	documents := append(slices.Clip(made.past.Issued), made.invoice)
	for _, grant := range made.past.Grants {
		if grant.ExpiresAt.IsZero() || grant.ExpiresAt.After(made.invoice.To) {
			continue
		}
		left, err := grant.Left(documents)
		if err != nil {
			return err
		}
		if left.Minor() > 0 {
			transactions = append(transactions, grant.Expire(left))
		}
	}
	for _, transaction := range transactions {
		if err := d.ledger.post(ctx, d.tx, d.params.Tenant, transaction); err != nil {
			return err
		}
	}
	return nil
}
