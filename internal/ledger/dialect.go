package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

// dialect is what an engine does its own way. Statements are written once,
// with "?" for parameters, in the SQL that SQLite and Postgres share.
type dialect struct {
	migrations fs.FS
	goose      goose.Dialect
	locked     []goose.ProviderOption // how two processes migrate one after the other
	// bind rewrites the placeholders of a statement.
	bind func(statement string) string
	// inserting begins the insertion of many rows. A row that cannot be inserted
	// fails the transaction, so that none of them needs to be undone by itself.
	inserting string
	// taken says that a statement failed because a key is there already.
	taken func(err error) bool
	// parameters is how many one statement may have.
	parameters int
	// prepare readies a statement that takes many rows. It is called outside
	// of transactions.
	prepare func(ctx context.Context, writer *sql.DB, shape shape) (bulk, error)
	// claimed says that a table of its own decides which events are new,
	// because the rows' table is cut by time.
	claimed bool
	// makeRoom prepares the tables for these rows, before the transaction.
	makeRoom func(ctx context.Context, writer *sql.DB, rows []usage.Row) error
	// takeTurn begins a writer's transaction: it returns when no other writer
	// has one.
	takeTurn func(ctx context.Context, tx *transaction) error
	// confine lets a reader's transaction see one tenant, or all where scope
	// is everyTenant.
	confine func(ctx context.Context, tx *transaction, scope events.TenantID) error
	// reading makes all statements of a reader's transaction see one moment.
	reading sql.TxOptions
}

// everyTenant is the scope of an operator's own queries. No tenant is called so.
const everyTenant events.TenantID = "*"

// chunk is how many rows of so many columns one statement may carry.
func (d dialect) chunk(columns int) int { return max(d.parameters/columns, 1) }

// insert is the head, so many groups of placeholders, and the tail of a
// statement that writes rows.
func (d dialect) insert(head string, columns, rows int, tail string) string {
	return d.bind(head + values(columns, rows) + tail)
}

// values is a VALUES list of so many groups of placeholders.
func values(columns, rows int) string {
	group := "(" + strings.Repeat("?, ", columns-1) + "?)"
	return "VALUES " + strings.Repeat(group+", ", rows-1) + group
}

// read runs queries that see one moment of a tenant, or of all where scope is
// empty.
func (l *Ledger) read(ctx context.Context, scope events.TenantID, query func(tx *transaction) error) error {
	options := l.dialect.reading
	tx, err := l.reader.BeginTx(ctx, &options)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing is written
	if scope == "" {
		scope = everyTenant
	}
	reading := &transaction{Tx: tx, known: l.readings}
	if err := l.dialect.confine(ctx, reading, scope); err != nil {
		return err
	}
	if err := query(reading); err != nil || l.readings == nil {
		return err
	}
	_ = tx.Rollback() // gives the connection back
	l.readings.prepare(ctx)
	return nil
}

// write runs statements of every tenant in one transaction, which commits when
// change returns nil. Writers take turns.
func (l *Ledger) write(ctx context.Context, change func(tx *transaction) error) error {
	tx, err := l.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // harmless after the commit
	writing := &transaction{Tx: tx, known: l.writings}
	if err := l.dialect.takeTurn(ctx, writing); err != nil {
		return fmt.Errorf("taking a turn: %w", err)
	}
	if err := change(writing); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	if l.writings != nil {
		l.writings.prepare(ctx)
	}
	return nil
}

// list is read with one query, whose answer goes to scan row by row.
func (l *Ledger) list(ctx context.Context, scope events.TenantID, statement string, args []any, scan func(scanner) error) error {
	return l.read(ctx, scope, func(tx *transaction) error {
		found, err := tx.QueryContext(ctx, statement, args...)
		return scanAll(found, err, scan)
	})
}
