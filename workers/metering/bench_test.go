package metering_test

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/usage"
	"github.com/feira-dev/feira/workers/metering"
)

// BenchmarkWriter books batches of 1 000 new usage messages, from their bytes to
// the disk.
func BenchmarkWriter(b *testing.B) {
	const size = 1_000
	book, err := ledger.Open(b.Context(), ledger.Config{Path: filepath.Join(b.TempDir(), "ledger.db")})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, book.Close()) })
	writer, err := metering.NewWriter(metering.WriterConfig{Ledger: book})
	require.NoError(b, err)
	batch, made := make([]events.Message, size), 0
	for b.Loop() {
		b.StopTimer()
		for i := range batch {
			batch[i] = benchmarkMessage(b, made)
			made++
		}
		b.StartTimer()
		if err := writer.Handle(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(made)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkReadBatch is the part of it that reads and checks.
func BenchmarkReadBatch(b *testing.B) {
	batch := make([]events.Message, 1_000)
	for i := range batch {
		batch[i] = benchmarkMessage(b, i)
	}
	for b.Loop() {
		if read := usage.ReadBatch(batch); len(read.Rows) != len(batch) {
			b.Fatal(read.Rejected)
		}
	}
	b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "rows/s")
}

// benchmarkMessage is the i-th call of a busy market: 50 tenants, a session of
// eight calls after the other.
func benchmarkMessage(b *testing.B, i int) events.Message {
	b.Helper()
	number := i / 8
	tenant := events.TenantID("tenant_" + strconv.Itoa(number%50))
	session, request := events.DerivedSession(tenant, uint64(number)), events.DerivedRequest(uint64(number))
	record := events.Record{
		Envelope: events.Envelope{
			ID: string(request) + "/tool/1." + strconv.Itoa(i%8), Tenant: tenant, Session: session, Request: request,
			Time: time.Date(2026, time.November, 23, 12, 0, 0, i*1000, time.UTC),
		},
		Event: &events.ToolReturned{Server: "asaas", Tool: "create_payment", Status: events.ToolOK, Attempts: 1, DurationMS: 120},
	}
	env, event, _ := usage.FromRecord(record, usage.SessionFacts{
		Environment: events.EnvironmentTest, Metadata: map[string]string{"tenant_id": string(tenant)},
	})
	message, err := events.Encode(events.UsageSubject(tenant, event.Meter), env, event)
	require.NoError(b, err)
	message.Sequence, message.Time = uint64(i+1), record.Time
	return message
}
