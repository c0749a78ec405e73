package ledger_test

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
)

// BenchmarkRecord books batches of 1 000 new rows of 50 tenants, fsync and all.
func BenchmarkRecord(b *testing.B) {
	const size = 1_000
	book, err := ledger.Open(b.Context(), ledger.Config{Path: filepath.Join(b.TempDir(), "ledger.db")})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, book.Close()) })
	var made int
	rows := make([]usage.Row, size)
	b.ResetTimer()
	for b.Loop() {
		b.StopTimer()
		for i := range rows {
			rows[i] = benchmarkRow(made)
			made++
		}
		b.StartTimer()
		outcome, err := book.Record(b.Context(), usage.Batch{Rows: rows})
		if err != nil || outcome.Inserted != size {
			b.Fatal(outcome, err)
		}
	}
	b.ReportMetric(float64(made)/b.Elapsed().Seconds(), "rows/s")
}

// benchmarkRow is the i-th row of a busy market: 50 tenants, a session of eight
// calls after the other.
func benchmarkRow(i int) usage.Row {
	number := i / 8
	tenant := events.TenantID("tenant_" + strconv.Itoa(number%50))
	session := events.DerivedSession(tenant, uint64(number))
	request := events.DerivedRequest(uint64(number))
	at := time.Date(2026, time.November, 23, 12, 0, 0, i*1000, time.UTC)
	return usage.Row{
		ID:    usage.ID{Tenant: tenant, Source: events.SessionSource(tenant, session), Event: string(request) + "/tool/1." + strconv.Itoa(i%8)},
		Meter: events.MeterToolCall, Session: session, Request: request,
		Server: "asaas", Tool: "create_payment", Outcome: "ok", Billable: true, Environment: events.EnvironmentTest,
		Quantities: []usage.Quantity{{Unit: events.UnitCall, Amount: usage.WholeAmount(1)}},
		Attempts:   1, Duration: 120 * time.Millisecond, Metadata: map[string]string{"tenant_id": string(tenant)},
		OccurredAt: at, ReceivedAt: at, Sequence: uint64(i + 1),
	}
}
