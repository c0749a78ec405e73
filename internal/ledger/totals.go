package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// Totals are a tenant's exact sums of what occurred in a period; the zero
// period is all time. Whole days come from the sums, the rest of an odd
// interval from its rows, both as of one moment.
func (l *Ledger) Totals(ctx context.Context, tenant events.TenantID, period usage.Period) (usage.Totals, error) {
	tally := usage.NewTally()
	span := l.span(period)
	err := l.read(ctx, tenant, func(tx *transaction) error {
		if err := l.tallyDays(ctx, tx, tally, tenant, span); err != nil {
			return err
		}
		for _, edge := range span.edges {
			if err := l.tallyRows(ctx, tx, tally, tenant, edge); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("summing usage: %w", err)
	}
	return tally.Totals(), nil
}

// Tenants lists the tenants of whom something occurred in a period, in order;
// the zero period is all time.
func (l *Ledger) Tenants(ctx context.Context, period usage.Period) ([]events.TenantID, error) {
	span := l.span(period)
	clause, args := span.days()
	parts := []string{"SELECT DISTINCT tenant_id FROM usage_rollups WHERE " + clause}
	for _, edge := range span.edges {
		parts = append(parts, "SELECT tenant_id FROM usage_rows WHERE day = ? AND occurred_at >= ? AND occurred_at < ?")
		args = append(args, edge.day, nanos(edge.From), nanos(edge.To))
	}
	statement := l.dialect.bind(strings.Join(parts, " UNION ") + " ORDER BY tenant_id")
	var tenants []events.TenantID
	err := l.list(ctx, everyTenant, statement, args, func(found scanner) error {
		var tenant events.TenantID
		err := found.Scan(&tenant)
		tenants = append(tenants, tenant)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing tenants: %w", err)
	}
	return tenants, nil
}

// span is a period as the ledger's days cut it.
type span struct {
	all bool
	// first and end bound the whole days; withFirst says whether first is one.
	first, end string
	withFirst  bool
	edges      []edge
}

// edge is a part of one day.
type edge struct {
	day string
	usage.Period
}

// longerThanDay bounds the search for the rows of a day that has begun or is
// about to end, however the clock is put.
const longerThanDay = 30 * time.Hour

func (l *Ledger) span(period usage.Period) span {
	if period.IsZero() {
		return span{all: true}
	}
	date := func(moment time.Time) string { return usage.DateOf(moment, l.zone) }
	cut := span{first: date(period.From), end: date(period.To)}
	cut.withFirst = date(period.From.Add(-1)) != cut.first
	if cut.first == cut.end {
		cut.edges = []edge{{day: cut.first, Period: period}}
		cut.withFirst = false
		return cut
	}
	if !cut.withFirst {
		rest := usage.Period{From: period.From, To: period.From.Add(longerThanDay)}
		cut.edges = append(cut.edges, edge{day: cut.first, Period: rest})
	}
	if date(period.To.Add(-1)) == cut.end {
		begun := usage.Period{From: period.To.Add(-longerThanDay), To: period.To}
		cut.edges = append(cut.edges, edge{day: cut.end, Period: begun})
	}
	return cut
}

// days is the condition for the whole days with its arguments.
func (s span) days() (string, []any) {
	switch {
	case s.all:
		return "1 = 1", nil
	case s.withFirst:
		return "day >= ? AND day < ?", []any{s.first, s.end}
	default:
		return "day > ? AND day < ?", []any{s.first, s.end}
	}
}

func (l *Ledger) tallyDays(ctx context.Context, tx *transaction, tally *usage.Tally, tenant events.TenantID, span span) error {
	clause, days := span.days()
	statement := l.dialect.bind("SELECT meter, unit, server, tool, model, billable, environment, SUM(whole), SUM(nano) FROM usage_rollups" +
		" WHERE tenant_id = ? AND " + clause + " GROUP BY meter, unit, server, tool, model, billable, environment")
	found, err := tx.QueryContext(ctx, statement, append([]any{string(tenant)}, days...)...)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		var key usage.Key
		var whole, nano, billable int64
		err := found.Scan(&key.Meter, &key.Unit, &key.Server, &key.Tool, &key.Model, &billable, &key.Environment, &whole, &nano)
		if err != nil {
			return err
		}
		key.Billable = billable != 0
		amount, err := usage.AmountOf(whole, nano)
		if err != nil {
			return err
		}
		if err := tally.Add(key, amount); err != nil {
			return err
		}
	}
	return found.Err()
}

func (l *Ledger) tallyRows(ctx context.Context, tx *transaction, tally *usage.Tally, tenant events.TenantID, edge edge) error {
	corrected, err := l.correctionsOf(ctx, tx, tenant, allNumbers)
	if err != nil {
		return err
	}
	statement := l.dialect.bind("SELECT source, event_id, meter, server, tool, model, billable, environment, quantities FROM usage_rows" +
		" WHERE tenant_id = ? AND occurred_at >= ? AND occurred_at < ? AND day = ?")
	found, err := tx.QueryContext(ctx, statement, string(tenant), nanos(edge.From), nanos(edge.To), edge.day)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		row := usage.Row{ID: usage.ID{Tenant: tenant}}
		var billable int64
		var quantities []byte
		err := found.Scan(&row.Source, &row.Event, &row.Meter, &row.Server, &row.Tool, &row.Model, &billable, &row.Environment, &quantities)
		if err != nil {
			return err
		}
		row.Billable = billable != 0
		if err := json.Unmarshal(quantities, &row.Quantities); err != nil {
			return fmt.Errorf("reading quantities: %w", err)
		}
		row.Quantities = corrected.net(row)
		if err := tally.AddRow(row); err != nil {
			return err
		}
	}
	return found.Err()
}
