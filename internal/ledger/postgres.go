package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/feira-dev/feira/events"
)

//go:embed migrations/postgres/*.sql
var postgresMigrations embed.FS

const (
	postgresReaders = 4
	// postgresParameters is below the protocol's 65 535.
	postgresParameters = 60_000
	// postgresTurn is the advisory lock of the writer whose turn it is.
	postgresTurn = 0x6665697261 // "feira"
	// postgresIdle ends the transaction of a writer whose machine is gone, so
	// that it does not hold its turn for ever.
	postgresIdle = "60000"
	// uniqueViolation is the code of a key that is there already.
	uniqueViolation = "23505"
)

// IsPostgres reports whether an address is that of a Postgres database, not the
// path of an SQLite file.
func IsPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

func postgresDialect() (dialect, error) {
	migrations, err := fs.Sub(postgresMigrations, "migrations/postgres")
	if err != nil {
		return dialect{}, err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return dialect{}, err
	}
	rooms := &partitions{}
	return dialect{
		migrations: migrations,
		goose:      goose.DialectPostgres,
		locked:     []goose.ProviderOption{goose.WithSessionLocker(locker)},
		bind:       numbered,
		inserting:  "INSERT INTO",
		taken: func(err error) bool {
			var fault *pgconn.PgError
			return errors.As(err, &fault) && fault.Code == uniqueViolation
		},
		parameters: postgresParameters,
		prepare:    prepareArrays,
		claimed:    true,
		makeRoom:   rooms.make,
		takeTurn: func(ctx context.Context, tx *transaction) error {
			_, err := tx.ExecContext(ctx, "SELECT set_config('feira.tenant', $1, true), pg_advisory_xact_lock($2)", string(everyTenant), int64(postgresTurn))
			return err
		},
		confine: func(ctx context.Context, tx *transaction, scope events.TenantID) error {
			_, err := tx.ExecContext(ctx, "SELECT set_config('feira.tenant', $1, true)", string(scope))
			return err
		},
		reading: sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
	}, nil
}

// openPostgres opens one connection that writes and a few that read. The
// address is in no error: it may hold a password.
func openPostgres(ctx context.Context, dsn string) (writer, reader *sql.DB, err error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, nil, errors.New("the address is none of a Postgres database")
	}
	for name, value := range map[string]string{"application_name": "feira", "idle_in_transaction_session_timeout": postgresIdle} {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	writer, reader = stdlib.OpenDB(*config), stdlib.OpenDB(*config)
	writer.SetMaxOpenConns(1)
	reader.SetMaxOpenConns(postgresReaders)
	if err := refuseBypass(ctx, writer); err != nil {
		return nil, nil, errors.Join(err, writer.Close(), reader.Close())
	}
	return writer, reader, nil
}

// refuseBypass refuses a role that row-level security does not bind: the wall
// between tenants would be drawn and not stand.
func refuseBypass(ctx context.Context, db *sql.DB) error {
	var name string
	var bypasses bool
	err := db.QueryRowContext(ctx, "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").Scan(&name, &bypasses)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	if bypasses {
		return fmt.Errorf("%w: %s", ErrBypass, name)
	}
	return nil
}

// numbered writes $1, $2, ... for each "?". No statement has one in a literal.
func numbered(statement string) string {
	var text strings.Builder
	text.Grow(len(statement) + len(statement)/8)
	number := 0
	for part := range strings.SplitSeq(statement, "?") {
		if number > 0 {
			text.WriteByte('$')
			text.WriteString(strconv.Itoa(number))
		}
		text.WriteString(part)
		number++
	}
	return text.String()
}
