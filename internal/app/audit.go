package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
)

// LedgerAudit is what came of holding log, USAGE, rows, sums, entries,
// invoices and exports against each other.
type LedgerAudit struct {
	OK bool `json:"ok"`
	// At is when the audit began.
	At      time.Time          `json:"at"`
	Tenants []TenantAudit      `json:"tenants"`
	Ledger  LedgerVerification `json:"ledger"`
	Books   ledger.Books       `json:"books"`
	// Exports are held against the usage that they told of.
	Exports []export.Audit `json:"exports"`
	// Asked is what the other sides say of those exports whose settings were
	// given.
	Asked []export.Reconciliation `json:"asked"`
}

// TenantAudit counts a tenant's events in each place. Log and USAGE forget what
// is old, the ledger does not: it may have more, never less.
type TenantAudit struct {
	Tenant events.TenantID `json:"tenant"`
	// Log is of the facts of session logs that make usage, Usage of the stored
	// usage events, Rows of the ledger.
	Log   Counted `json:"log"`
	Usage Counted `json:"usage"`
	Rows  Counted `json:"rows"`
	// Aside are usage events in quarantine or conflict.
	Aside    int      `json:"aside"`
	Findings []string `json:"findings"`
}

// Counted is how many events there are and what they sum to, by unit.
type Counted struct {
	Events int                     `json:"events"`
	Sums   map[string]usage.Amount `json:"sums"`
}

func (c *Counted) add(quantities []usage.Quantity) error {
	c.Events++
	if c.Sums == nil {
		c.Sums = map[string]usage.Amount{}
	}
	for _, quantity := range quantities {
		sum, err := c.Sums[quantity.Unit].Add(quantity.Amount)
		if err != nil {
			return err
		}
		c.Sums[quantity.Unit] = sum
	}
	return nil
}

// auditPace is how often an audit looks again for what the meter has not booked
// yet.
const auditPace = 200 * time.Millisecond

// LedgerAuditParams say how an audit is made.
type LedgerAuditParams struct {
	// Patience is how long what is on its way may take to be booked.
	Patience time.Duration
	// Exports are files of settings of exports whose other side is asked.
	Exports []string
}

// AuditLedger names every difference between what was logged, published, booked,
// billed and exported.
func (o *Operator) AuditLedger(ctx context.Context, params LedgerAuditParams) (LedgerAudit, error) {
	audit := LedgerAudit{At: o.kit.now().UTC(), Tenants: []TenantAudit{}}
	books, err := o.kit.books(ctx)
	if err != nil {
		return audit, err
	}
	tenants, err := o.auditedTenants(ctx, books)
	if err != nil {
		return audit, err
	}
	audit.OK = true
	for _, tenant := range tenants {
		found, err := o.auditTenant(ctx, books, tenant, params.Patience)
		if err != nil {
			return audit, fmt.Errorf("auditing %s: %w", tenant, err)
		}
		audit.Tenants = append(audit.Tenants, found)
		audit.OK = audit.OK && len(found.Findings) == 0
	}
	if audit.Ledger, err = o.VerifyLedger(ctx); err != nil {
		return audit, err
	}
	cards, err := o.cards(ctx, books)
	if err != nil {
		return audit, err
	}
	if audit.Books, err = books.AuditBooks(ctx, cards); err != nil {
		return audit, err
	}
	audit.OK = audit.OK && audit.Ledger.OK && len(audit.Books.Findings) == 0
	return audit, o.auditExports(ctx, books, &audit, params.Exports)
}

// auditExports holds all exports against the ledger, and asks the other side of
// those whose settings are in files.
func (o *Operator) auditExports(ctx context.Context, books *ledger.Ledger, audit *LedgerAudit, files []string) error {
	found, err := export.AuditAll(ctx, books)
	if err != nil {
		return err
	}
	audit.Exports, audit.Asked = found, []export.Reconciliation{}
	for _, one := range found {
		audit.OK = audit.OK && len(one.Findings) == 0
	}
	for _, file := range files {
		asked, err := o.ReconcileExport(ctx, ExportParams{File: file})
		if err != nil {
			return fmt.Errorf("auditing the export of %s: %w", file, err)
		}
		audit.Asked = append(audit.Asked, asked)
		audit.OK = audit.OK && asked.OK()
	}
	return nil
}

// auditedTenants are those that are registered and those of the ledger.
func (o *Operator) auditedTenants(ctx context.Context, books *ledger.Ledger) ([]events.TenantID, error) {
	known, err := books.Tenants(ctx, usage.Period{})
	if err != nil {
		return nil, err
	}
	registered, err := o.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, customer := range registered {
		known = append(known, customer.ID)
	}
	slices.Sort(known)
	return slices.Compact(known), nil
}

// saying is an event that says this; another one with the same id that says
// something else is another one.
type saying struct {
	usage.ID
	hash usage.Hash
}

