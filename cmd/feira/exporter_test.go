package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/usage"
)

// exporterSecret is no credential of anybody.
const exporterSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// listener takes usage from a webhook export, and has a process killed when it
// has taken so many deliveries and answered all but the last.
type listener struct {
	url string

	mu      sync.Mutex
	taken   map[string]int // deliveries, by item
	batches map[string]string
	n       int
	killAt  int
	kill    func()
}

func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{taken: map[string]int{}, batches: map[string]string{}}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Data struct{ Items []struct{ ID string } }
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for _, item := range body.Data.Items {
		l.taken[item.ID]++
		ids = append(ids, item.ID)
	}
	id, contents := r.Header.Get("Webhook-Id"), strings.Join(ids, " ")
	if before, known := l.batches[id]; known && before != contents {
		w.WriteHeader(http.StatusConflict) // the run would come to no end
		return
	}
	l.batches[id] = contents
	if l.n++; l.n == l.killAt {
		l.kill()
	}
}

func (l *listener) counts() (items, batches, deliveries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.taken), len(l.batches), l.n
}

// Two replicas of the role tell three systems, of which one never answers. The
// replica that tells the webhook is killed with -9 in the middle of a batch: the
// other goes on where it stopped, with the same batch under the same id, and the
// files are whole though the silent system holds everything up for itself.
func TestExporterRoleSurvivesItsLeader(t *testing.T) {
	t.Parallel()
	const used = 40
	b := setup(t)
	b.url = testenv.Restartable(t).URL
	dsn := fill(t, b.dir, used)
	b.env = append(b.env, "FEIRA_LEDGER_DSN="+dsn)
	far := newListener(t)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server hears that its caller has gone only when it has read
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	exports := filepath.Join(b.dir, "exports")
	require.NoError(t, os.Mkdir(exports, 0o700))
	for name, settings := range map[string]string{
		"a.yaml":    "{name: ours, sink: webhook, batch: 1, url: " + far.url + "}",
		"b.yaml":    "{name: silent, sink: openmeter, url: " + silent.URL + "}",
		"c.yml":     "{sink: csv, batch: 7, dir: " + filepath.Join(b.dir, "files") + "}",
		"notes.txt": "not read",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(exports, name), []byte(settings), 0o600))
	}
	b.env = append(b.env, "FEIRA_EXPORTER_SETTINGS="+exports, "FEIRA_EXPORTER_KEYS=ours="+exporterSecret, "FEIRA_EXPORTER_EVERY=1s", "FEIRA_METRICS_ADDRESS=127.0.0.1:0")
	role := func() *testenv.Child {
		child := testenv.Start(t, testenv.ChildParams{Path: testenv.Binary(t), Env: b.env, Args: []string{"run", "exporter", "--nats", b.url}})
		child.WaitForOutput(t, regexp.MustCompile("roles are up"))
		return child
	}
	far.mu.Lock() // nothing is taken until it is known whom to kill
	leader := role()
	leader.WaitForOutput(t, regexp.MustCompile(`lease acquired.*exporter\.ours`))
	standby := role()
	far.killAt, far.kill = 12, func() { leader.Kill(t) }
	far.mu.Unlock()
	standby.WaitForOutput(t, regexp.MustCompile(`lease acquired.*exporter\.ours`))
	require.Eventually(t, func() bool { items, _, _ := far.counts(); return items == used }, patience, pace)
	items, batches, deliveries := far.counts()
	require.Equal(t, []int{used, used, used + 1}, []int{items, batches, deliveries}, "what was told twice is the batch whose answer nobody heard")
	require.Eventually(t, func() bool { return csvRows(t, filepath.Join(b.dir, "files")) == used }, patience, pace)

	metrics := scrape(t, standby)
	for _, want := range []string{
		`feira_export_leader{export="ours"} 1`, `feira_export_behind{export="ours"} 0`, `feira_export_failures_total{export="ours"} 0`,
		`feira_export_leader{export="silent"} 1`, `feira_export_told_timestamp_seconds{export="csv"}`,
	} {
		require.Contains(t, metrics, want)
	}
	require.NotContains(t, metrics, exporterSecret)
	require.Contains(t, b.feira(t, "", "export", "check", "csv", "--dir", filepath.Join(b.dir, "files"), "--ledger-dsn", dsn), "0 differences")
}

// fill makes a ledger with so many tool calls.
func fill(t *testing.T, dir string, n int) (dsn string) {
	t.Helper()
	dsn = filepath.Join(dir, "usage.db")
	book, err := ledger.Open(t.Context(), ledger.Config{Path: dsn})
	require.NoError(t, err)
	defer func() { require.NoError(t, book.Close()) }()
	var messages []events.Message
	for index := range n {
		env, event, ok := usage.FromRecord(events.Record{
			Envelope: events.Envelope{ID: fmt.Sprint("call-", index), Tenant: "acme", Session: "ses_1", Request: "req_1", Time: time.Now()},
			Event:    &events.ToolReturned{Index: index, Server: "asaas", Tool: "create_payment", Status: events.ToolOK, Attempts: 1},
		}, usage.SessionFacts{Environment: events.EnvironmentLive})
		require.True(t, ok)
		message, err := events.Encode(events.UsageSubject("acme", event.Meter), env, event)
		require.NoError(t, err)
		messages = append(messages, message)
	}
	outcome, err := book.Record(t.Context(), usage.ReadBatch(messages))
	require.NoError(t, err)
	require.Equal(t, n, outcome.Inserted)
	return dsn
}

func csvRows(t *testing.T, dir string) (rows int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		rows += strings.Count(string(text), "\n") - 1
	}
	return rows
}

// scrape reads the metrics of a process.
func scrape(t *testing.T, of *testenv.Child) string {
	t.Helper()
	address := of.WaitForOutput(t, regexp.MustCompile(`serving metrics.*?(127\.0\.0\.1:[0-9]+)`))[1]
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	var text strings.Builder
	require.NoError(t, response.Write(&text))
	return text.String()
}

// A mistake in what the role is given is named before anybody is told anything.
func TestExporterRoleNamesMistakes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.url = testenv.Restartable(t).URL
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	lago := file("lago.yaml", "sink: lago")
	for name, test := range map[string]struct{ settings, keys, want string }{
		"no file":      {filepath.Join(dir, "none.yaml"), "", "none.yaml"},
		"no YAML":      {file("bad.yaml", "sinc: lago"), "", "sinc"},
		"no such sink": {file("kind.yaml", "sink: lagoon"), "", `sink: "lagoon"`},
		"no key":       {lago, "", "FEIRA_EXPORTER_KEYS's lago=KEY"},
		"a stray key":  {lago, "lago=a;lego=b", `export "lego"`},
		"two of one":   {lago + "," + file("again.yaml", "{sink: stripe, name: lago}"), "lago=a", "two settings are of one export: lago"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, complaints := feira(t, "", "run", "exporter", "--nats", b.url, "--exporter-settings", test.settings, "--exporter-keys", test.keys)
			require.Equal(t, exitFailed, code)
			require.Contains(t, complaints, test.want)
		})
	}
}
