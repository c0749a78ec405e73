package canary

import (
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the ledger's own driver

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/pgd"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/workers/metering"
)

const patience = 2 * time.Minute

var (
	rolesAreUp = regexp.MustCompile(`roles are up`)
	leading    = regexp.MustCompile(`"msg":"leading"`)
)

// market is a Feira in processes of its own, all of whose leavings are in one
// folder: the broker's store, the ledger, logs, traces, transcripts, output.
type market struct {
	garden

	dir     string
	broker  *natsd.Server
	sandbox *sandbox.Sandbox
	mirror  *mirror
	env     []string
	cfg     config.Config
	roles   map[string]*testenv.Child
	fields  map[string]map[string]map[string]string // by tenant and server
	ahead   atomic.Int64                            // of the fakes' clock
	usage   []events.Message                        // of USAGE
	files   string                                  // of the Postgres server that it was booked into; empty for none
	spans   atomic.Int64
	runs    atomic.Int64 // of the command line

	mu   sync.Mutex
	logs *os.File
}

// Write implements [io.Writer]: what the test's own process logs.
func (m *market) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.logs.Write(p)
}

func setup(t *testing.T, tenants ...string) *market {
	t.Helper()
	m := &market{dir: t.TempDir(), roles: map[string]*testenv.Child{}, fields: map[string]map[string]map[string]string{}}
	for _, folder := range []string{"nats", "data", "said", "traces", "dump"} {
		require.NoError(t, os.Mkdir(filepath.Join(m.dir, folder), 0o700))
	}
	var err error
	m.logs, err = os.Create(m.file("said", "test.log"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.logs.Close() })
	m.openBroker(t)
	modelKey := m.plant("the model's key", "/+~")
	accounts := map[string][]sandbox.Account{}
	for _, tenant := range tenants {
		m.fields[tenant] = map[string]map[string]string{}
		for _, server := range sandbox.Servers() {
			m.fields[tenant][server] = m.credential(t, tenant, server)
			accounts[server] = append(accounts[server], sandbox.Account{Tenant: tenant, Credential: m.fields[tenant][server]})
		}
	}
	// The dialogues have dates: the fakes live in their time.
	m.ahead.Store(int64(time.Until(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))))
	m.sandbox, err = sandbox.New(sandbox.Config{Accounts: accounts, ModelKey: modelKey, Now: func() time.Time { return time.Now().Add(time.Duration(m.ahead.Load())) }})
	require.NoError(t, err)
	require.NoError(t, m.sandbox.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, m.sandbox.Stop(context.WithoutCancel(t.Context()))) })
	m.mirror = newMirror(t, m.sandbox.ModelURL(), m.file("said", "model.txt"))
	m.configure(t, modelKey)
	return m
}

func (m *market) file(parts ...string) string {
	return filepath.Join(append([]string{m.dir}, parts...)...)
}

