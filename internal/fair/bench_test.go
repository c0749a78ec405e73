package fair_test

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

func tenantIDs(n int) []events.TenantID {
	ids := make([]events.TenantID, n)
	for i := range ids {
		ids[i] = events.TenantID("tenant-" + strconv.Itoa(i))
	}
	return ids
}

func sessionIDs(n int) []events.SessionID {
	ids := make([]events.SessionID, n)
	for i := range ids {
		ids[i] = events.DerivedSession("t", uint64(i))
	}
	return ids
}

func benchmarkQueue(b *testing.B, ids []events.TenantID) *fair.Queue {
	b.Helper()
	queue := fair.New()
	for i, id := range ids {
		require.NoError(b, queue.SetTenant(id, fair.Limits{Concurrency: 64, Weight: 1 + i%4}, epoch))
	}
	return queue
}

// BenchmarkCycle is Push, Next and Done, with 128 slots in use and a backlog of
// four requests a tenant.
func BenchmarkCycle(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(strconv.Itoa(n)+"-tenants", func(b *testing.B) {
			const slots, backlog = 128, 4
			ids, sessions := tenantIDs(n), sessionIDs(backlog*n)
			queue := benchmarkQueue(b, ids)
			queue.SetSlots(slots)
			now, sequence := epoch, uint64(0)
			push := func() {
				sequence++
				err := queue.Push(fair.Request{
					Tenant: ids[sequence%uint64(n)], Session: sessions[sequence%uint64(len(sessions))],
					Kind: events.KindTurn, Priority: events.PriorityNormal, Sequence: sequence,
				}, now)
				if err != nil {
					b.Fatal(err)
				}
			}
			for range backlog * n {
				push()
			}
			var running [slots]uint64
			for i := range running {
				r, _ := queue.Next(now)
				running[i] = r.Sequence
			}
			b.ReportAllocs()
			turn := 0
			for b.Loop() {
				now = now.Add(50 * time.Microsecond)
				push()
				if !queue.Done(running[turn], now) {
					b.Fatal("a run is lost")
				}
				r, ok := queue.Next(now)
				if !ok {
					b.Fatal("a slot is idle")
				}
				running[turn] = r.Sequence
				turn = (turn + 1) % slots
			}
			b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}

// BenchmarkMixedWeights has as many lanes as it can get: no two tenants alike.
func BenchmarkMixedWeights(b *testing.B) {
	const slots = 1000
	ids := tenantIDs(1000)
	queue := fair.New()
	queue.SetSlots(slots)
	now, sequence := epoch, uint64(0)
	push := func(id events.TenantID) {
		sequence++
		if err := queue.Push(fair.Request{Tenant: id, Session: "s", Kind: events.KindCall, Sequence: sequence}, now); err != nil {
			b.Fatal(err)
		}
	}
	for i, id := range ids {
		require.NoError(b, queue.SetTenant(id, fair.Limits{Concurrency: 64, Weight: 1 + i}, now))
		for range 4 {
			push(id)
		}
	}
	running := make([]uint64, slots)
	for i := range running {
		r, _ := queue.Next(now)
		running[i] = r.Sequence
		push(r.Tenant)
	}
	turn := 0
	for b.Loop() {
		now = now.Add(50 * time.Microsecond)
		queue.Done(running[turn], now)
		r, _ := queue.Next(now)
		running[turn] = r.Sequence
		push(r.Tenant)
		turn = (turn + 1) % slots
	}
	b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkReason asks of the last of 10 000 queued requests, the backlog limit.
func BenchmarkReason(b *testing.B) {
	queue := benchmarkQueue(b, tenantIDs(1))
	sessions := sessionIDs(10_000)
	for i, session := range sessions {
		require.NoError(b, queue.Push(fair.Request{Tenant: "tenant-0", Session: session, Kind: events.KindTurn, Sequence: uint64(i)}, epoch))
	}
	for b.Loop() {
		queue.Reason(9_999, epoch)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

const (
	manyTenants  = 100_000
	manyRequests = 1_000_000
)

// BenchmarkMemory builds the largest index of the design's figures.
func BenchmarkMemory(b *testing.B) {
	ids := tenantIDs(manyTenants)
	for name, count := range map[string]int{"a-session-each": manyRequests, "a-session-a-tenant": manyTenants} {
		b.Run(name, func(b *testing.B) {
			sessions := sessionIDs(count)
			var perTenant, perRequest float64
			for b.Loop() {
				before := heapInUse()
				queue := benchmarkQueue(b, ids)
				idle := heapInUse()
				for i := range manyRequests {
					require.NoError(b, queue.Push(fair.Request{
						Tenant: ids[i%manyTenants], Session: sessions[i%count], Kind: events.KindTurn,
						Priority: events.PriorityNormal, Sequence: uint64(i + 1),
					}, epoch))
				}
				full := heapInUse()
				perTenant = float64(idle-before) / manyTenants
				perRequest = float64(full-idle) / manyRequests
				runtime.KeepAlive(queue)
			}
			b.ReportMetric(perTenant, "B/tenant")
			b.ReportMetric(perRequest, "B/request")
		})
	}
}

// BenchmarkLine is the dearest page: of more than may be looked at, the most
// urgent last.
func BenchmarkLine(b *testing.B) {
	queue := benchmarkQueue(b, tenantIDs(1))
	sessions := sessionIDs(2 * fair.MaxLooked)
	for i, session := range sessions {
		r := fair.Request{Tenant: "tenant-0", Session: session, Kind: events.KindTurn, Priority: events.PriorityBulk, Sequence: uint64(i)}
		if i > fair.MaxLooked/4 {
			r.Priority = events.PriorityInteractive
		}
		require.NoError(b, queue.Push(r, epoch))
	}
	for b.Loop() {
		queue.Line("tenant-0", 500, epoch)
	}
}

// BenchmarkSurvey looks at 256 of 100 000 busy tenants at a time.
func BenchmarkSurvey(b *testing.B) {
	ids := tenantIDs(100_000)
	queue := benchmarkQueue(b, ids)
	for i, id := range ids {
		require.NoError(b, queue.Push(fair.Request{Tenant: id, Session: "s", Kind: events.KindTurn, Sequence: uint64(i)}, epoch))
	}
	from, queued := 0, 0
	for b.Loop() {
		from = queue.Survey(from, 256, epoch, func(s fair.Standing) { queued += s.Queued })
	}
}