// expected is what a tenant's ledger has to hold.
type expected struct {
	logged    map[usage.ID][]usage.Quantity
	published map[saying]bool
}

func (o *Operator) auditTenant(ctx context.Context, books *ledger.Ledger, tenant events.TenantID, patience time.Duration) (TenantAudit, error) {
	found := TenantAudit{Tenant: tenant}
	want, err := o.expectedOf(ctx, &found)
	if err != nil {
		return found, err
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(auditPace)
	defer look.Stop()
	for {
		if err := compareLedger(ctx, books, &found, want); err != nil || len(found.Findings) == 0 {
			return found, err
		}
		select {
		case <-look.C:
		case <-deadline.C:
			return found, nil
		case <-ctx.Done():
			return found, context.Cause(ctx)
		}
	}
}

// expectedOf reads the session logs and USAGE.
func (o *Operator) expectedOf(ctx context.Context, found *TenantAudit) (expected, error) {
	want := expected{logged: map[usage.ID][]usage.Quantity{}, published: map[saying]bool{}}
	broker, err := o.kit.broker(ctx)
	if err != nil {
		return want, err
	}
	var fault error
	err = broker.Log().Follow(ctx, bus.FollowParams{Tenant: found.Tenant, Stored: true}, func(record events.Record) {
		env, event, ok := usage.FromRecord(record, usage.SessionFacts{Environment: events.EnvironmentTest})
		if !ok {
			return
		}
		message, err := events.Encode(events.UsageSubject(found.Tenant, event.Meter), env, event)
		if err == nil {
			var row usage.Row
			row, err = usage.ReadRow(message)
			want.logged[row.ID] = row.Quantities
			err = cmp.Or(err, found.Log.add(row.Quantities))
		}
		fault = cmp.Or(fault, err)
	})
	if err := cmp.Or(err, fault); err != nil {
		return want, fmt.Errorf("reading the logs: %w", err)
	}
	err = broker.Usage().Each(ctx, found.Tenant, func(message events.Message) {
		batch := usage.ReadBatch([]events.Message{message})
		for _, late := range batch.Untimely {
			batch.Rows = append(batch.Rows, late.Row)
		}
		for _, row := range batch.Rows {
			want.published[saying{row.ID, row.Hash()}] = true
			fault = cmp.Or(fault, found.Usage.add(row.Quantities))
		}
		for _, correction := range batch.Corrections {
			want.published[saying{correction.ID, correction.Hash()}] = true
			found.Usage.Events++
		}
		found.Usage.Events += len(batch.Rejected)
	})
	return want, cmp.Or(err, fault)
}

// compareLedger strikes out of what is expected all that the ledger holds, and
// tells what is left.
func compareLedger(ctx context.Context, books *ledger.Ledger, found *TenantAudit, want expected) error {
	found.Rows, found.Aside, found.Findings = Counted{}, 0, []string{}
	logged, published := maps.Clone(want.logged), maps.Clone(want.published)
	var fault error
	err := books.Each(ctx, found.Tenant, func(row usage.Row, hash usage.Hash) {
		fault = cmp.Or(fault, found.Rows.add(row.Quantities))
		if quantities, ok := logged[row.ID]; ok {
			delete(logged, row.ID)
			if !slices.Equal(quantities, row.Quantities) {
				found.Findings = append(found.Findings, fmt.Sprintf("event %s of %s counts %v in its log, %v in the ledger", row.Event, row.Source, quantities, row.Quantities))
			}
		}
		delete(published, saying{row.ID, hash})
	}, func(id usage.ID, hash usage.Hash) { delete(published, saying{id, hash}) })
	if err := cmp.Or(err, fault); err != nil {
		return err
	}
	err = books.EachAside(ctx, found.Tenant, func(message events.Message) {
		found.Aside++
		batch := usage.ReadBatch([]events.Message{message})
		for _, late := range batch.Untimely {
			delete(published, saying{late.Row.ID, late.Row.Hash()})
		}
		for _, correction := range batch.Corrections {
			delete(published, saying{correction.ID, correction.Hash()})
		}
	}, func(id usage.ID, hash usage.Hash) {
		found.Aside++
		delete(published, saying{id, hash})
	})
	if err != nil {
		return err
	}
	if len(logged) > 0 {
		found.Findings = append(found.Findings, fmt.Sprintf("%d facts of the log have no row, as %s", len(logged), least(logged, func(id usage.ID) usage.ID { return id })))
	}
	if len(published) > 0 {
		found.Findings = append(found.Findings,
			fmt.Sprintf("%d usage events are neither booked nor kept aside, as %s", len(published), least(published, func(s saying) usage.ID { return s.ID })))
	}
	return nil
}

// least names the first of some events.
func least[K comparable, V any](left map[K]V, id func(K) usage.ID) string {
	var names []string
	for key := range left {
		names = append(names, id(key).Source+" "+id(key).Event)
	}
	return slices.Min(names)
}
