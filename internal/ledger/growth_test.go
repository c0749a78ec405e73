package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/usage"
)

// growthRows sets how many rows the last step of [BenchmarkMonthlyUsage] has;
// 10 000 when it is not set, 10000000 for the year of the design.
const growthRows = "FEIRA_LEDGER_BENCH_ROWS"

// BenchmarkMonthlyUsage is the question of a bill: what one tenant used in a
// month, by tool, in a ledger with a year of everybody's usage: of a hundredth
// of the rows, a tenth, and all of them. The design asks for 200 ms at most in
// Postgres and 1 s in SQLite with 10 000 000 rows. Beside it stands what an audit
// asks: the calls of a month, counted from the rows themselves. fill-us/row is
// what the recorder took for a row of the step on the way there.
func BenchmarkMonthlyUsage(b *testing.B) {
	most := 10_000
	if text := os.Getenv(growthRows); text != "" {
		var err error
		most, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	for _, engine := range []string{"SQLite", "Postgres"} {
		b.Run(engine, func(b *testing.B) {
			config := ledger.Config{Path: filepath.Join(b.TempDir(), "ledger.db")}
			if engine == "Postgres" {
				config = ledger.Config{DSN: testenv.Postgres(b)}
			}
			book, err := ledger.Open(b.Context(), config)
			require.NoError(b, err)
			defer func() { require.NoError(b, book.Close()) }()
			made := 0
			for _, rows := range []int{most / 100, most / 10, most} {
				begun := time.Now()
				fillYear(b, book, made, rows)
				filled := float64(time.Since(begun).Microseconds()) / float64(rows-made)
				made = rows
				refreshStatistics(b, config.DSN)
				b.Run(fmt.Sprintf("rows=%d/totals", rows), func(b *testing.B) {
					askMonths(b, book, func(tenant events.TenantID, month usage.Period) error {
						_, err := book.Totals(b.Context(), tenant, month)
						return err
					})
					b.ReportMetric(filled, "fill-us/row")
				})
				b.Run(fmt.Sprintf("rows=%d/calls", rows), func(b *testing.B) {
					askMonths(b, book, func(tenant events.TenantID, month usage.Period) error {
						_, err := book.CallSums(b.Context(), usage.ToolCallFilter{Tenant: tenant, Period: month}, []string{usage.GroupTool})
						return err
					})
				})
			}
		})
	}
}

// refreshStatistics does at once what Postgres does by itself within a minute:
// without, its plans are those for empty tables.
func refreshStatistics(b *testing.B, dsn string) {
	b.Helper()
	if dsn == "" {
		return
	}
	conn, err := pgx.Connect(b.Context(), dsn)
	require.NoError(b, err)
	_, err = conn.Exec(b.Context(), "ANALYZE")
	require.NoError(b, err)
	require.NoError(b, conn.Close(b.Context()))
}

const (
	growthTenants = 100
	growthTools   = 24
	growthBatch   = 5_000
)

// fillYear books the rows from one number up to another through the recorder:
// a year of a hundred tenants, which use 24 tools, in the order of its time.
func fillYear(b *testing.B, book *ledger.Ledger, from, to int) {
	b.Helper()
	begun := time.Date(2026, time.January, 1, 3, 0, 0, 0, time.UTC)
	apart := 365 * 24 * time.Hour / time.Duration(to-from)
	rows := make([]usage.Row, 0, growthBatch)
	for n := from; n < to; n++ {
		row := benchmarkRow(n)
		row.Tenant = events.TenantID("tenant_" + strconv.Itoa(n/8%growthTenants)) // a session is one tenant's
		row.Source = events.SessionSource(row.Tenant, row.Session)
		row.Tool = "tool_" + strconv.Itoa(n%growthTools)
		row.OccurredAt = begun.Add(time.Duration(n-from) * apart)
		row.ReceivedAt = row.OccurredAt
		if rows = append(rows, row); len(rows) < growthBatch && n < to-1 {
			continue
		}
		outcome, err := book.Record(b.Context(), usage.Batch{Rows: rows})
		require.NoError(b, err)
		require.Equal(b, len(rows), outcome.Inserted)
		rows = rows[:0]
	}
}

// askMonths asks for the months of all tenants in turn.
func askMonths(b *testing.B, book *ledger.Ledger, ask func(tenant events.TenantID, month usage.Period) error) {
	b.Helper()
	n := 0
	for b.Loop() {
		tenant := events.TenantID("tenant_" + strconv.Itoa(n%growthTenants))
		month := usage.MonthOf(time.Date(2026, time.Month(n%12+1), 15, 0, 0, 0, 0, time.UTC), book.Zone())
		if err := ask(tenant, month); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
