package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/trigger"
)

// fanBench is a broker with facts in it, and triggers of which none is told:
// they are paused, so that what waits for them is counted and not sent.
type fanBench struct {
	server *testenv.Server
	js     jetstream.JetStream
	kv     *natskv.Client
	store  *natskv.Triggers
	cfg    config.Config
}

const fanTenants = 100

func setupFan(b testing.TB) *fanBench {
	b.Helper()
	f := &fanBench{server: testenv.NATS(b)}
	f.js = f.server.JetStream(b)
	f.cfg = config.Default()
	f.cfg.DataDir = testenv.Dir(b)
	f.cfg.NATS.URL, f.cfg.NATS.User, f.cfg.NATS.Password = f.server.URL, f.server.User, config.Redacted(f.server.Password)
	k := newKit(f.cfg, f.telemetry(b))
	b.Cleanup(k.close)
	require.NoError(b, k.provision(b.Context()))
	var err error
	f.kv, err = k.buckets(b.Context())
	require.NoError(b, err)
	f.store, err = f.kv.Triggers(b.Context())
	require.NoError(b, err)
	return f
}

func (f *fanBench) telemetry(b testing.TB) *telemetry.Telemetry {
	b.Helper()
	tel, err := telemetry.New(b.Context(), telemetry.Config{Output: io.Discard, Level: slog.LevelError})
	require.NoError(b, err)
	return tel
}

func fanTenant(n int) events.TenantID { return events.TenantID(fmt.Sprintf("shop-%05d", n)) }

// open makes a trigger of each of the first n tenants.
func (f *fanBench) open(b testing.TB, n int) {
	b.Helper()
	for i := range n {
		owner := fanTenant(i)
		require.NoError(b, f.store.Create(b.Context(), trigger.Trigger{
			ID: events.NewTrigger(owner, [10]byte{byte(i), byte(i >> 8)}), Tenant: owner, Environment: "test", Name: "all", Event: trigger.All,
			URL: "https://hooks.example.com/in", Status: trigger.StatusPaused, CreatedAt: time.Now().Add(-time.Hour),
		}))
	}
}

// turn is what one turn leaves in the log: four facts, the last of which is told.
func (f *fanBench) turn(b testing.TB, owner events.TenantID, n int) {
	b.Helper()
	id := events.SessionID(fmt.Sprintf("ses_%d", n))
	text := strings.Repeat("The order is on its way. ", 40)
	for i, event := range []events.Event{
		&events.TurnStarted{Kind: events.KindTurn, RequestSequence: uint64(n) + 1, Attempt: 1, Worker: "w"},
		&events.ModelReplied{Iteration: 1, Text: text, FinishReason: "stop"},
		&events.ModelReplied{Iteration: 2, Text: text, FinishReason: "stop"},
		&events.TurnCompleted{RequestSequence: uint64(n) + 1, Status: events.TurnCompletedOK, Message: text},
	} {
		message, err := events.Encode(events.SessionSubject(owner, id), events.Envelope{
			ID: fmt.Sprintf("fact/%d/%d", n, i), Source: events.SessionSource(owner, id), Time: time.Now(), Tenant: owner, Session: id, Request: "req_1",
		}, event)
		require.NoError(b, err)
		_, err = f.js.PublishMsgAsync(&nats.Msg{Subject: message.Subject, Header: nats.Header(message.Header), Data: message.Data}, jetstream.WithStallWait(time.Minute))
		require.NoError(b, err)
	}
}

func (f *fanBench) published(b testing.TB) {
	b.Helper()
	select {
	case <-f.js.PublishAsyncComplete():
	case <-b.Context().Done():
	}
}

// run has the role at work until the function returned is called.
func (f *fanBench) run(b *testing.B) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	up, over, tel := make(chan struct{}), make(chan error, 1), f.telemetry(b)
	go func() {
		over <- RunRoles(ctx, f.cfg, tel, []Role{RoleTriggers}, func(Addresses) { close(up) })
	}()
	select {
	case <-up:
	case err := <-over:
		require.NoError(b, err)
	}
	return func() {
		cancel()
		require.NoError(b, <-over)
	}
}

// queued waits for so many deliveries.
func (f *fanBench) queued(b *testing.B, n uint64) {
	b.Helper()
	require.Eventually(b, func() bool {
		stream, err := f.js.Stream(b.Context(), events.StreamTriggers)
		return err == nil && stream.CachedInfo().State.LastSeq >= n
	}, 10*time.Minute, 2*time.Millisecond)
}

// BenchmarkFanOut has a log of 20 000 facts told to the triggers of none, one or
// each of a hundred tenants. Behind them comes a fact that is always told, so
// that its delivery says that all was read.
func BenchmarkFanOut(b *testing.B) {
	const turns = 5000
	for _, tenants := range []int{0, 1, fanTenants} {
		b.Run(fmt.Sprintf("triggers=%d", tenants), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				f := setupFan(b)
				f.open(b, tenants)
				require.NoError(b, f.store.Create(b.Context(), trigger.Trigger{
					ID: events.NewTrigger("last", [10]byte{1}), Tenant: "last", Environment: "test", Name: "all", Event: trigger.All,
					URL: "https://hooks.example.com/in", Status: trigger.StatusPaused, CreatedAt: time.Now().Add(-time.Hour),
				}))
				for n := range turns {
					f.turn(b, fanTenant(n%fanTenants), n)
				}
				f.turn(b, "last", turns)
				f.published(b)
				b.StartTimer()
				stop := f.run(b)
				f.queued(b, uint64(turns/fanTenants*tenants)+1)
				b.StopTimer()
				stop()
				b.StartTimer()
			}
			b.ReportMetric(float64(4*(turns+1)*b.N)/b.Elapsed().Seconds(), "facts/s")
		})
	}
}

// BenchmarkManyTriggers says what ten thousand triggers cost in memory, and how
// long it takes from a fact to its delivery, ready to be made.
func BenchmarkManyTriggers(b *testing.B) {
	const triggers, facts = 10_000, 200
	f := setupFan(b)
	f.open(b, triggers)
	before := heap()
	stop := f.run(b)
	grown := heap() - before
	heard := make(chan time.Time, 16)
	sub, err := f.server.Connect(b).Subscribe(events.SubjectAllTriggers, func(*nats.Msg) { heard <- time.Now() })
	require.NoError(b, err)
	f.turn(b, fanTenant(0), 0) // the role has the lease when this is told
	<-heard
	var waits []time.Duration
	b.ResetTimer()
	for n := range b.N * facts {
		began := time.Now()
		f.turn(b, fanTenant(n*37%triggers), n+1)
		waits = append(waits, (<-heard).Sub(began))
	}
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(float64(grown)/triggers, "B/trigger")
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
	require.NoError(b, sub.Unsubscribe())
	stop()
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
