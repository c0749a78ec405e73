package bench

import "time"

// Report is what was measured. A bench that was not run is left out.
type Report struct {
	// Broker is "embedded" or "outer".
	Broker string `json:"broker"`
	// SyncAlways tells whether each write reached the disk before its answer;
	// of an outer broker it is not known, and left out.
	SyncAlways *bool       `json:"sync_always,omitempty"`
	Machine    Machine     `json:"machine"`
	Seconds    float64     `json:"seconds"`
	Throughput *Throughput `json:"throughput,omitempty"`
	Latency    *Latency    `json:"latency,omitempty"`
	Fairness   *Fairness   `json:"fairness,omitempty"`
	Flood      *Flood      `json:"flood,omitempty"`
	Scale      *Scale      `json:"scale,omitempty"`
	Failover   *Failover   `json:"failover,omitempty"`
	Turns      *Turns      `json:"turns,omitempty"`
	Metering   *Metering   `json:"metering,omitempty"`
	HTTP       *HTTP       `json:"http,omitempty"`
	Webhooks   *Webhooks   `json:"webhooks,omitempty"`

	traces traces
}

// Throughput is how fast requests go through: the median of each over the
// rounds, whose values are in the lists.
type Throughput struct {
	// GrantsPerSecond is REQUESTS to RUNS to acknowledgement, indexing included.
	GrantsPerSecond float64 `json:"grants_per_second"`
	// RunsPerSecond is the same with the request fetched and removed.
	RunsPerSecond float64 `json:"runs_per_second"`
	// RawPerSecond is pulling and acknowledging runs that nobody schedules.
	RawPerSecond float64 `json:"raw_per_second"`
	// Ratio is of grants to raw.
	Ratio float64 `json:"ratio"`
	// CPU is the processor time of this process for one run; where the broker is
	// an outer one, without that.
	CPU       float64   `json:"cpu_us_per_run"`
	Requests  int       `json:"requests"`
	GrantsAll []float64 `json:"grants_per_second_all"`
	RunsAll   []float64 `json:"runs_per_second_all"`
	RawAll    []float64 `json:"raw_per_second_all"`
}

// Latency is from before the publication to the start of the handler, in an
// idle pool.
type Latency struct {
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	P999    float64 `json:"p999_ms"`
	Samples int     `json:"samples"`
	// Raw is the same pace into the work queue, from which the same pool pulls.
	RawP50     float64 `json:"raw_p50_ms"`
	RawP99     float64 `json:"raw_p99_ms"`
	RawSamples int     `json:"raw_samples"`
	P50Ratio   float64 `json:"p50_ratio"`
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
	// FIFO is what the same tenants, who put their jobs in by turns, get of a
	// work queue that nobody schedules.
	FIFOJain          float64 `json:"fifo_jain_index"`
	FIFOMaxShareError float64 `json:"fifo_max_share_error"`
}

// Flood is how long a quiet tenant waits for a start, alone and beside floods.
type Flood struct {
	AloneP99     float64 `json:"alone_p99_ms"`
	FloodP99     float64 `json:"flood_p99_ms"`
	FloodP50     float64 `json:"flood_p50_ms"`
	AloneSamples int     `json:"alone_samples"`
	FloodSamples int     `json:"flood_samples"`
	// Jobs is the size of one flood.
	Jobs       int     `json:"jobs"`
	Floods     int     `json:"floods"`
	JobsPerSec float64 `json:"jobs_per_second"`
	// Raw is beside the same floods in a work queue that nobody schedules.
	RawP50        float64 `json:"raw_flood_p50_ms"`
	RawP99        float64 `json:"raw_flood_p99_ms"`
	RawSamples    int     `json:"raw_flood_samples"`
	RawJobsPerSec float64 `json:"raw_jobs_per_second"`
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
	// Raw is pulling and acknowledging runs of so many tenants that nobody
	// schedules.
	RawFew   float64 `json:"raw_per_second_100_tenants"`
	RawMany  float64 `json:"raw_per_second"`
	RawRatio float64 `json:"raw_per_second_ratio"`
}