// openBroker starts a broker whose operator has a password, and whose log is kept.
func (m *market) openBroker(t *testing.T) {
	t.Helper()
	password := m.plant("the broker's password", "/+~")
	logger := slog.New(slog.NewJSONHandler(m, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	m.broker, err = natsd.New(natsd.Config{Dir: m.file("nats"), Users: []natsd.User{natsd.OperatorUser("feira", password)}, Logger: logger})
	require.NoError(t, err)
	require.NoError(t, m.broker.Start(t.Context()))
	t.Cleanup(func() { m.stopBroker(t) })
	m.cfg = config.Default()
	m.cfg.NATS.URL, m.cfg.NATS.User, m.cfg.NATS.Password = m.broker.ClientURL(), "feira", config.Redacted(password)
}

func (m *market) stopBroker(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	require.NoError(t, m.broker.Stop(ctx))
}

// configure says to every process where things are, and has it tell all.
func (m *market) configure(t *testing.T, modelKey string) {
	t.Helper()
	var urls []string
	for _, server := range sandbox.Servers() {
		urls = append(urls, server+"="+m.mirror.through(m.sandbox.BaseURLs()[server]))
	}
	m.cfg.DataDir, m.cfg.Telemetry.LogLevel = m.file("data"), slog.LevelDebug
	m.env = []string{
		"FEIRA_DATA_DIR=" + m.cfg.DataDir, "FEIRA_PROVIDER_URLS=" + strings.Join(urls, ";"), "FEIRA_LOG_LEVEL=debug",
		"OPENAI_API_KEY=" + modelKey, "OPENAI_BASE_URL=" + m.mirror.through(m.sandbox.ModelURL()), "FEIRA_MODEL=feira-offline",
		"FEIRA_NATS_URL=" + m.cfg.NATS.URL, "FEIRA_NATS_USER=feira", "FEIRA_NATS_PASSWORD=" + m.cfg.NATS.Password.Reveal(),
		"FEIRA_OTLP_ENDPOINT=" + m.collector(t), "FEIRA_WORKER_SLOTS=32",
	}
}

// collector takes traces and keeps them.
func (m *market) collector(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				return
			}
			body = unpacked
		}
		data, err := io.ReadAll(body)
		if err == nil {
			_ = os.WriteFile(m.file("traces", fmt.Sprintf("%d.pb", m.spans.Add(1))), data, 0o600)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// role starts a role, and waits until it is up.
func (m *market) role(t *testing.T, name, role string) {
	t.Helper()
	child := testenv.Start(t, testenv.ChildParams{Path: testenv.Binary(t), Env: m.env, Args: []string{"run", role}})
	child.WaitForOutput(t, rolesAreUp)
	m.roles[name] = child
}

// feira runs a command of its own process, and keeps what it says and how it
// was called.
func (m *market) feira(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), testenv.Binary(t), args...)
	command.Env = append(os.Environ(), m.env...)
	command.Stdin = strings.NewReader(in)
	said, err := command.CombinedOutput()
	kept := fmt.Sprintf("feira %q: %v\n%s", args, err, said)
	require.NoError(t, os.WriteFile(m.file("said", fmt.Sprintf("command-%d.txt", m.runs.Add(1))), []byte(kept), 0o600))
	return string(said), err
}

func (m *market) must(t *testing.T, in string, args ...string) string {
	t.Helper()
	said, err := m.feira(t, in, args...)
	require.NoError(t, err, said)
	return said
}

// fails runs a command that is to end with a complaint.
func (m *market) fails(t *testing.T, in string, args ...string) {
	t.Helper()
	said, err := m.feira(t, in, args...)
	require.Error(t, err, said)
	require.NotEmpty(t, said)
}

// operator speaks to the market from the test's process, which logs as well.
func (m *market) operator(t *testing.T) *app.Operator {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: m, Level: slog.LevelDebug})
	require.NoError(t, err)
	o := app.NewOperator(m.cfg, tel)
	t.Cleanup(o.Close)
	return o
}

func send(t *testing.T, o *app.Operator, params events.RequestParams, request events.Request) *events.TurnCompleted {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sent, err := o.Send(ctx, params, request, false, nil)
	require.NoError(t, err)
	return sent.Ending
}

// close ends every process, and writes down what they said and what the broker
// and the ledger hold.
func (m *market) close(t *testing.T) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(m.roles)) {
		child := m.roles[name]
		child.Interrupt(t)
		child.Wait(t)
		require.NoError(t, os.WriteFile(m.file("said", name+".log"), []byte(child.Output()), 0o600))
	}
	m.dumpStreams(t)
	m.stopBroker(t)
	m.dumpLedger(t)
	m.bookIntoPostgres(t)
}

// bookIntoPostgres books all usage once more, into the other of the ledgers.
func (m *market) bookIntoPostgres(t *testing.T) {
	t.Helper()
	if err := pgd.Available(); err != nil && os.Getenv("CI") == "" {
		t.Logf("the files of Postgres are not scanned: %v", err)
		return
	}
	dsn, folder := testenv.PostgresFiles(t)
	books, err := ledger.Open(t.Context(), ledger.Config{DSN: dsn})
	require.NoError(t, err)
	defer func() { require.NoError(t, books.Close()) }()
	writer, err := metering.NewWriter(metering.WriterConfig{Ledger: books})
	require.NoError(t, err)
	require.NotEmpty(t, m.usage)
	require.NoError(t, writer.Handle(t.Context(), m.usage))
	m.files = folder
}

