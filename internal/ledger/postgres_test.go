package ledger_test

import (
	"database/sql"
	"maps"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/ledger/ledgertest"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/usage"
)

// postgresDatabase is a database of the suite on the shared server.
type postgresDatabase struct{ dsn, superuser string }

func newPostgres(tb testing.TB) ledgertest.Database {
	tb.Helper()
	dsn, superuser := testenv.PostgresSuperuser(tb)
	return postgresDatabase{dsn: dsn, superuser: superuser}
}

func (d postgresDatabase) Open(tb testing.TB, now func() time.Time) *ledger.Ledger {
	tb.Helper()
	book, err := ledger.Open(tb.Context(), ledger.Config{DSN: d.dsn, Now: now})
	require.NoError(tb, err)
	return book
}

func (d postgresDatabase) Exec(tb testing.TB, statement string) {
	tb.Helper()
	db := openDatabase(tb, d.superuser)
	_, err := db.ExecContext(tb.Context(), statement)
	require.NoError(tb, err)
}

func openDatabase(tb testing.TB, dsn string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, newPostgres)
}

// tenantTables are the tables that hold rows of tenants, partitions and all.
func tenantTables(t *testing.T, db *sql.DB) []string {
	t.Helper()
	found, err := db.QueryContext(t.Context(), "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"+
		" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') ORDER BY 1")
	require.NoError(t, err)
	defer func() { require.NoError(t, found.Close()) }()
	var tables []string
	for found.Next() {
		var table string
		require.NoError(t, found.Scan(&table))
		tables = append(tables, table)
	}
	require.NoError(t, found.Err())
	return tables
}

// scoped counts the rows of a table in a transaction that has set this tenant,
// or none when it is empty.
func scoped(t *testing.T, db *sql.DB, table, tenant string) int {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	if tenant != "" {
		_, err = tx.ExecContext(t.Context(), "SELECT set_config('feira.tenant', $1, true)", tenant)
		require.NoError(t, err)
	}
	var count int
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&count))
	return count
}

// The owner of every table, with no WHERE in its query, sees the tenant that it
// has named and nothing when it has named none.
func TestQueryWithoutTenantSeesNothing(t *testing.T) {
	t.Parallel()
	dsn := testenv.Postgres(t)
	book, err := ledger.Open(t.Context(), ledger.Config{DSN: dsn})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, book.Close()) })
	first, second := ledgertest.ToolCall(t, "acme", "ses_1", 0), ledgertest.ToolCall(t, "loja", "ses_1", 0)
	other := first
	other.Header = maps.Clone(other.Header)
	other.Header.Set(events.HeaderTime, ledgertest.Noon().Add(1).Format("2006-01-02T15:04:05.999999999Z07:00"))
	foreign := ledgertest.ToolCall(t, "loja", "ses_1", 1)
	foreign.Header.Set(events.HeaderTenant, "acme")
	outcome, err := book.Record(t.Context(), usage.ReadBatch([]events.Message{first, second, other, foreign}))
	require.NoError(t, err)
	require.Equal(t, usage.Outcome{Inserted: 2, Conflicts: 1, Quarantined: 1}, outcome)

	db := openDatabase(t, dsn)
	tables := tenantTables(t, db)
	require.Contains(t, tables, "usage_rows_2026_11")
	require.Contains(t, tables, "usage_rows_2027_02", "made ahead")
	for _, table := range tables {
		require.Zero(t, scoped(t, db, table, ""), "%s without a tenant", table)
		require.Zero(t, scoped(t, db, table, "nobody"), table)
		require.Equal(t, scoped(t, db, table, "*"), scoped(t, db, table, "acme")+scoped(t, db, table, "loja"), table)
		var forced bool
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE relname = $1", table).Scan(&forced))
		require.True(t, forced, "%s has no wall", table)
	}
	require.Equal(t, 1, scoped(t, db, "usage_rows", "acme"))
	require.Equal(t, 1, scoped(t, db, "usage_rows_2026_11", "loja"), "by the partition's own name")
	require.Equal(t, 2, scoped(t, db, "usage_ids", "*"))
	require.Zero(t, scoped(t, db, "usage_rows_default", "*"))

	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	_, err = tx.ExecContext(t.Context(), "SELECT set_config('feira.tenant', 'acme', true)")
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO usage_ids VALUES ('loja', 's', 'e', '', 0)")
	require.ErrorContains(t, err, "42501", "another tenant's row")
}

func TestPostgresRefusesARoleThatNoWallBinds(t *testing.T) {
	t.Parallel()
	_, superuser := testenv.PostgresSuperuser(t)
	_, err := ledger.Open(t.Context(), ledger.Config{DSN: superuser})
	require.ErrorIs(t, err, ledger.ErrBypass)
}

func TestPostgresAddressIsInNoError(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://me:canary@127.0.0.1:port/x", "postgres://me:canary@127.0.0.1:1/x?sslmode=canary",
		"postgres://me:canary@127.0.0.1:1/x?connect_timeout=1",
	} {
		_, err := ledger.Open(t.Context(), ledger.Config{DSN: dsn})
		require.ErrorContains(t, err, "opening the ledger")
		require.NotContains(t, err.Error(), "canary")
	}
	_, err := ledger.Open(t.Context(), ledger.Config{DSN: "mysql://me:canary@host/x"})
	require.ErrorContains(t, err, "dsn has another scheme")
	require.NotContains(t, err.Error(), "canary")
	_, err = ledger.Open(t.Context(), ledger.Config{DSN: "postgres://host/x", Path: "ledger.db"})
	require.ErrorContains(t, err, "exclude each other")
}

// Two processes may start, migrate and record at one time.
func TestTwoLedgersOnOnePostgres(t *testing.T) {
	t.Parallel()
	dsn := testenv.Postgres(t)
	var messages []events.Message
	for n := range 200 {
		messages = append(messages, ledgertest.ToolCall(t, "acme", "ses_1", n))
	}
	batch := usage.ReadBatch(messages)
	outcomes := make(chan usage.Outcome, 3)
	var group sync.WaitGroup
	for range cap(outcomes) {
		group.Go(func() {
			book, err := ledger.Open(t.Context(), ledger.Config{DSN: dsn})
			if err != nil {
				t.Error(err)
				outcomes <- usage.Outcome{}
				return
			}
			outcome, err := book.Record(t.Context(), batch)
			if err != nil {
				t.Error(err)
			}
			if err := book.Close(); err != nil {
				t.Error(err)
			}
			outcomes <- outcome
		})
	}
	group.Wait()
	require.Equal(t, usage.Outcome{Inserted: 200, Duplicates: 400}, (<-outcomes).Add(<-outcomes).Add(<-outcomes))
}