// Failover is the death of the leading scheduler with runs under way. There is
// nothing raw beside it: a broker alone has no scheduler that could die.
type Failover struct {
	Seconds float64 `json:"seconds_to_next_grant"`
	// OverGrants counts starts above a tenant's cap or beside another turn of
	// the same session.
	OverGrants int `json:"over_grants"`
	Lost       int `json:"lost"`
	Duplicated int `json:"duplicated"`
	Requests   int `json:"requests"`
}

// Turns is empty turns from request to ending, session log and all: the median
// of each over the rounds.
type Turns struct {
	TurnsPerSecond   float64 `json:"turns_per_second"`
	AppendsPerSecond float64 `json:"log_appends_per_second"`
	Turns            int     `json:"turns"`
	// RawAppends is fenced appends that are part of no turn.
	RawAppends float64 `json:"raw_appends_per_second"`
	// Ratio is of the turns' appends to raw ones.
	Ratio float64 `json:"appends_ratio"`
	// CPU is as in Throughput, of a turn.
	CPU      float64   `json:"cpu_us_per_run"`
	TurnsAll []float64 `json:"turns_per_second_all"`
	RawAll   []float64 `json:"raw_appends_per_second_all"`
}

// Metering is how fast usage events become rows and sums on disk, from the
// broker's message to the commit: the median of each over the rounds.
type Metering struct {
	SQLite float64 `json:"sqlite_rows_per_second"`
	// Postgres is 0 where the machine has none.
	Postgres float64 `json:"postgres_rows_per_second"`
	// Exact says that every ledger verified and had the sums of the ground
	// truth, though every tenth batch came twice.
	Exact       bool      `json:"exact"`
	Rows        int       `json:"rows"`
	SQLiteAll   []float64 `json:"sqlite_rows_per_second_all"`
	PostgresAll []float64 `json:"postgres_rows_per_second_all"`
}

// HTTP is the gateway's role, with a model that answers at once: from before a
// send to the first frame that the agent is the cause of, each in a session of
// its own.
type HTTP struct {
	P50     float64 `json:"send_first_frame_p50_ms"`
	P99     float64 `json:"send_first_frame_p99_ms"`
	Samples int     `json:"samples"`
	// Raw is the same request published without HTTP, and its first reply heard on
	// the feed.
	RawP50     float64 `json:"raw_first_reply_p50_ms"`
	RawP99     float64 `json:"raw_first_reply_p99_ms"`
	RawSamples int     `json:"raw_samples"`
	P50Ratio   float64 `json:"p50_ratio"`
	// Waiting is how many clients waited at one time, a connection and a stream
	// each, and Bytes what each took of heap and stacks, the embedded broker's part
	// included. Every one of them was answered in the end.
	Waiting int     `json:"waiting_clients"`
	Bytes   float64 `json:"bytes_per_waiting_client"`
	// Beside is the first frame of others while they waited.
	BesideP50     float64 `json:"beside_waiting_p50_ms"`
	BesideP99     float64 `json:"beside_waiting_p99_ms"`
	BesideSamples int     `json:"beside_waiting_samples"`
	// ServedSeconds is from the first of their requests to the last of their answers.
	ServedSeconds float64 `json:"waiting_served_seconds"`
	// RequestsPerSecond is sends answered in JSON: the median of the rounds.
	RequestsPerSecond float64   `json:"requests_per_second"`
	RequestsAll       []float64 `json:"requests_per_second_all"`
}

// traces is what the plots draw.
type traces struct {
	latency, flood, http, webhooks []waits
	shares                         []line
	starts                         []point
}

// waits are what a thing of this name made requests wait.
type waits struct {
	name  string
	waits []time.Duration
}
