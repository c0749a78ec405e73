package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cockroachdb/apd/v3"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

// Finding is one place where what the ledger holds does not agree.
type Finding struct {
	// Check is numbers, entries, invoice or period.
	Check  string          `json:"check"`
	Tenant events.TenantID `json:"tenant,omitempty"`
	Text   string          `json:"text"`
}

// Books is what an audit of the books looked at.
type Books struct {
	Events       int64     `json:"events"`
	Invoices     int       `json:"invoices"`
	Transactions int       `json:"transactions"`
	Findings     []Finding `json:"findings"`
}

// AuditBooks holds the numbers of rows and corrections against their count, the
// entries of each transaction against zero, those of each document against what
// it says, and what invoices bill of each closed period against the period's
// usage rated anew. [Ledger.Verify] holds rows against sums.
func (l *Ledger) AuditBooks(ctx context.Context, cards rating.Cards) (Books, error) {
	auditing := &auditing{ledger: l, cards: cards, books: Books{Findings: []Finding{}}}
	err := l.read(ctx, everyTenant, func(tx *transaction) error {
		auditing.tx = tx
		if err := auditing.numbers(ctx); err != nil {
			return err
		}
		tenants, err := auditing.tenants(ctx)
		if err != nil {
			return err
		}
		for _, tenant := range tenants {
			if err := auditing.tenant(ctx, tenant); err != nil {
				return fmt.Errorf("tenant %s: %w", tenant, err)
			}
		}
		return nil
	})
	if err != nil {
		return Books{}, fmt.Errorf("auditing the books: %w", err)
	}
	return auditing.books, nil
}

// auditing is one run of [Ledger.AuditBooks].
type auditing struct {
	ledger *Ledger
	tx     *transaction
	cards  rating.Cards
	books  Books
}

func (a *auditing) find(check string, tenant events.TenantID, format string, args ...any) {
	if len(a.books.Findings) < usage.MaxDifferences {
		a.books.Findings = append(a.books.Findings, Finding{Check: check, Tenant: tenant, Text: fmt.Sprintf(format, args...)})
	}
}

// numbers are given without gaps: one that is missing is a row that is missing.
func (a *auditing) numbers(ctx context.Context) error {
	var given, last int64
	const numbered = "(SELECT number FROM usage_rows UNION ALL SELECT number FROM usage_corrections) AS numbered"
	err := a.tx.QueryRowContext(ctx, "SELECT COUNT(DISTINCT number), COALESCE(MAX(number), 0) FROM "+numbered).Scan(&given, &last)
	if err != nil {
		return fmt.Errorf("counting numbers: %w", err)
	}
	var counter int64
	if err := a.tx.QueryRowContext(ctx, "SELECT value FROM ledger_counters WHERE name = 'number'").Scan(&counter); err != nil {
		return fmt.Errorf("reading the counter: %w", err)
	}
	a.books.Events = given
	if given != counter || last != counter {
		a.find("numbers", "", "%d numbers were given, %d are there, the last is %d", counter, given, last)
	}
	return nil
}

func (a *auditing) tenants(ctx context.Context) ([]events.TenantID, error) {
	var tenants []events.TenantID
	found, err := a.tx.QueryContext(ctx, "SELECT tenant_id FROM invoices UNION SELECT tenant_id FROM postings UNION SELECT tenant_id FROM billing_periods ORDER BY tenant_id")
	err = scanAll(found, err, func(row scanner) error {
		var tenant events.TenantID
		err := row.Scan(&tenant)
		tenants = append(tenants, tenant)
		return err
	})
	return tenants, err
}

func (a *auditing) tenant(ctx context.Context, tenant events.TenantID) error {
	booked, err := a.transactions(ctx, tenant)
	if err != nil {
		return fmt.Errorf("reading entries: %w", err)
	}
	for key, transaction := range booked {
		a.books.Transactions++
		if err := transaction.Check(); err != nil {
			a.find("entries", tenant, "transaction %s: %v", key, err)
		}
	}
	documents, err := a.ledger.invoicesOf(ctx, a.tx, tenant)
	if err != nil {
		return err
	}
	for _, document := range documents {
		a.books.Invoices++
		a.document(document, booked[document.ID])
	}
	return a.periods(ctx, tenant, documents)
}

func (a *auditing) transactions(ctx context.Context, tenant events.TenantID) (map[string]invoice.Transaction, error) {
	booked := map[string]invoice.Transaction{}
	statement := a.ledger.dialect.bind("SELECT transaction_key, account, currency, amount FROM postings WHERE tenant_id = ? ORDER BY transaction_key, place")
	found, err := a.tx.QueryContext(ctx, statement, string(tenant))
	err = scanAll(found, err, func(row scanner) error {
		var key, text string
		var posting invoice.Posting
		if err := row.Scan(&key, &posting.Account, &posting.Currency, &text); err != nil {
			return err
		}
		var err error
		if posting.Amount, _, err = apd.NewFromString(text); err != nil {
			return fmt.Errorf("%w: %q", money.ErrInvalid, text)
		}
		transaction := booked[key]
		transaction.Key = key
		transaction.Postings = append(transaction.Postings, posting)
		booked[key] = transaction
		return nil
	})
	return booked, err
}

