package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
)

// kind is the type of a column, as both engines know it.
type kind int

// Kinds of columns.
const (
	kindText kind = iota
	kindBytes
	kindInteger
)

// shape is a statement that takes many rows: the head, the rows, the tail.
type shape struct {
	head    string
	columns []kind
	tail    string
}

// text is the statement with its rows.
func (s shape) text(rows string) string { return s.head + rows + s.tail }

// bulk is a prepared [shape].
type bulk interface {
	// exec runs the statement for rows that stand one after the other in args,
	// and returns how many it wrote.
	exec(ctx context.Context, tx *transaction, args []any) (int, error)
	// query is exec for a statement that answers; scan is called for each row
	// of the answer.
	query(ctx context.Context, tx *transaction, args []any, scan func(scanner) error) error
	close() error
}

// kinds spells columns: t for text, b for bytes, i for integers.
func kinds(spelled string) []kind {
	columns := make([]kind, 0, len(spelled))
	for _, letter := range spelled {
		switch letter {
		case 'b':
			columns = append(columns, kindBytes)
		case 'i':
			columns = append(columns, kindInteger)
		default:
			columns = append(columns, kindText)
		}
	}
	return columns
}

// scanAll hands each row of an answer to scan and closes the answer.
func scanAll(found *sql.Rows, err error, scan func(scanner) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }()
	for found.Next() {
		if err := scan(found); err != nil {
			return err
		}
	}
	return found.Err()
}

// largestRun is the logarithm of how many rows one statement carries at most.
// Above 128 statements grow no faster, only larger.
const largestRun = 7

// runs is one statement prepared for 1, 2, 4 ... 128 rows. Parsing a statement
// of many rows costs as much as running it, so rows are cut into these runs and
// nothing is parsed twice.
type runs struct {
	columns  int
	prepared [largestRun + 1]*sql.Stmt
}

// prepareRuns prepares a shape with groups of placeholders.
func prepareRuns(ctx context.Context, writer *sql.DB, shape shape) (bulk, error) {
	made := &runs{columns: len(shape.columns)}
	for power := range made.prepared {
		statement, err := writer.PrepareContext(ctx, shape.text(values(made.columns, 1<<power))) //nolint:sqlclosecheck // lives as long as the ledger; close ends it
		if err != nil {
			return nil, errors.Join(fmt.Errorf("preparing statements: %w", err), made.close())
		}
		made.prepared[power] = statement
	}
	return made, nil
}

func (r *runs) close() error {
	var faults []error
	for _, statement := range r.prepared {
		if statement != nil {
			faults = append(faults, statement.Close())
		}
	}
	return errors.Join(faults...)
}

func (r *runs) exec(ctx context.Context, tx *transaction, args []any) (int, error) {
	written := 0
	err := r.each(ctx, tx, args, func(statement *sql.Stmt, run []any) error {
		rows, err := affected(statement.ExecContext(ctx, run...))
		written += rows
		return err
	})
	return written, err
}

func (r *runs) query(ctx context.Context, tx *transaction, args []any, scan func(scanner) error) error {
	return r.each(ctx, tx, args, func(statement *sql.Stmt, run []any) error {
		found, err := statement.QueryContext(ctx, run...)
		return scanAll(found, err, scan)
	})
}

// within lends a statement to a transaction.
func within(ctx context.Context, tx *transaction, statement *sql.Stmt, handle func(*sql.Stmt) error) error {
	prepared := tx.StmtContext(ctx, statement)
	defer func() { _ = prepared.Close() }()
	return handle(prepared)
}

// each hands out rows run by run, each with the statement for its length.
func (r *runs) each(ctx context.Context, tx *transaction, args []any, handle func(statement *sql.Stmt, run []any) error) error {
	for rows := len(args) / r.columns; rows > 0; {
		power := min(bits.Len(uint(rows))-1, largestRun)
		run := args[:r.columns<<power]
		if err := within(ctx, tx, r.prepared[power], func(prepared *sql.Stmt) error { return handle(prepared, run) }); err != nil {
			return err
		}
		args = args[len(run):]
		rows -= 1 << power
	}
	return nil
}
