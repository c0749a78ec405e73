package bench

// Report is what was measured. A bench that was not run is left out.
type Report struct {
	// Broker is "embedded" or "outer".
	Broker string `json:"broker"`
	// SyncAlways tells whether each write reached the disk before its answer;
	// of an outer broker it is not known, and left out.
	SyncAlways *bool       `json:"sync_always,omitempty"`
	Seconds    float64     `json:"seconds"`
	Throughput *Throughput `json:"throughput,omitempty"`
	Latency    *Latency    `json:"latency,omitempty"`
	Fairness   *Fairness   `json:"fairness,omitempty"`
	Flood      *Flood      `json:"flood,omitempty"`
	Scale      *Scale      `json:"scale,omitempty"`
	Failover   *Failover   `json:"failover,omitempty"`
	Turns      *Turns      `json:"turns,omitempty"`
}

// Throughput is how fast requests go through.
type Throughput struct {
	// GrantsPerSecond is REQUESTS to RUNS to acknowledgement, indexing included.
	GrantsPerSecond float64 `json:"grants_per_second"`
	// RunsPerSecond is the same with the request fetched and removed.
	RunsPerSecond float64 `json:"runs_per_second"`
	// RawPerSecond is pulling and acknowledging runs that nobody schedules.
	RawPerSecond float64 `json:"raw_per_second"`
	// Ratio is of grants to raw.
	Ratio    float64 `json:"ratio"`
	Requests int     `json:"requests"`
}

// Latency is from before the publication to the start of the handler, in an
// idle pool.
type Latency struct {
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	P999    float64 `json:"p999_ms"`
	Samples int     `json:"samples"`
}

// Fairness is of slot-seconds among tenants that all want more than there is.
type Fairness struct {
	// Jain is Jain's index of slot-seconds by weight: 1 is even.
	Jain float64 `json:"jain_index"`
	// MaxShareError is the largest deviation of a tenant's share from the one
	// that its weight gives it, as a fraction of that.
	MaxShareError float64 `json:"max_share_error"`
	Runs          int     `json:"runs"`
	// Utilisation is the part of all slot-seconds that handlers ran for.
	Utilisation float64 `json:"utilisation"`
}

// Flood is how long a quiet tenant waits for a start, alone and beside a flood.
type Flood struct {
	AloneP99     float64 `json:"alone_p99_ms"`
	FloodP99     float64 `json:"flood_p99_ms"`
	AloneSamples int     `json:"alone_samples"`
	FloodSamples int     `json:"flood_samples"`
	Jobs         int     `json:"jobs"`
	JobsPerSec   float64 `json:"jobs_per_second"`
}

// Scale is what many tenants and a long queue cost.
type Scale struct {
	Tenants int `json:"tenants"`
	Queued  int `json:"queued"`
	// RunsRatio is of runs a second with so many tenants to that with 100.
	RunsRatio       float64 `json:"runs_per_second_ratio"`
	RunsFew         float64 `json:"runs_per_second_100_tenants"`
	RunsMany        float64 `json:"runs_per_second"`
	RebuildSeconds  float64 `json:"rebuild_seconds"`
	BytesPerQueued  float64 `json:"bytes_per_queued"`
	LoadedPerSecond float64 `json:"loaded_per_second"`
}

// Failover is the death of the leading scheduler with runs under way.
type Failover struct {
	Seconds float64 `json:"seconds_to_next_grant"`
	// OverGrants counts starts above a tenant's cap or beside another turn of
	// the same session.
	OverGrants int `json:"over_grants"`
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	Requests   int `json:"requests"`
}

// Turns is empty turns from request to ending, session log and all.
type Turns struct {
	TurnsPerSecond   float64 `json:"turns_per_second"`
	AppendsPerSecond float64 `json:"log_appends_per_second"`
	Turns            int     `json:"turns"`
}