// document holds an invoice against its own sums and against its entries.
func (a *auditing) document(document invoice.Invoice, booked invoice.Transaction) {
	if err := document.Check(); err != nil {
		a.find("invoice", document.Tenant, "%v", err)
	}
	want, err := document.Transaction()
	switch {
	case err != nil:
		a.find("invoice", document.Tenant, "%s: %v", document.ID, err)
	case document.Environment != events.EnvironmentLive:
		return // it is not to be paid, and makes no entries
	case !slices.EqualFunc(want.Postings, booked.Postings, func(one, other invoice.Posting) bool {
		return one.Account == other.Account && one.Currency == other.Currency && one.Amount.Cmp(other.Amount) == 0
	}):
		a.find("invoice", document.Tenant, "%s: its entries are not those that it makes", document.ID)
	}
}

// periods rates each closed period anew, as of the number up to which it has
// been billed: nothing may be left to adjust.
func (a *auditing) periods(ctx context.Context, tenant events.TenantID, documents []invoice.Invoice) error {
	for _, environment := range []events.Environment{events.EnvironmentLive, events.EnvironmentTest} {
		drafting := &drafting{ledger: a.ledger, tx: a.tx, params: InvoiceParams{Tenant: tenant, Environment: environment, Cards: a.cards}}
		closed, err := drafting.closedPeriods(ctx, allNumbers)
		if err != nil {
			return err
		}
		for _, period := range closed {
			card, err := drafting.cardOf(period)
			if err != nil {
				a.find("period", tenant, "%v", err)
				continue
			}
			part, err := drafting.part(ctx, period.period, card, period.covered)
			if err != nil {
				return err
			}
			left, err := invoice.Adjust(part, issuedIn(documents, environment))
			if err != nil {
				return err
			}
			for _, line := range left {
				told, err := json.Marshal(map[string]string{"line": line.Name, "quantity": line.Quantity, "amount": line.Amount})
				if err != nil {
					return err
				}
				a.find("period", tenant, "%s is not billed as it was used: %s is left", period.period.Name, told)
			}
		}
	}
	return nil
}

// Each hands out all rows of a tenant as they were recorded, with their hashes,
// and its corrections with theirs.
func (l *Ledger) Each(ctx context.Context, tenant events.TenantID, row func(usage.Row, usage.Hash), correction func(usage.ID, usage.Hash)) error {
	err := l.read(ctx, tenant, func(tx *transaction) error {
		found, err := tx.QueryContext(ctx, l.dialect.bind("SELECT "+heldFields+" FROM usage_rows WHERE tenant_id = ?"), string(tenant))
		err = scanAll(found, err, func(found scanner) error {
			held, err := scanRow(found, tenant)
			row(held.Row, held.hash)
			return err
		})
		if err != nil {
			return err
		}
		found, err = tx.QueryContext(ctx, l.dialect.bind("SELECT source, event_id, hash FROM usage_corrections WHERE tenant_id = ?"), string(tenant))
		return scanAll(found, err, func(found scanner) error {
			id := usage.ID{Tenant: tenant}
			var hash []byte
			err := found.Scan(&id.Source, &id.Event, &hash)
			correction(id, hashOf(hash))
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("reading rows: %w", err)
	}
	return nil
}

// EachAside hands out what the ledger keeps beside a tenant's rows: the messages
// in quarantine, and the contradictions.
func (l *Ledger) EachAside(ctx context.Context, tenant events.TenantID, message func(events.Message), conflict func(usage.ID, usage.Hash)) error {
	kept, err := l.keptMessages(ctx, ReplayParams{Tenant: tenant})
	if err != nil {
		return fmt.Errorf("reading the quarantine: %w", err)
	}
	for _, item := range kept {
		message(item.message)
	}
	statement := l.dialect.bind("SELECT source, event_id, hash FROM usage_conflicts WHERE tenant_id = ?")
	err = l.list(ctx, tenant, statement, []any{string(tenant)}, func(found scanner) error {
		id := usage.ID{Tenant: tenant}
		var hash []byte
		err := found.Scan(&id.Source, &id.Event, &hash)
		conflict(id, hashOf(hash))
		return err
	})
	if err != nil {
		return fmt.Errorf("reading conflicts: %w", err)
	}
	return nil
}