// dumpStreams reads every message of every stream, the buckets' included: a
// block of the store may be packed.
func (m *market) dumpStreams(t *testing.T) {
	t.Helper()
	conn, err := nats.Connect(m.cfg.NATS.URL, nats.UserInfo("feira", m.cfg.NATS.Password.Reveal()))
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	names := js.StreamNames(t.Context())
	for name := range names.Name() {
		stream, err := js.Stream(t.Context(), name)
		require.NoError(t, err)
		file, err := os.Create(m.file("dump", name+".txt"))
		require.NoError(t, err)
		state := stream.CachedInfo().State
		for sequence := state.FirstSeq; sequence <= state.LastSeq && state.Msgs > 0; sequence++ {
			if message, err := stream.GetMsg(t.Context(), sequence); err == nil { // others are removed
				_, err = fmt.Fprintf(file, "%s\n%v\n%s\n", message.Subject, message.Header, message.Data)
				require.NoError(t, err)
				if name == events.StreamUsage {
					m.usage = append(m.usage, events.Message{
						Subject: message.Subject, Header: events.Header(message.Header), Data: message.Data, Sequence: message.Sequence, Time: message.Time,
					})
				}
			}
		}
		require.NoError(t, file.Close())
	}
	require.NoError(t, names.Err())
}

// dumpLedger reads every row: a long one is cut over pages of the file.
func (m *market) dumpLedger(t *testing.T) {
	t.Helper()
	db, err := sql.Open("sqlite", m.file("data", "ledger.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	for _, name := range column(t, db, `SELECT name FROM sqlite_master WHERE type = 'table'`) {
		require.NoError(t, os.WriteFile(m.file("dump", "table-"+name+".txt"), []byte(strings.Join(column(t, db, `SELECT * FROM "`+name+`"`), "\n")), 0o600))
	}
}

// column reads rows, each as one text.
func column(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	names, err := rows.Columns()
	require.NoError(t, err)
	var lines []string
	for rows.Next() {
		cells, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		require.NoError(t, rows.Scan(into...))
		var line []string
		for _, cell := range cells {
			line = append(line, cell.String)
		}
		lines = append(lines, strings.Join(line, "\t"))
	}
	require.NoError(t, rows.Err())
	return lines
}

// publish sends the broker a message as any client of it may.
func (m *market) publish(t *testing.T, subject, body string) {
	t.Helper()
	conn, err := nats.Connect(m.cfg.NATS.URL, nats.UserInfo("feira", m.cfg.NATS.Password.Reveal()))
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	_, err = js.Publish(t.Context(), subject, []byte(body))
	require.NoError(t, err)
}

// elsewhere does what somebody else does at a provider: a customer who pays.
func (m *market) elsewhere(t *testing.T, tenant, server, what string) []byte {
	t.Helper()
	method, rest, _ := strings.Cut(what, " ")
	path, body, _ := strings.Cut(rest, " ")
	fields := m.fields[tenant][server]
	header := http.Header{"Access_token": {fields["api_key"]}, "Content-Type": {"application/json"}}
	if server == "nuvem-fiscal" {
		form := "grant_type=client_credentials&client_id=" + fields["client_id"] + "&client_secret=" + strings.NewReplacer("%", "%25", "+", "%2B", "&", "%26").Replace(fields["client_secret"])
		var token struct {
			AccessToken string `json:"access_token"`
		}
		got := m.ask(t, http.MethodPost, server+"/oauth/token", form, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		require.NoError(t, json.Unmarshal(got, &token))
		header.Set("Authorization", "Bearer "+token.AccessToken)
	}
	base := strings.TrimPrefix(m.sandbox.BaseURLs()[server], m.mirror.behind+"/")
	return m.ask(t, method, base+path, body, header)
}

func (m *market) ask(t *testing.T, method, path, body string, header http.Header) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, m.mirror.behind+"/"+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header = header
	request.Header.Set("User-Agent", "somebody else")
	response, err := m.mirror.client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", path, answer)
	return answer
}
