package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// Verify sums every row anew and holds the result against the sums as kept, and
// every row against its hash and its day. It reads the ledger as of one moment,
// tenant by tenant, while others write.
func (l *Ledger) Verify(ctx context.Context) (usage.Verification, error) {
	audit := &audit{ledger: l}
	err := l.read(ctx, everyTenant, func(tx *transaction) error {
		audit.tx = tx
		tenants, err := audit.tenants(ctx)
		if err != nil {
			return fmt.Errorf("listing tenants: %w", err)
		}
		for _, tenant := range tenants {
			if err := audit.verify(ctx, tenant); err != nil {
				return fmt.Errorf("tenant %s: %w", tenant, err)
			}
		}
		if l.dialect.claimed {
			return audit.verifyClaims(ctx)
		}
		return nil
	})
	if err != nil {
		return usage.Verification{}, fmt.Errorf("verifying the ledger: %w", err)
	}
	return audit.found, nil
}

// verifyClaims holds the table that decides which events are new against the
// rows, where these are two: each event has one row, and no row is in the
// partition that nothing should reach.
func (a *audit) verifyClaims(ctx context.Context) error {
	const faults = "SELECT tenant_id, event_id FROM (" +
		"SELECT tenant_id, source, event_id, hash, occurred_at FROM usage_ids" +
		" UNION ALL SELECT tenant_id, source, event_id, hash, occurred_at FROM usage_rows) AS pairs" +
		" GROUP BY tenant_id, source, event_id, hash, occurred_at HAVING COUNT(*) <> 2" +
		" UNION ALL SELECT tenant_id, event_id FROM usage_rows_default"
	found, err := a.tx.QueryContext(ctx, faults)
	return scanAll(found, err, func(found scanner) error {
		var difference usage.Difference
		err := found.Scan(&difference.Tenant, &difference.Event)
		a.report(difference)
		return err
	})
}

// audit is one run of [Ledger.Verify].
type audit struct {
	ledger *Ledger
	tx     *transaction
	found  usage.Verification
}

func (a *audit) tenants(ctx context.Context) ([]events.TenantID, error) {
	found, err := a.tx.QueryContext(ctx, "SELECT tenant_id FROM usage_rows UNION SELECT tenant_id FROM usage_rollups ORDER BY tenant_id")
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }()
	var tenants []events.TenantID
	for found.Next() {
		var tenant events.TenantID
		if err := found.Scan(&tenant); err != nil {
			return nil, err
		}
		tenants = append(tenants, tenant)
	}
	return tenants, found.Err()
}

func (a *audit) verify(ctx context.Context, tenant events.TenantID) error {
	sums, err := a.sumRows(ctx, tenant)
	if err != nil {
		return fmt.Errorf("summing rows: %w", err)
	}
	kept, err := a.rollups(ctx, tenant)
	if err != nil {
		return fmt.Errorf("reading sums: %w", err)
	}
	keys := make([]rollupKey, 0, len(sums))
	for key := range sums {
		keys = append(keys, key)
	}
	for key := range kept {
		if _, summed := sums[key]; !summed {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, rollupKey.compare)
	for _, key := range keys {
		held, exists := kept[key]
		if held != sums[key] || !exists && !sums[key].IsZero() {
			a.report(usage.Difference{Tenant: tenant, Day: key.day, Key: key.Key, Rows: sums[key], Rollup: held})
		}
	}
	return nil
}

func (a *audit) report(difference usage.Difference) {
	if len(a.found.Differences) < usage.MaxDifferences {
		a.found.Differences = append(a.found.Differences, difference)
	}
}

func (a *audit) sumRows(ctx context.Context, tenant events.TenantID) (map[rollupKey]usage.Amount, error) {
	corrected, err := a.ledger.correctionsOf(ctx, a.tx, tenant, allNumbers)
	if err != nil {
		return nil, err
	}
	statement := a.ledger.dialect.bind("SELECT " + heldFields + " FROM usage_rows WHERE tenant_id = ?")
	found, err := a.tx.QueryContext(ctx, statement, string(tenant))
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }()
	sums := map[rollupKey]usage.Amount{}
	for found.Next() {
		held, err := scanRow(found, tenant)
		if err != nil {
			return nil, err
		}
		a.found.Rows++
		if held.Hash() != held.hash || a.ledger.day(held.Row) != held.day {
			a.report(usage.Difference{Tenant: tenant, Day: held.day, Event: held.Event})
		}
		for _, quantity := range corrected.net(held.Row) {
			key := rollupKey{tenant: tenant, day: held.day, Key: held.Key(quantity.Unit)}
			sum, err := sums[key].Add(quantity.Amount)
			if err != nil {
				return nil, err
			}
			sums[key] = sum
		}
	}
	return sums, found.Err()
}

// heldFields are the columns that [scanRow] reads.
const heldFields = "source, event_id, hash, meter, session_id, request_id, server, tool, model, outcome, billable," +
	" environment, quantities, attempts, duration_ms, metadata, day, occurred_at"

// allNumbers is a cut above every number.
const allNumbers = math.MaxInt64

// heldRow is a row as the ledger holds it.
type heldRow struct {
	hashedRow
	day string
}

func scanRow(found scanner, tenant events.TenantID) (heldRow, error) {
	held := heldRow{hashedRow: hashedRow{Row: usage.Row{ID: usage.ID{Tenant: tenant}}}}
	row := &held.Row
	var hash, quantities, metadata []byte
	var billable, duration, occurredAt int64
	err := found.Scan(&row.Source, &row.Event, &hash, &row.Meter, &row.Session, &row.Request, &row.Server, &row.Tool, &row.Model, &row.Outcome,
		&billable, &row.Environment, &quantities, &row.Attempts, &duration, &metadata, &held.day, &occurredAt)
	if err != nil {
		return heldRow{}, err
	}
	if err := json.Unmarshal(quantities, &row.Quantities); err != nil {
		return heldRow{}, fmt.Errorf("reading quantities of %s: %w", row.Event, err)
	}
	if err := json.Unmarshal(metadata, &row.Metadata); err != nil {
		return heldRow{}, fmt.Errorf("reading metadata of %s: %w", row.Event, err)
	}
	held.hash = hashOf(hash)
	row.Billable = billable != 0
	row.Duration = time.Duration(duration) * time.Millisecond
	row.OccurredAt = fromNanos(occurredAt)
	return held, nil
}

func (a *audit) rollups(ctx context.Context, tenant events.TenantID) (map[rollupKey]usage.Amount, error) {
	statement := a.ledger.dialect.bind("SELECT day, meter, unit, server, tool, model, billable, environment, whole, nano FROM usage_rollups WHERE tenant_id = ?")
	found, err := a.tx.QueryContext(ctx, statement, string(tenant))
	if err != nil {
		return nil, err
	}
	defer func() { _ = found.Close() }()
	kept := map[rollupKey]usage.Amount{}
	for found.Next() {
		key := rollupKey{tenant: tenant}
		var billable, whole, nano int64
		err := found.Scan(&key.day, &key.Meter, &key.Unit, &key.Server, &key.Tool, &key.Model, &billable, &key.Environment, &whole, &nano)
		if err != nil {
			return nil, err
		}
		key.Billable = billable != 0
		amount, err := usage.AmountOf(whole, nano)
		if err != nil {
			return nil, err
		}
		a.found.Rollups++
		kept[key] = amount
	}
	return kept, found.Err()
}
