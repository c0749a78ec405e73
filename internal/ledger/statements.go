package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
)

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

// prepareRuns prepares the statement made of head, groups of placeholders and
// tail. It is called outside of transactions, because the writer has one
// connection.
func (l *Ledger) prepareRuns(ctx context.Context, head string, columns int, tail string) (*runs, error) {
	made := &runs{columns: columns}
	for power := range made.prepared {
		statement, err := l.writer.PrepareContext(ctx, l.dialect.insert(head, columns, 1<<power, tail)) //nolint:sqlclosecheck // lives as long as the ledger; close ends it
		if err != nil {
			return nil, errors.Join(fmt.Errorf("preparing statements: %w", err), made.close())
		}
		made.prepared[power] = statement
	}
	return made, nil
}

func (r *runs) close() error {
	if r == nil {
		return nil
	}
	var faults []error
	for _, statement := range r.prepared {
		if statement != nil {
			faults = append(faults, statement.Close())
		}
	}
	return errors.Join(faults...)
}

// inRuns hands out items run by run, each with the statement for its length.
func inRuns[T any](items []T, statements *runs, handle func(statement *sql.Stmt, run []T) error) error {
	for len(items) > 0 {
		power := min(bits.Len(uint(len(items)))-1, largestRun)
		if err := handle(statements.prepared[power], items[:1<<power]); err != nil {
			return err
		}
		items = items[1<<power:]
	}
	return nil
}
