package ledger

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/internal/invoice"
	"github.com/feira-dev/feira/internal/rating"
)

// closedPeriod is a period that has its invoice.
type closedPeriod struct {
	period  invoice.Period
	covered int64
	card    string
}

// changedPeriods are the tenant's closed periods of which something was recorded
// since it was last billed, up to the cut.
func (d *drafting) changedPeriods(ctx context.Context, cut int64) ([]closedPeriod, error) {
	closed, err := d.closedPeriods(ctx, cut)
	if err != nil {
		return nil, err
	}
	var changed []closedPeriod
	for _, one := range closed {
		differs, err := d.changed(ctx, one, cut)
		if err != nil {
			return nil, err
		}
		if differs {
			changed = append(changed, one)
		}
	}
	return changed, nil
}

// closedPeriods are the tenant's periods that have been billed up to a number
// below the cut.
func (d *drafting) closedPeriods(ctx context.Context, cut int64) ([]closedPeriod, error) {
	var closed []closedPeriod
	statement := d.ledger.dialect.bind("SELECT period, covered, card FROM billing_periods WHERE tenant_id = ? AND environment = ? AND covered < ? ORDER BY period")
	found, err := d.tx.QueryContext(ctx, statement, string(d.params.Tenant), string(d.params.Environment), cut)
	err = scanAll(found, err, func(row scanner) error {
		var name string
		var one closedPeriod
		err := row.Scan(&name, &one.covered, &one.card)
		if err == nil {
			one.period, err = invoice.ParsePeriod(name, d.ledger.zone)
		}
		closed = append(closed, one)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing closed periods: %w", err)
	}
	return closed, nil
}

// changed reports whether a row of the period, or any correction of the tenant,
// has a number that no invoice covers.
func (d *drafting) changed(ctx context.Context, one closedPeriod, cut int64) (bool, error) {
	statement := d.ledger.dialect.bind("SELECT COUNT(*) FROM usage_rows WHERE tenant_id = ? AND occurred_at >= ? AND occurred_at < ? AND number > ? AND number <= ?")
	var rows, corrections int
	err := d.tx.QueryRowContext(ctx, statement, string(d.params.Tenant), nanos(one.period.From), nanos(one.period.To), one.covered, cut).Scan(&rows)
	if err != nil {
		return false, fmt.Errorf("looking for late events of %s: %w", one.period.Name, err)
	}
	statement = d.ledger.dialect.bind("SELECT COUNT(*) FROM usage_corrections WHERE tenant_id = ? AND number > ? AND number <= ?")
	if err := d.tx.QueryRowContext(ctx, statement, string(d.params.Tenant), one.covered, cut).Scan(&corrections); err != nil {
		return false, fmt.Errorf("looking for corrections of %s: %w", one.period.Name, err)
	}
	return rows+corrections > 0, nil
}

// cardOf is the card that the period was closed with, whatever is in force now.
func (d *drafting) cardOf(one closedPeriod) (*rating.Card, error) {
	for _, card := range d.params.Cards {
		if card.Version == one.card && card.Kind == rating.KindPrice {
			return card, nil
		}
	}
	return nil, fmt.Errorf("%w: period %s was billed by %s, which is not there any more", rating.ErrNoCard, one.period.Name, one.card)
}
