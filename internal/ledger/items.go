package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// Items hands out what the rows and corrections of some numbers count, in the
// order of numbers. What it says of a number never changes: a row counts what
// the corrections before it left of it, a correction what it changed.
func (l *Ledger) Items(ctx context.Context, filter usage.ItemFilter, hear func(usage.Item) error) error {
	err := l.read(ctx, everyTenant, func(tx *transaction) error {
		itemizing := &itemizing{ledger: l, tx: tx, filter: filter, known: map[events.TenantID]map[usage.ID][]numberedCorrection{}}
		for after := filter.After; after < filter.Through; after += itemizedAtOnce {
			if err := itemizing.run(ctx, after, min(after+itemizedAtOnce, filter.Through), hear); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading items: %w", err)
	}
	return nil
}

// LastNumber is the last that a row or correction was given.
func (l *Ledger) LastNumber(ctx context.Context) (last int64, err error) {
	err = l.read(ctx, everyTenant, func(tx *transaction) error {
		return tx.QueryRowContext(ctx, "SELECT value FROM ledger_counters WHERE name = 'number'").Scan(&last)
	})
	if err != nil {
		return 0, fmt.Errorf("reading the last number: %w", err)
	}
	return last, nil
}

// itemizedAtOnce bounds the numbers that are held in memory.
const itemizedAtOnce = 5_000

// itemizing is one run of [Ledger.Items], in one transaction.
type itemizing struct {
	ledger *Ledger
	tx     *transaction
	filter usage.ItemFilter
	// known are the corrections of the tenants met so far, by their row.
	known map[events.TenantID]map[usage.ID][]numberedCorrection
}

// numberedCorrection is a correction with its number.
type numberedCorrection struct {
	usage.Correction
	number int64
}

func (i *itemizing) run(ctx context.Context, after, through int64, hear func(usage.Item) error) error {
	var items []usage.Item
	statement := i.ledger.dialect.bind("SELECT number, tenant_id, " + heldFields + " FROM usage_rows WHERE number > ? AND number <= ? ORDER BY number")
	var rows []numberedRow
	found, err := i.tx.QueryContext(ctx, statement, after, through)
	err = scanAll(found, err, func(found scanner) error {
		row, err := scanNumbered(found)
		rows = append(rows, row)
		return err
	})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !i.filter.Takes(row.Row) {
			continue
		}
		corrected, err := i.corrections(ctx, row.ID)
		if err != nil {
			return err
		}
		counted := usage.Net(row.Row, before(corrected, row.number))
		changes, err := changesOf(nil, counted)
		if err != nil {
			return err
		}
		items = append(items, itemsOf(row, usage.ID{}, row.number, changes)...)
	}
	corrections, err := i.correctionsBetween(ctx, after, through)
	if err != nil {
		return err
	}
	for _, correction := range corrections {
		made, err := i.corrected(ctx, correction)
		if err != nil {
			return err
		}
		items = append(items, made...)
	}
	slices.SortStableFunc(items, func(a, b usage.Item) int { return cmp.Compare(a.Number, b.Number) })
	for _, item := range items {
		if err := hear(item); err != nil {
			return err
		}
	}
	return nil
}

// numberedRow is a row with its number.
type numberedRow struct {
	usage.Row
	number int64
}

// scanNumbered reads number and tenant, and what [scanRow] does.
func scanNumbered(found scanner) (numberedRow, error) {
	var row numberedRow
	var tenant events.TenantID
	held, err := scanRow(prefixed{found, []any{&row.number, &tenant}}, "")
	row.Row = held.Row
	row.Tenant = tenant
	return row, err
}

// prefixed scans some columns before those that are asked for.
type prefixed struct {
	scanner
	first []any
}

func (p prefixed) Scan(targets ...any) error { return p.scanner.Scan(append(p.first, targets...)...) }

// corrected is what a correction changed of its row, if the row came before it;
// a row that comes later counts the correction itself.
func (i *itemizing) corrected(ctx context.Context, correction numberedCorrection) ([]usage.Item, error) {
	row, number, err := i.row(ctx, correction.Corrects)
	if err != nil || row == nil || number > correction.number || !i.filter.Takes(*row) {
		return nil, err
	}
	all, err := i.corrections(ctx, correction.Corrects)
	if err != nil {
		return nil, err
	}
	changes, err := changesOf(usage.Net(*row, before(all, correction.number)), usage.Net(*row, before(all, correction.number+1)))
	if err != nil {
		return nil, err
	}
	return itemsOf(numberedRow{Row: *row}, correction.ID, correction.number, changes), nil
}

func itemsOf(row numberedRow, cause usage.ID, number int64, changes []change) []usage.Item {
	items := make([]usage.Item, 0, len(changes))
	for _, one := range changes {
		items = append(items, usage.Item{Number: number, Row: row.Row, Unit: one.unit, Change: one.change, Correction: cause})
	}
	return items
}

func before(corrections []numberedCorrection, number int64) []usage.Correction {
	var earlier []usage.Correction
	for _, correction := range corrections {
		if correction.number < number {
			earlier = append(earlier, correction.Correction)
		}
	}
	return earlier
}

type change struct {
	unit   string
	change usage.Change
}

// changesOf leads from some quantities to others; units that do not change are
// left out.
func changesOf(from, to []usage.Quantity) ([]change, error) {
	amounts := func(quantities []usage.Quantity) map[string]usage.Amount {
		found := map[string]usage.Amount{}
		for _, quantity := range quantities {
			found[quantity.Unit] = quantity.Amount
		}
		return found
	}
	was, is := amounts(from), amounts(to)
	var changes []change
	for _, quantity := range slices.Concat(from, to) {
		if slices.ContainsFunc(changes, func(earlier change) bool { return earlier.unit == quantity.Unit }) {
			continue
		}
		made, err := usage.ChangeOf(was[quantity.Unit], is[quantity.Unit])
		if err != nil {
			return nil, err
		}
		if !made.IsZero() {
			changes = append(changes, change{unit: quantity.Unit, change: made})
		}
	}
	return changes, nil
}

// corrections are those of one row.
func (i *itemizing) corrections(ctx context.Context, id usage.ID) ([]numberedCorrection, error) {
	if known, ok := i.known[id.Tenant]; ok {
		return known[id], nil
	}
	byRow := map[usage.ID][]numberedCorrection{}
	statement := i.ledger.dialect.bind("SELECT number, " + correctionFields + " FROM usage_corrections WHERE tenant_id = ?")
	found, err := i.tx.QueryContext(ctx, statement, string(id.Tenant))
	err = scanAll(found, err, func(found scanner) error {
		correction, err := scanNumberedCorrection(found)
		byRow[correction.Corrects] = append(byRow[correction.Corrects], correction)
		return err
	})
	i.known[id.Tenant] = byRow
	return byRow[id], err
}

func (i *itemizing) correctionsBetween(ctx context.Context, after, through int64) (corrections []numberedCorrection, err error) {
	statement := i.ledger.dialect.bind("SELECT number, " + correctionFields + " FROM usage_corrections WHERE number > ? AND number <= ? ORDER BY number")
	found, err := i.tx.QueryContext(ctx, statement, after, through)
	err = scanAll(found, err, func(found scanner) error {
		correction, err := scanNumberedCorrection(found)
		corrections = append(corrections, correction)
		return err
	})
	return corrections, err
}

func scanNumberedCorrection(found scanner) (numberedCorrection, error) {
	var correction numberedCorrection
	read, err := scanCorrection(prefixed{found, []any{&correction.number}})
	correction.Correction = read
	return correction, err
}

// row is a row with its number, nil when there is none.
func (i *itemizing) row(ctx context.Context, id usage.ID) (*usage.Row, int64, error) {
	statement := "SELECT number, tenant_id, " + heldFields + " FROM usage_rows WHERE tenant_id = ? AND source = ? AND event_id = ?"
	args := []any{string(id.Tenant), id.Source, id.Event}
	if i.ledger.dialect.claimed { // where rows have no key, their time finds them
		statement += " AND occurred_at = (SELECT occurred_at FROM usage_ids WHERE tenant_id = ? AND source = ? AND event_id = ?)"
		args = append(args, args...)
	}
	var row *numberedRow
	found, err := i.tx.QueryContext(ctx, i.ledger.dialect.bind(statement), args...)
	err = scanAll(found, err, func(found scanner) error {
		read, err := scanNumbered(found)
		row = &read
		return err
	})
	if err != nil || row == nil {
		return nil, 0, err
	}
	return &row.Row, row.number, nil
}
