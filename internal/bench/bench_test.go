package bench_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bench"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/pgd"
	"github.com/feira-dev/feira/internal/testenv"
)

// tiny is a configuration whose every bench takes a second or two.
func tiny() bench.Config {
	return bench.Config{
		Requests: 400, Turns: 100, Rounds: 2, Slots: 16, Flood: 300, Window: 300 * time.Millisecond,
		Tenants: 150, Queued: 450, Rows: 2_500, Waiting: 40, Logger: slog.New(slog.DiscardHandler),
	}
}

// Figures of time are never held to anything here: they are the machine's.
func TestEachBenchMeasures(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]func(t *testing.T, report bench.Report){
		"throughput": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Equal(t, 400, report.Throughput.Requests)
			require.Positive(t, report.Throughput.GrantsPerSecond)
			require.Positive(t, report.Throughput.RunsPerSecond)
			require.Positive(t, report.Throughput.RawPerSecond)
			require.Positive(t, report.Throughput.Ratio)
			require.Positive(t, report.Throughput.CPU)
			for _, all := range [][]float64{report.Throughput.GrantsAll, report.Throughput.RunsAll, report.Throughput.RawAll} {
				require.Len(t, all, 2, "a value a round")
			}
			require.Contains(t, report.Throughput.RunsAll, report.Throughput.RunsPerSecond)
		},
		"latency": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Equal(t, 60, report.Latency.Samples, "every request is a sample")
			require.Positive(t, report.Latency.P50)
			require.LessOrEqual(t, report.Latency.P50, report.Latency.P99)
			require.LessOrEqual(t, report.Latency.P99, report.Latency.P999)
			require.Equal(t, 60, report.Latency.RawSamples)
			require.Positive(t, report.Latency.RawP50)
			require.LessOrEqual(t, report.Latency.RawP50, report.Latency.RawP99)
			require.Positive(t, report.Latency.P50Ratio)
		},
		"fairness": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Positive(t, report.Fairness.Runs)
			require.Positive(t, report.Fairness.Jain)
			require.LessOrEqual(t, report.Fairness.Jain, 1.0)
			require.LessOrEqual(t, report.Fairness.Utilisation, 1.0)
			require.Positive(t, report.Fairness.FIFOJain)
			require.Less(t, report.Fairness.FIFOJain, report.Fairness.Jain, "a plain queue knows no weights")
		},
		"flood": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Equal(t, 300, report.Flood.Jobs)
			require.Equal(t, 15, report.Flood.AloneSamples)
			require.GreaterOrEqual(t, report.Flood.FloodSamples, 30, "floods come until there are twice as many samples as alone")
			require.Positive(t, report.Flood.Floods)
			require.LessOrEqual(t, report.Flood.FloodP50, report.Flood.FloodP99)
			require.GreaterOrEqual(t, report.Flood.RawSamples, 7)
			require.Positive(t, report.Flood.RawP99)
		},
		"scale": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Equal(t, 150, report.Scale.Tenants)
			require.Equal(t, 450, report.Scale.Queued)
			require.Positive(t, report.Scale.RunsRatio)
			require.Positive(t, report.Scale.RebuildSeconds)
			require.Positive(t, report.Scale.RawRatio)
		},
		"failover": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Zero(t, report.Failover.Lost)
			require.Zero(t, report.Failover.Duplicated)
			require.Zero(t, report.Failover.OverGrants)
			require.Positive(t, report.Failover.Seconds)
		},
		"metering": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Equal(t, 2_500, report.Metering.Rows)
			require.True(t, report.Metering.Exact)
			require.Positive(t, report.Metering.SQLite)
			require.Len(t, report.Metering.SQLiteAll, 2)
			if pgd.Available() == nil {
				require.Positive(t, report.Metering.Postgres)
				require.Len(t, report.Metering.PostgresAll, 2)
			}
		},
		"http": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Equal(t, 30, report.HTTP.Samples, "every send is a sample")
			require.Positive(t, report.HTTP.P50)
			require.LessOrEqual(t, report.HTTP.P50, report.HTTP.P99)
			require.Equal(t, 30, report.HTTP.RawSamples)
			require.Positive(t, report.HTTP.RawP50)
			require.Positive(t, report.HTTP.P50Ratio)
			require.Equal(t, 40, report.HTTP.Waiting)
			require.Equal(t, 30, report.HTTP.BesideSamples)
			require.Positive(t, report.HTTP.ServedSeconds, "everybody who waited was answered")
			require.Positive(t, report.HTTP.RequestsPerSecond)
			require.Len(t, report.HTTP.RequestsAll, 2)
		},
		"webhooks": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Equal(t, 30, report.Webhooks.Samples, "every webhook is a sample")
			require.Positive(t, report.Webhooks.P50)
			require.LessOrEqual(t, report.Webhooks.P50, report.Webhooks.P99)
			require.Equal(t, 30, report.Webhooks.RawSamples)
			require.Positive(t, report.Webhooks.RawP50)
			require.Positive(t, report.Webhooks.P50Ratio)
			require.Positive(t, report.Webhooks.ReceiptsPerSecond)
			require.Len(t, report.Webhooks.ReceiptsAll, 2)
		},
		"turns": func(t *testing.T, report bench.Report) {
			t.Helper()
			require.Equal(t, 100, report.Turns.Turns)
			require.InEpsilon(t, 3.1, report.Turns.AppendsPerSecond/report.Turns.TurnsPerSecond, 0.001, "three facts a turn, and one a session of ten turns")
			require.Positive(t, report.Turns.RawAppends)
			require.Positive(t, report.Turns.CPU)
			require.Len(t, report.Turns.TurnsAll, 2)
			require.Len(t, report.Turns.RawAll, 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines bytes.Buffer
			config := tiny()
			config.Logger = slog.New(slog.NewTextHandler(&lines, nil))
			report, err := bench.Run(t.Context(), config, name)
			require.NoError(t, err)
			require.NotContains(t, lines.String(), "level=INFO", "the parts' normal doings are no progress")
			require.NotContains(t, lines.String(), "password")
			require.Equal(t, "embedded", report.Broker)
			require.False(t, *report.SyncAlways)
			require.NotEmpty(t, report.Machine.Server)
			require.Positive(t, report.Machine.Cores)
			check(t, report)
			require.Equal(t, []string{name}, measured(t, report), "nothing else is in the report")
			expectWritten(t, name, report)
		})
	}
}

