package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/ledger/ledgertest"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/usage"
)

func TestLedgerMigrateAndVerify(t *testing.T) {
	t.Parallel()
	for engine, address := range map[string]func(testing.TB) string{
		"sqlite":   func(tb testing.TB) string { tb.Helper(); return filepath.Join(tb.TempDir(), "ledger.db") },
		"postgres": func(tb testing.TB) string { tb.Helper(); return testenv.Postgres(tb) },
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dsn := address(t)
			var state app.LedgerState
			ledgerJSON(t, exitOK, &state, "--ledger-dsn", dsn, "ledger", "migrate")
			require.Equal(t, engine, state.Engine)
			require.NotZero(t, state.Version)
			require.NotEmpty(t, state.Applied)
			ledgerJSON(t, exitOK, &state, "--ledger-dsn", dsn, "ledger", "migrate")
			require.Empty(t, state.Applied, "the second time there is nothing to do")

			config := ledger.Config{Path: dsn}
			if ledger.IsPostgres(dsn) {
				config = ledger.Config{DSN: dsn}
			}
			book, err := ledger.Open(t.Context(), config)
			require.NoError(t, err)
			_, err = book.Record(t.Context(), usage.ReadBatch([]events.Message{ledgertest.ToolCall(t, "acme", "ses_1", 0)}))
			require.NoError(t, err)
			require.NoError(t, book.Close())
			var found app.LedgerVerification
			ledgerJSON(t, exitOK, &found, "--ledger-dsn", dsn, "ledger", "verify")
			require.Equal(t, app.LedgerVerification{OK: true, Rows: 1, Rollups: 1, Differences: []app.LedgerDifference{}}, found)

			tamper(t, engine, dsn)
			ledgerJSON(t, exitFailed, &found, "--ledger-dsn", dsn, "ledger", "verify")
			require.False(t, found.OK)
			require.Equal(t, "7", found.Differences[0].Rollup.String())
			require.Equal(t, "1", found.Differences[0].Rows.String())
		})
	}
}

func tamper(t *testing.T, engine, dsn string) {
	t.Helper()
	driver := map[string]string{"sqlite": "sqlite", "postgres": "pgx"}[engine]
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	statement := "UPDATE usage_rollups SET whole = 7"
	if engine == "postgres" {
		statement = "SET feira.tenant = '*'; " + statement
	}
	_, err = db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
}

func ledgerJSON(t *testing.T, code int, into any, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	require.Equal(t, code, run(t.Context(), append(args, "--json"), streams{out: &out, err: &errs}), errs.String())
	require.NoError(t, json.Unmarshal(out.Bytes(), into))
}
