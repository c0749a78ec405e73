package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// rollupKey is one sum of a tenant's day.
type rollupKey struct {
	tenant events.TenantID
	day    string
	usage.Key
}

func (k rollupKey) compare(other rollupKey) int {
	return cmp.Or(cmp.Compare(k.tenant, other.tenant), cmp.Compare(k.day, other.day), k.Compare(other.Key))
}

type rollup struct {
	rollupKey
	amount usage.Amount
}

const (
	rollupHead = "INSERT INTO usage_rollups (tenant_id, day, meter, unit, server, tool, model, billable, environment, whole, nano) "
	// A sum of billionths stays below two wholes, so one carry is enough.
	rollupTail = " ON CONFLICT (tenant_id, day, meter, unit, server, tool, model, billable, environment) DO UPDATE SET" +
		" whole = usage_rollups.whole + excluded.whole + (usage_rollups.nano + excluded.nano) / 1000000000," +
		" nano = (usage_rollups.nano + excluded.nano) % 1000000000"
)

func rollupShape() shape { return shape{rollupHead, kinds("tttttttitii"), rollupTail} }

// addRollups adds the quantities of new rows to their sums, in the order of
// keys: two writers then take the same locks in the same order.
func (b *booking) addRollups(ctx context.Context, rollups []rollup) error {
	var args []any
	for _, sum := range rollups {
		args = append(args, string(sum.tenant), sum.day, string(sum.Meter), sum.Unit, sum.Server, sum.Tool, sum.Model,
			flag(sum.Billable), string(sum.Environment), sum.amount.Whole(), sum.amount.Nano())
	}
	if _, err := b.ledger.sums.exec(ctx, b.tx, args); err != nil {
		return fmt.Errorf("summing rows: %w", err)
	}
	return nil
}

// rollups are the sums of rows.
func rollups(rows []*entry) ([]rollup, error) {
	sums := map[rollupKey]usage.Amount{}
	for _, row := range rows {
		key := rollupKey{tenant: row.Tenant, day: row.day}
		for _, quantity := range row.Quantities {
			key.Key = row.Key(quantity.Unit)
			sum, err := sums[key].Add(quantity.Amount)
			if err != nil {
				return nil, fmt.Errorf("summing rows: %w", err)
			}
			sums[key] = sum
		}
	}
	rollups := make([]rollup, 0, len(sums))
	for key, sum := range sums {
		rollups = append(rollups, rollup{rollupKey: key, amount: sum})
	}
	slices.SortFunc(rollups, func(a, b rollup) int { return a.compare(b.rollupKey) })
	return rollups, nil
}