// measured lists the benches in the report as its readers see it.
func measured(t *testing.T, report bench.Report) []string {
	t.Helper()
	data, err := json.Marshal(report)
	require.NoError(t, err)
	var groups map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &groups))
	var found []string
	for _, name := range bench.Names() {
		if _, ok := groups[name]; ok {
			found = append(found, name)
		}
	}
	return found
}

// The names are a contract with whoever reads the JSON.
func TestReportHasTheDesignsNames(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(bench.Report{
		Throughput: &bench.Throughput{}, Latency: &bench.Latency{}, Fairness: &bench.Fairness{}, Flood: &bench.Flood{},
		Scale: &bench.Scale{}, Failover: &bench.Failover{}, Turns: &bench.Turns{}, Metering: &bench.Metering{}, HTTP: &bench.HTTP{}, Webhooks: &bench.Webhooks{},
	})
	require.NoError(t, err)
	var groups map[string]any
	require.NoError(t, json.Unmarshal(data, &groups))
	for name, figures := range map[string][]string{
		"throughput": {"grants_per_second", "runs_per_second", "raw_per_second", "ratio", "cpu_us_per_run"},
		"latency":    {"p50_ms", "p99_ms", "p999_ms", "raw_p50_ms", "raw_p99_ms"},
		"fairness":   {"jain_index", "max_share_error", "fifo_jain_index"},
		"flood":      {"alone_p99_ms", "flood_p99_ms", "flood_p50_ms", "raw_flood_p99_ms"},
		"scale":      {"tenants", "queued", "runs_per_second_ratio", "rebuild_seconds", "bytes_per_queued", "raw_per_second"},
		"failover":   {"seconds_to_next_grant", "over_grants", "lost", "duplicated"},
		"metering":   {"sqlite_rows_per_second", "postgres_rows_per_second", "exact"},
		"http":       {"send_first_frame_p50_ms", "send_first_frame_p99_ms", "waiting_clients", "bytes_per_waiting_client", "requests_per_second"},
		"webhooks":   {"webhook_receipt_p50_ms", "webhook_receipt_p99_ms", "webhook_receipts_per_second", "raw_publish_p50_ms"},
		"turns":      {"turns_per_second", "log_appends_per_second", "raw_appends_per_second", "cpu_us_per_run"},
	} {
		for _, figure := range figures {
			require.Contains(t, groups[name], figure, name)
		}
	}
}

