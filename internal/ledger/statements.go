package ledger

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// mostStatements bounds what a database keeps prepared. The ledger's own texts
// are fewer; those that grow with a list would go on without end.
const mostStatements = 200

// statements keeps the statements of a database prepared. Parsing one takes
// SQLite longer than most of them run. A text is prepared after the transaction
// that met it first: within, the connection is taken.
type statements struct {
	db *sql.DB

	mu       sync.Mutex
	prepared map[string]*sql.Stmt // nil for a text that waits
	waiting  []string
}

func newStatements(db *sql.DB) *statements {
	return &statements{db: db, prepared: map[string]*sql.Stmt{}}
}

// find is the prepared statement of a text; nil when there is none yet.
func (s *statements) find(text string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	statement, met := s.prepared[text]
	if !met && len(s.prepared) < mostStatements {
		s.prepared[text] = nil
		s.waiting = append(s.waiting, text)
	}
	return statement
}

// prepare prepares what was met. What cannot be prepared, such as at the end of
// a context, is run from its text and met again.
func (s *statements) prepare(ctx context.Context) {
	s.mu.Lock()
	waiting := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	for _, text := range waiting {
		statement, err := s.db.PrepareContext(ctx, text) //nolint:sqlclosecheck // lives as long as the ledger; close ends it
		s.mu.Lock()
		if err == nil {
			s.prepared[text] = statement
		} else {
			delete(s.prepared, text)
		}
		s.mu.Unlock()
	}
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var faults []error
	for _, statement := range s.prepared {
		if statement != nil {
			faults = append(faults, statement.Close())
		}
	}
	s.prepared, s.waiting = map[string]*sql.Stmt{}, nil
	return errors.Join(faults...)
}

// transaction is a transaction whose statements are those that are prepared,
// where they are. An answer is read to its end before the next statement begins,
// as Postgres wants it: a statement serves one answer at a time.
type transaction struct {
	*sql.Tx
	known *statements // nil where the driver itself keeps statements
}

// ExecContext shadows that of [sql.Tx].
func (t *transaction) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if statement := t.find(ctx, text); statement != nil { //nolint:sqlclosecheck // ends with the transaction
		return statement.ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, text, args...)
}

// QueryContext shadows that of [sql.Tx].
func (t *transaction) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if statement := t.find(ctx, text); statement != nil { //nolint:sqlclosecheck // ends with the transaction
		return statement.QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, text, args...)
}

// QueryRowContext shadows that of [sql.Tx].
func (t *transaction) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if statement := t.find(ctx, text); statement != nil { //nolint:sqlclosecheck // ends with the transaction
		return statement.QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, text, args...)
}

func (t *transaction) find(ctx context.Context, text string) *sql.Stmt {
	if t.known == nil {
		return nil
	}
	if statement := t.known.find(text); statement != nil {
		return t.StmtContext(ctx, statement)
	}
	return nil
}
