package ledger

import (
	"context"
	"fmt"

	"github.com/feira-dev/feira/internal/usage"
)

const exportFields = "name, cursor, planned, items, settings, updated_at"

// OpenExport is an export as it stands, begun where it is new. Settings that
// change what its items mean cannot change once it has begun:
// [ErrExportChanged].
func (l *Ledger) OpenExport(ctx context.Context, name, settings string) (opened usage.Export, err error) {
	err = l.write(ctx, func(tx *transaction) error {
		begin := l.dialect.insert("INSERT INTO exports ("+exportFields+") ", 6, 1, " ON CONFLICT (name) DO NOTHING")
		if _, err := tx.ExecContext(ctx, begin, name, 0, 0, 0, settings, nanos(l.now())); err != nil {
			return err
		}
		opened, err = l.export(ctx, tx, name)
		return err
	})
	if err != nil {
		return usage.Export{}, fmt.Errorf("opening export %s: %w", name, err)
	}
	if opened.Settings != settings {
		return usage.Export{}, fmt.Errorf("%w: %s began with %s, not %s", ErrExportChanged, name, opened.Settings, settings)
	}
	return opened, nil
}

// Exports are all exports, in the order of their names.
func (l *Ledger) Exports(ctx context.Context) (exports []usage.Export, err error) {
	err = l.list(ctx, everyTenant, "SELECT "+exportFields+" FROM exports ORDER BY name", nil, func(found scanner) error {
		export, err := scanExport(found)
		exports = append(exports, export)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing exports: %w", err)
	}
	return exports, nil
}

func (l *Ledger) export(ctx context.Context, tx *transaction, name string) (usage.Export, error) {
	return scanExport(tx.QueryRowContext(ctx, l.dialect.bind("SELECT "+exportFields+" FROM exports WHERE name = ?"), name))
}

func scanExport(found scanner) (usage.Export, error) {
	var export usage.Export
	var updatedAt int64
	err := found.Scan(&export.Name, &export.Cursor, &export.Planned, &export.Items, &export.Settings, &updatedAt)
	export.UpdatedAt = fromNanos(updatedAt)
	return export, err
}

// PlanExport fixes the bounds of the next batch, of at most so many numbers. A
// batch that was planned and not taken is the next one again, whoever asks.
func (l *Ledger) PlanExport(ctx context.Context, name string, limit int64) (planned usage.Export, err error) {
	err = l.write(ctx, func(tx *transaction) error {
		if planned, err = l.export(ctx, tx, name); err != nil || planned.Planned > planned.Cursor {
			return err
		}
		var last int64
		if err := tx.QueryRowContext(ctx, "SELECT value FROM ledger_counters WHERE name = 'number'").Scan(&last); err != nil {
			return err
		}
		if last <= planned.Cursor {
			return nil
		}
		planned.Planned = min(planned.Cursor+limit, last)
		_, err := tx.ExecContext(ctx, l.dialect.bind("UPDATE exports SET planned = ?, updated_at = ? WHERE name = ?"), planned.Planned, nanos(l.now()), name)
		return err
	})
	if err != nil {
		return usage.Export{}, fmt.Errorf("planning export %s: %w", name, err)
	}
	return planned, nil
}

// AdvanceExport moves the cursor over a batch that the other side has taken.
// Where another process was faster nothing changes.
func (l *Ledger) AdvanceExport(ctx context.Context, taken usage.Export, items int64) error {
	err := l.write(ctx, func(tx *transaction) error {
		_, err := l.advance(ctx, tx, taken, items)
		return err
	})
	if err != nil {
		return fmt.Errorf("advancing export %s: %w", taken.Name, err)
	}
	return nil
}

func (l *Ledger) advance(ctx context.Context, tx *transaction, taken usage.Export, items int64) (moved bool, err error) {
	statement := l.dialect.bind("UPDATE exports SET cursor = ?, planned = ?, items = items + ?, updated_at = ? WHERE name = ? AND cursor = ? AND planned = ?")
	changed, err := affected(tx.ExecContext(ctx, statement, taken.Planned, taken.Planned, items, nanos(l.now()), taken.Name, taken.Cursor, taken.Planned))
	return changed == 1, err
}

// GatherExport moves the cursor over a batch and adds the batch to its windows,
// both or neither.
func (l *Ledger) GatherExport(ctx context.Context, taken usage.Export, items int64, windows map[usage.WindowKey]usage.Change) error {
	err := l.write(ctx, func(tx *transaction) error {
		moved, err := l.advance(ctx, tx, taken, items)
		if err != nil || !moved {
			return err
		}
		for key, more := range windows {
			if err := l.addWindow(ctx, tx, taken.Name, key, more); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("gathering export %s: %w", taken.Name, err)
	}
	return nil
}

const windowFields = "tenant_id, meter, unit, begins_at, ends_at, pending, version"

func (l *Ledger) addWindow(ctx context.Context, tx *transaction, name string, key usage.WindowKey, more usage.Change) error {
	window := usage.Window{WindowKey: key}
	statement := l.dialect.bind("SELECT " + windowFields + " FROM export_windows WHERE name = ? AND tenant_id = ? AND meter = ? AND unit = ? AND begins_at = ?")
	found, err := tx.QueryContext(ctx, statement, name, string(key.Tenant), string(key.Meter), key.Unit, nanos(key.Start))
	err = scanAll(found, err, func(found scanner) (err error) {
		window, err = scanWindow(found)
		return err
	})
	if err != nil {
		return err
	}
	if window.Pending, err = window.Pending.Add(more); err != nil {
		return err
	}
	return l.putWindow(ctx, tx, name, window)
}

func (l *Ledger) putWindow(ctx context.Context, tx *transaction, name string, window usage.Window) error {
	statement := l.dialect.insert("INSERT INTO export_windows (name, "+windowFields+") ", 8, 1,
		" ON CONFLICT (name, tenant_id, meter, unit, begins_at) DO UPDATE SET pending = excluded.pending, version = excluded.version")
	_, err := tx.ExecContext(ctx, statement, name, string(window.Tenant), string(window.Meter), window.Unit,
		nanos(window.Start), nanos(window.End), window.Pending.String(), window.Version)
	return err
}

func scanWindow(found scanner) (usage.Window, error) {
	var window usage.Window
	var start, end int64
	var pending []byte
	if err := found.Scan(&window.Tenant, &window.Meter, &window.Unit, &start, &end, &pending, &window.Version); err != nil {
		return window, err
	}
	window.Start, window.End = fromNanos(start), fromNanos(end)
	return window, window.Pending.UnmarshalText(pending)
}

// Windows are the sums of an export that wait, those that end first first.
func (l *Ledger) Windows(ctx context.Context, name string) (windows []usage.Window, err error) {
	statement := l.dialect.bind("SELECT " + windowFields + " FROM export_windows WHERE name = ? AND pending <> '0' ORDER BY ends_at, tenant_id, meter, unit")
	err = l.list(ctx, everyTenant, statement, []any{name}, func(found scanner) error {
		window, err := scanWindow(found)
		windows = append(windows, window)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing windows of %s: %w", name, err)
	}
	return windows, nil
}
