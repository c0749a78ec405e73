package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/workers/scheduling"
)

const (
	patience = 30 * time.Second
	pace     = 20 * time.Millisecond
)

// book is what a process logs, to be read while it does.
type book struct {
	mu   sync.Mutex
	text []byte
}

func (b *book) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, text...)
	return len(text), nil
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

// process is a role as "feira run ROLE" has it, with its metrics.
type process struct {
	url  string
	tel  *telemetry.Telemetry
	stop func()
}

func runScheduler(t *testing.T, cfg config.Config) *process {
	t.Helper()
	return runRole(t, cfg, RoleScheduler)
}

func runRole(t *testing.T, cfg config.Config, role Role) *process {
	t.Helper()
	said := &book{}
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: said, Level: slog.LevelInfo})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- RunRoles(ctx, cfg, tel, []Role{role}, func(Addresses) { close(ready) }) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-stopped)
	})
	t.Cleanup(stop)
	<-ready
	address := regexp.MustCompile(`"serving metrics","address":"([^"]+)"`).FindStringSubmatch(said.String())
	require.Len(t, address, 2, said)
	return &process{url: "http://" + address[1] + "/metrics", tel: tel, stop: stop}
}

// scrape reads Feira's metrics as Prometheus does.
func (p *process) scrape(t *testing.T) map[string]string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url, nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	found := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^(feira_\S+) (\S+)$`).FindAllStringSubmatch(string(body), -1) {
		found[match[1]] = match[2]
	}
	return found
}

func (p *process) waitFor(t *testing.T, metric, value string) map[string]string {
	t.Helper()
	var found map[string]string
	require.Eventually(t, func() bool {
		found = p.scrape(t)
		return found[metric] == value
	}, patience, pace, "%s does not become %s", metric, value)
	return found
}

func TestSchedulerMetricsOverHTTP(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	cfg := config.Default()
	cfg.NATS.URL, cfg.NATS.User, cfg.NATS.Password = server.URL, server.User, config.Redacted(server.Password)
	cfg.DataDir, cfg.Telemetry.MetricsAddress = testenv.Dir(t), "127.0.0.1:0"
	cfg.Scheduler.Reconcile, cfg.Worker.Slots = 50*time.Millisecond, 2
	leader := runScheduler(t, cfg)
	require.Equal(t, "0", leader.waitFor(t, "feira_queue_workers", "0")["feira_queue_queued"])
	standby := runScheduler(t, cfg)

	o := NewOperator(cfg, leader.tel)
	t.Cleanup(o.Close)
	require.NoError(t, o.ApplyTenants(t.Context(), []tenant.Tenant{
		tenant.Tenant{ID: "tenant_acme", Servers: []string{"stripe"}, Concurrency: 5}.WithDefaults(),
	}))
	for range 7 {
		_, err := o.Send(t.Context(), events.RequestParams{Tenant: "tenant_acme"}, events.Request{Message: "hello"}, true, nil)
		require.NoError(t, err)
	}
	leader.waitFor(t, "feira_queue_queued", "7")
	found := leader.waitFor(t, "feira_queue_desired_workers", "3")
	require.NotContains(t, []string{"", "0"}, found["feira_queue_oldest_wait_seconds"])
	require.Equal(t, "0", found["feira_scheduler_grants_total"])

	broker, err := o.kit.broker(t.Context())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		require.NoError(t, broker.Hints().Announce(events.WorkerAnnounced{ID: "w1", Slots: 4}))
		found = leader.scrape(t)
		return found["feira_queue_running"] == "4" && found["feira_scheduler_grants_total"] == "4"
	}, patience, pace)
	for metric, want := range map[string]string{
		"feira_scheduler_leader": "1", "feira_queue_queued": "3", "feira_queue_slots": "4", "feira_queue_workers": "1", "feira_queue_busy_tenants": "1",
		"feira_queue_desired_workers": "2", "feira_scheduler_grant_refusals_total": "0",
		"feira_scheduler_grants_total": "4", "feira_scheduler_grant_wait_seconds_count": "4",
	} {
		require.Equal(t, want, found[metric], metric)
	}
	require.NotContains(t, []string{"", "0"}, found["feira_scheduler_grant_wait_seconds_sum"])

	found = standby.scrape(t)
	require.Equal(t, "0", found["feira_scheduler_leader"])
	require.NotContains(t, found, "feira_queue_queued", "a standby has no figures")
	leader.stop()
	found = standby.waitFor(t, "feira_queue_running", "4")
	require.Equal(t, "1", found["feira_scheduler_leader"])
	require.Equal(t, "3", found["feira_queue_queued"])
}

// Who was a leader shows no figures of then.
func TestFormerLeaderShowsNoFigures(t *testing.T) {
	t.Parallel()
	o := newObserver()
	count := func() int {
		metrics := make(chan prometheus.Metric, 32)
		o.Collect(metrics)
		return len(metrics)
	}
	standing := count()
	o.Leads(true)
	require.Equal(t, standing, count(), "nothing is known yet")
	o.Stands(scheduling.Figures{Queued: 3})
	require.Equal(t, standing+len(o.gauges), count())
	o.Leads(false)
	require.Equal(t, standing, count())
}

// The autoscaler's example asks for a metric that there is.
func TestAutoscalerAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deployments/keda.yaml")
	require.NoError(t, err)
	query := regexp.MustCompile(`query: max\((feira_\w+)\)`).FindSubmatch(text)
	require.NotNil(t, query)
	described := make(chan *prometheus.Desc, 32)
	newObserver().Describe(described)
	close(described)
	var names []string
	for desc := range described {
		names = append(names, regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(desc.String())[1])
	}
	require.Contains(t, names, string(query[1]))
}
