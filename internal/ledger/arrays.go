package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// arrays is one statement that takes each column of any number of rows as an
// array, so that it is planned once. COPY would be no way: Postgres refuses it
// for tables with row-level security.
type arrays struct {
	columns []kind
	text    string
}

func prepareArrays(_ context.Context, _ *sql.DB, shape shape) (bulk, error) {
	sources := make([]string, len(shape.columns))
	for i, column := range shape.columns {
		sources[i] = "$" + strconv.Itoa(i+1) + "::" + column.array()
	}
	return &arrays{columns: shape.columns, text: shape.text("SELECT * FROM unnest(" + strings.Join(sources, ", ") + ")")}, nil
}

func (k kind) array() string {
	switch k {
	case kindBytes:
		return "bytea[]"
	case kindInteger:
		return "bigint[]"
	case kindText:
	}
	return "text[]"
}

func (a *arrays) close() error { return nil }

func (a *arrays) exec(ctx context.Context, tx *transaction, args []any) (int, error) {
	if len(args) == 0 {
		return 0, nil
	}
	turned, err := a.turn(args)
	if err != nil {
		return 0, err
	}
	return affected(tx.ExecContext(ctx, a.text, turned...))
}

func (a *arrays) query(ctx context.Context, tx *transaction, args []any, scan func(scanner) error) error {
	if len(args) == 0 {
		return nil
	}
	turned, err := a.turn(args)
	if err != nil {
		return err
	}
	found, err := tx.QueryContext(ctx, a.text, turned...)
	return scanAll(found, err, scan)
}

// turn makes columns of rows.
func (a *arrays) turn(args []any) ([]any, error) {
	turned := make([]any, len(a.columns))
	for i, column := range a.columns {
		var err error
		switch column {
		case kindText:
			turned[i], err = columnOf[string](args, i, len(a.columns))
		case kindBytes:
			turned[i], err = columnOf[[]byte](args, i, len(a.columns))
		case kindInteger:
			turned[i], err = columnOf[int64](args, i, len(a.columns))
		}
		if err != nil {
			return nil, err
		}
	}
	return turned, nil
}

func columnOf[T any](args []any, place, columns int) ([]T, error) {
	column := make([]T, 0, len(args)/columns)
	for ; place < len(args); place += columns {
		value, ok := args[place].(T)
		if !ok {
			return nil, fmt.Errorf("column %d is a %T, want %T", place%columns, args[place], value)
		}
		column = append(column, value)
	}
	return column, nil
}
