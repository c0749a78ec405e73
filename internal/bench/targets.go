package bench

import "fmt"

// The scale that the design asks its figures of.
const (
	designTenants = 100_000
	designQueued  = 1_000_000
)

// target is a figure that section 8 of the design wants reached.
type target struct {
	what   string
	bench  string
	figure string
	most   bool // else least
	bound  float64
}

func targets() []target {
	return []target{
		{"scheduling alone, grants a second", "throughput", "grants_per_second", false, 50_000},
		{"grants to raw consume and acknowledge", "throughput", "ratio", false, 0.4},
		{"runs without a model a second", "throughput", "runs_per_second", false, 20_000},
		{"publish to start, p50, ms", "latency", "p50_ms", true, 0.3},
		{"publish to start, p99, ms", "latency", "p99_ms", true, 1},
		{"share error of ten flooding tenants", "fairness", "max_share_error", true, 0.02},
		{"Jain's index of the same", "fairness", "jain_index", false, 0.99},
		{"quiet tenant beside a flood, p99, ms", "flood", "flood_p99_ms", true, 10},
		{"runs with many tenants to runs with few", "scale", "runs_per_second_ratio", false, 0.85},
		{"index rebuilt, s", "scale", "rebuild_seconds", true, 10},
		{"index, bytes a queued request", "scale", "bytes_per_queued", true, 200},
		{"leader killed, next grant, s", "failover", "seconds_to_next_grant", true, 3},
		{"leader killed, over-grants", "failover", "over_grants", true, 0},
		{"leader killed, requests lost", "failover", "lost", true, 0},
		{"empty turns a second", "turns", "turns_per_second", false, 10_000},
		{"usage rows a second into SQLite", "metering", "sqlite_rows_per_second", false, 50_000},
		{"usage rows a second into Postgres", "metering", "postgres_rows_per_second", false, 30_000},
		{"ledgers equal to the ground truth", "metering", "exact", false, 1},
		{"HTTP send to first frame, p50, ms", "http", "send_first_frame_p50_ms", true, 3},
		{"HTTP send to first frame, p99, ms", "http", "send_first_frame_p99_ms", true, 10},
		{"HTTP clients that wait at one time", "http", "waiting_clients", false, 10_000},
		{"webhook receipt, p99, ms", "webhooks", "webhook_receipt_p99_ms", true, 50},
	}
}

func (t target) wanted() string {
	sign := "≥"
	if t.most {
		sign = "≤"
	}
	return sign + " " + number(t.bound)
}

func (t target) reached(value float64) string {
	if t.most && value <= t.bound || !t.most && value >= t.bound {
		return "yes"
	}
	return "no"
}

// at says of what size a figure is that the design wants of another.
func (t target) at(scale *Scale) string {
	if t.bench != "scale" || scale == nil || scale.Tenants >= designTenants && scale.Queued >= designQueued {
		return ""
	}
	return fmt.Sprintf(", at %d tenants with %d requests", scale.Tenants, scale.Queued)
}
