package tenant_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

func acme(change func(*tenant.Tenant)) tenant.Tenant {
	t := tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe"}}.WithDefaults()
	if change != nil {
		change(&t)
	}
	return t
}

// Each rule at its limits, which are allowed, and one step beyond, which name
// the field.
func TestLimitsOfEachField(t *testing.T) {
	t.Parallel()
	numbers := map[string]struct {
		set         func(t *tenant.Tenant, n int)
		least, most int
	}{
		"concurrency": {func(t *tenant.Tenant, n int) { t.Concurrency = n }, 1, tenant.MaxConcurrency},
		"weight":      {func(t *tenant.Tenant, n int) { t.Weight = n }, 1, tenant.MaxWeight},
		"rate":        {func(t *tenant.Tenant, n int) { t.Rate, t.RatePeriod, t.Burst = n, tenant.PeriodMinute, 1 }, 0, tenant.MaxRate},
		"burst":       {func(t *tenant.Tenant, n int) { t.Rate, t.RatePeriod, t.Burst = 3, tenant.PeriodSecond, n }, 1, tenant.MaxBurst},
		"backlog":     {func(t *tenant.Tenant, n int) { t.Backlog = n }, 0, tenant.MaxBacklog},
		"instructions": {func(t *tenant.Tenant, n int) {
			if n >= 0 {
				t.Instructions = strings.Repeat("x", n)
			}
		}, 0, tenant.MaxInstructions},
	}
	for field, bounds := range numbers {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{bounds.least, bounds.least + 1, bounds.most - 1, bounds.most} {
				require.NoError(t, acme(func(t *tenant.Tenant) { bounds.set(t, n) }).Validate(), "%d", n)
			}
			beyond := []int{bounds.most + 1}
			if field != "instructions" {
				beyond = append(beyond, bounds.least-1)
			}
			for _, n := range beyond {
				err := acme(func(t *tenant.Tenant) { bounds.set(t, n) }).Validate()
				require.ErrorIs(t, err, tenant.ErrInvalid, "%d", n)
				require.ErrorContains(t, err, field)
			}
		})
	}
}

func TestFaultsNameTheirFields(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*tenant.Tenant){
		"id: ":                                 func(t *tenant.Tenant) { t.ID = "Acme Inc" },
		`environment is "prod"`:                func(t *tenant.Tenant) { t.Environment = "prod" },
		"servers has 0 entries":                func(t *tenant.Tenant) { t.Servers = nil },
		"servers[1] is empty":                  func(t *tenant.Tenant) { t.Servers = []string{"stripe", ""} },
		`servers[1]: "stripe" is listed`:       func(t *tenant.Tenant) { t.Servers = []string{"stripe", "stripe"} },
		"limits has a negative field":          func(t *tenant.Tenant) { t.Limits.Tokens = -1 },
		`rate_period is "hour"`:                func(t *tenant.Tenant) { t.RatePeriod = "hour" },
		`rate_period is ""`:                    func(t *tenant.Tenant) { t.Rate, t.Burst = 1, 1 },
		"burst is 0, want 1":                   func(t *tenant.Tenant) { t.Rate, t.RatePeriod = 1, tenant.PeriodSecond },
		"burst is -1, want 0":                  func(t *tenant.Tenant) { t.Burst = -1 },
		"servers has 21 entries, want 1 to 20": func(t *tenant.Tenant) { t.Servers = strings.Split(strings.Repeat("x", 21), "") },
	} {
		err := acme(change).Validate()
		require.ErrorIs(t, err, tenant.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	err := tenant.Tenant{Rate: -1, Burst: -1}.Validate()
	for _, field := range []string{"id", "environment", "concurrency", "weight", "rate", "burst", "servers"} {
		require.ErrorContains(t, err, field, "all faults are told at once")
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	want := tenant.Tenant{
		ID: "tenant_acme", Name: "tenant_acme", Servers: []string{"stripe"}, Environment: events.EnvironmentTest,
		Concurrency: tenant.DefaultConcurrency, Weight: tenant.DefaultWeight,
	}
	require.Empty(t, cmp.Diff(want, acme(nil)), "without a rate nothing is said of it")

	rated := tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe"}, Rate: 7}.WithDefaults()
	require.Equal(t, tenant.PeriodSecond, rated.RatePeriod)
	require.Equal(t, 7, rated.Burst)
	require.NoError(t, rated.Validate())
	kept := tenant.Tenant{Rate: 7, RatePeriod: tenant.PeriodMinute, Burst: 2}.WithDefaults()
	require.Equal(t, tenant.PeriodMinute, kept.RatePeriod)
	require.Equal(t, 2, kept.Burst)
	require.Equal(t, kept, kept.WithDefaults())
}

func TestDefaultsShareNothing(t *testing.T) {
	t.Parallel()
	mine := tenant.Tenant{Servers: []string{"stripe"}, Metadata: map[string]string{"plan": "free"}}
	theirs := mine.WithDefaults()
	theirs.Servers[0], theirs.Metadata["plan"] = "asaas", "paid"
	require.Equal(t, "stripe", mine.Servers[0])
	require.Equal(t, "free", mine.Metadata["plan"])
}

func TestPeriods(t *testing.T) {
	t.Parallel()
	require.Equal(t, time.Second, tenant.PeriodSecond.Duration())
	require.Equal(t, time.Minute, tenant.PeriodMinute.Duration())
	require.Zero(t, tenant.Period("hour").Duration())
}

// The names of the rate in files and in the bucket are part of what users see.
func TestRateIsReadByItsNames(t *testing.T) {
	t.Parallel()
	var fromYAML, fromJSON tenant.Tenant
	require.NoError(t, yaml.Unmarshal([]byte("{rate: 10, rate_period: minute, burst: 20}"), &fromYAML))
	require.NoError(t, json.Unmarshal([]byte(`{"rate": 10, "rate_period": "minute", "burst": 20}`), &fromJSON))
	want := tenant.Tenant{Rate: 10, RatePeriod: tenant.PeriodMinute, Burst: 20}
	require.Empty(t, cmp.Diff(want, fromYAML))
	require.Empty(t, cmp.Diff(want, fromJSON))
}
