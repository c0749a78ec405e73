package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/usage"
)

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

const (
	sqliteDriver  = "sqlite"
	sqliteReaders = 4
	// sqliteParameters is below the engine's 32 766: a longer statement is no
	// faster and holds more memory.
	sqliteParameters = 6_000
)

func sqliteDialect() (dialect, error) {
	migrations, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	if err != nil {
		return dialect{}, err
	}
	return dialect{
		goose:      goose.DialectSQLite3,
		migrations: migrations,
		bind:       func(statement string) string { return statement },
		inserting:  "INSERT OR ROLLBACK INTO",
		taken: func(err error) bool {
			var fault *sqlite.Error
			return errors.As(err, &fault) && (fault.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || fault.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE)
		},
		parameters: sqliteParameters,
		prepare:    prepareRuns,
		makeRoom:   func(context.Context, *sql.DB, []usage.Row) error { return nil },
		// Beginning an immediate transaction is the turn, and a file has no
		// walls within.
		takeTurn: func(context.Context, *transaction) error { return nil },
		confine:  func(context.Context, *transaction, events.TenantID) error { return nil },
		reading:  sql.TxOptions{ReadOnly: true},
	}, nil
}

// openSQLite opens one connection that writes and a few that read. A commit is
// on disk when it returns (WAL with synchronous=FULL).
func openSQLite(path string) (writer, reader *sql.DB, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	if err := makeSQLiteFile(path); err != nil {
		return nil, nil, err
	}
	writer, err = sql.Open(sqliteDriver, sqliteName(path, url.Values{"_txlock": {"immediate"}}))
	if err != nil {
		return nil, nil, err
	}
	writer.SetMaxOpenConns(1)
	reader, err = sql.Open(sqliteDriver, sqliteName(path, url.Values{"_query_only": {"1"}}))
	if err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(sqliteReaders)
	return writer, reader, nil
}

// makeSQLiteFile makes the file before the engine does, because the engine
// would let everybody read it.
func makeSQLiteFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the ledger's folder: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the operator's own setting
	if err != nil {
		return fmt.Errorf("making the ledger's file: %w", err)
	}
	return file.Close()
}

func sqliteName(path string, options url.Values) string {
	options.Add("_pragma", "busy_timeout(10000)")
	options.Add("_pragma", "journal_mode(WAL)")
	options.Add("_pragma", "synchronous(FULL)")
	// The journal of a statement of many rows stays in memory, the pages of the
	// key stay cached, and a checkpoint comes every 64 MiB: less writing for the
	// same promise.
	options.Add("_pragma", "temp_store(MEMORY)")
	options.Add("_pragma", "cache_size(-32768)")
	options.Add("_pragma", "wal_autocheckpoint(16000)")
	name := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: options.Encode()}
	return name.String()
}
