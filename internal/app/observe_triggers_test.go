package app

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/workers/triggers"
)

func TestTriggerMetricsOverHTTP(t *testing.T) {
	t.Parallel()
	f := setupFan(t)
	f.cfg.Telemetry.MetricsAddress = "127.0.0.1:0"
	f.open(t, 1) // it is paused, so that what it is to be told waits
	f.turn(t, fanTenant(0), 0)
	f.turn(t, fanTenant(1), 1)
	f.published(t)
	telling := runRole(t, f.cfg, RoleTriggers)
	found := telling.waitFor(t, "feira_triggers_queued", "1")
	for metric, want := range map[string]string{
		"feira_triggers_leader": "1", "feira_triggers_inflight": "0", "feira_triggers_dead_endpoints": "0",
		"feira_triggers_facts_total": "8", "feira_triggers_deliveries_total": "1",
		`feira_triggers_attempts_total{verdict="delivered"}`: "0", `feira_triggers_attempts_total{verdict="failed"}`: "0",
		`feira_triggers_attempts_total{verdict="dead"}`: "0", "feira_triggers_attempt_seconds_count": "0",
	} {
		require.Equal(t, want, found[metric], metric)
	}
	require.NotContains(t, []string{"", "0"}, found["feira_triggers_oldest_wait_seconds"])
	standby := runRole(t, f.cfg, RoleTriggers)
	found = standby.scrape(t)
	require.Equal(t, "0", found["feira_triggers_leader"])
	require.NotContains(t, found, "feira_triggers_queued", "a standby has no figures")
}

func TestTriggerMetricsHaveFewLabels(t *testing.T) {
	t.Parallel()
	made := newTellings()
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(made))
	made.Delivers(true)
	made.Stands(triggers.Figures{Queued: 3, Inflight: 1, Down: 2, OldestWait: time.Minute})
	made.Attempted(events.DeliveryFailed, 30*time.Millisecond)
	made.GivenUp("expired")
	values, labels := map[string]float64{}, map[string]bool{}
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = true
				name += " " + label.GetValue()
			}
			values[name] = metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
		}
	}
	require.Equal(t, map[string]bool{"verdict": true, "reason": true}, labels)
	for name, want := range map[string]float64{
		"feira_triggers_queued": 3, "feira_triggers_inflight": 1, "feira_triggers_dead_endpoints": 2, "feira_triggers_oldest_wait_seconds": 60,
		"feira_triggers_attempts_total failed": 1, "feira_triggers_attempts_total delivered": 0, "feira_triggers_given_up_total expired": 1,
	} {
		require.InDelta(t, want, values[name], 0, name)
	}
	count := func() int {
		metrics := make(chan prometheus.Metric, 64)
		made.Collect(metrics)
		return len(metrics)
	}
	before := count()
	made.Delivers(false)
	require.Equal(t, before-len(made.gauges), count(), "who no longer tells shows no figures of then")
}