func outer(t *testing.T) (bench.Config, *bus.Bus) {
	t.Helper()
	server := testenv.NATS(t)
	config := tiny()
	config.URL, config.User, config.Password = server.URL, server.User, server.Password
	b, err := bus.Connect(t.Context(), bus.Config{URL: server.URL, User: server.User, Password: server.Password, Logger: config.Logger})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return config, b
}

func TestOuterBrokerIsLeftEmpty(t *testing.T) {
	t.Parallel()
	config, b := outer(t)
	config.Rounds = 1
	report, err := bench.Run(t.Context(), config, "fairness")
	require.NoError(t, err)
	require.Equal(t, "outer", report.Broker)
	require.Nil(t, report.SyncAlways, "nobody knows")
	places, err := b.Runs().Places(t.Context())
	require.NoError(t, err)
	require.Empty(t, places)
	// An empty broker is one that may be measured again, also within a bench.
	_, err = bench.Run(t.Context(), config, "throughput")
	require.NoError(t, err)
}

func TestBrokerInUseIsRefused(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(t *testing.T, b *bus.Bus){
		"requests": func(t *testing.T, b *bus.Bus) {
			t.Helper()
			message, err := events.NewRequest(events.RequestParams{Tenant: "tenant_acme"}, events.Request{Message: "hello"})
			require.NoError(t, err)
			_, err = b.Requests().Publish(t.Context(), message)
			require.NoError(t, err)
		},
		"workers": func(t *testing.T, b *bus.Bus) {
			t.Helper()
			done := make(chan struct{})
			var saying sync.WaitGroup
			saying.Go(func() {
				ticker := time.NewTicker(50 * time.Millisecond)
				defer ticker.Stop()
				for {
					_ = b.Hints().Announce(events.WorkerAnnounced{ID: "other", Slots: 1})
					select {
					case <-ticker.C:
					case <-done:
						return
					}
				}
			})
			t.Cleanup(func() { close(done); saying.Wait() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, b := outer(t)
			_, err := b.Provision(t.Context(), bus.Topology{})
			require.NoError(t, err)
			use(t, b)
			_, err = bench.Run(t.Context(), config, "turns")
			require.ErrorIs(t, err, bench.ErrInUse)
		})
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	config := tiny()
	_, err := bench.Run(t.Context(), config, "speed")
	require.ErrorIs(t, err, bench.ErrUnknown)
	config.Slots, config.Queued, config.Tenants, config.Logger = -1, 1, 2, nil
	_, err = bench.Run(t.Context(), config)
	require.ErrorIs(t, err, bench.ErrConfig)
	for _, field := range []string{"slots", "queued", "logger"} {
		require.ErrorContains(t, err, field)
	}
}

// What is not served in time is an error, not a figure.
func TestUnservedIsAnError(t *testing.T) {
	t.Parallel()
	config := tiny()
	config.Patience = time.Microsecond
	_, err := bench.Run(t.Context(), config, "turns")
	require.ErrorIs(t, err, bench.ErrUnserved)
}
