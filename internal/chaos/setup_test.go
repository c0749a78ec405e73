package chaos_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

// patience bounds a wait for a condition that nobody signals. The machine may
// be busy with every other test.
const (
	patience = 90 * time.Second
	pace     = 20 * time.Millisecond
)

var rolesAreUp = regexp.MustCompile(`roles are up`)

func TestMain(m *testing.M) { testenv.Main(m) }

// market is a broker, the stand-ins and the offline model, in the test's
// process, so that they outlive the roles, which are processes of their own.
type market struct {
	server  *testenv.Server
	sandbox *sandbox.Sandbox
	env     []string
	cfg     config.Config
	js      jetstream.JetStream
	conn    *nats.Conn
	caps    map[events.TenantID]int
}

type marketParams struct {
	server   *testenv.Server
	replicas int
	tenants  []tenant.Tenant
	latency  time.Duration // of the model
	backlog  int64         // of every tenant; 0 is the default
}

// setup registers the tenants; every one of them reaches Stripe.
func setup(t *testing.T, params marketParams) *market {
	t.Helper()
	if params.server == nil {
		params.server = testenv.NATS(t)
	}
	world, err := sandbox.New(sandbox.Config{ModelLatency: params.latency})
	require.NoError(t, err)
	require.NoError(t, world.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, world.Stop(context.WithoutCancel(t.Context()))) })
	m := &market{server: params.server, sandbox: world, conn: params.server.Connect(t), caps: map[events.TenantID]int{}}
	m.js, err = jetstream.New(m.conn)
	require.NoError(t, err)
	m.register(t, params)
	return m
}

func (m *market) register(t *testing.T, params marketParams) {
	t.Helper()
	var urls []string
	for _, server := range slices.Sorted(maps.Keys(m.sandbox.BaseURLs())) {
		urls = append(urls, server+"="+m.sandbox.BaseURLs()[server])
	}
	dir, replicas := testenv.Dir(t), max(params.replicas, 1)
	m.env = []string{
		"FEIRA_DATA_DIR=" + dir, "FEIRA_PROVIDER_URLS=" + strings.Join(urls, ";"),
		"OPENAI_API_KEY=test-key-of-the-sandbox", "OPENAI_BASE_URL=" + m.sandbox.ModelURL(), "FEIRA_MODEL=feira-offline",
		"FEIRA_NATS_URL=" + m.server.URL, "FEIRA_NATS_USER=" + m.server.User, "FEIRA_NATS_PASSWORD=" + m.server.Password,
		"FEIRA_NATS_REPLICAS=" + strconv.Itoa(replicas),
	}
	cfg := config.Default()
	cfg.DataDir = dir
	if params.backlog > 0 {
		cfg.Streams.Backlog = params.backlog
		m.env = append(m.env, "FEIRA_STREAMS_BACKLOG="+strconv.FormatInt(params.backlog, 10))
	}
	cfg.NATS.URL, cfg.NATS.User, cfg.NATS.Password = m.server.URL, m.server.User, config.Redacted(m.server.Password)
	cfg.NATS.Replicas = replicas
	m.cfg = cfg
	operator := m.operator(t)
	var tenants []tenant.Tenant
	for _, customer := range params.tenants {
		customer.Servers = []string{"stripe"}
		tenants = append(tenants, customer.WithDefaults())
	}
	require.NoError(t, operator.ApplyTenants(t.Context(), tenants))
	for _, customer := range tenants {
		m.caps[customer.ID] = customer.Concurrency
		fields, err := m.sandbox.Open("stripe", sandbox.Account{Tenant: string(customer.ID)})
		require.NoError(t, err)
		text, err := json.Marshal(fields)
		require.NoError(t, err)
		_, err = operator.SetCredential(t.Context(), customer.ID, "stripe", app.CredentialParams{Text: string(text)})
		require.NoError(t, err)
	}
}

// operator is whoever administers this world, until the test ends.
func (m *market) operator(t *testing.T) *app.Operator {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: io.Discard})
	require.NoError(t, err)
	operator := app.NewOperator(m.cfg, tel)
	t.Cleanup(operator.Close)
	return operator
}

// launch starts a role and does not wait for it.
func (m *market) launch(t *testing.T, role string, flags ...string) *testenv.Child {
	t.Helper()
	return testenv.Start(t, testenv.ChildParams{Path: testenv.Binary(t), Env: m.env, Args: append([]string{"run", role}, flags...)})
}

func plain(params events.RequestParams, request events.Request) (*nats.Msg, error) {
	message, err := events.NewRequest(params, request)
	if err != nil {
		return nil, err
	}
	return &nats.Msg{Subject: message.Subject, Header: nats.Header(message.Header), Data: message.Data}, nil
}

// drained reports whether nothing waits and nothing runs.
func (m *market) drained(t *testing.T) bool {
	t.Helper()
	for _, name := range []string{events.StreamRequests, events.StreamRuns} {
		stream, err := m.js.Stream(t.Context(), name)
		if err != nil || stream.CachedInfo().State.Msgs > 0 {
			return false
		}
	}
	return true
}

func (m *market) requireDrained(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return m.drained(t) }, patience, pace, "requests or runs are left over")
}

// log reads all of SESSIONS in the stream's order, by a plain client.
func (m *market) log(t *testing.T) []events.Record {
	t.Helper()
	stream, err := m.js.Stream(t.Context(), events.StreamSessions)
	require.NoError(t, err)
	left := stream.CachedInfo().State.Msgs
	consumer, err := stream.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	records := make([]events.Record, 0, left)
	for uint64(len(records)) < left {
		batch, err := consumer.Fetch(min(int(left)-len(records), 1000), jetstream.FetchMaxWait(5*time.Second))
		require.NoError(t, err)
		for message := range batch.Messages() {
			place, err := message.Metadata()
			require.NoError(t, err)
			record, err := events.Decode(events.Message{
				Subject: message.Subject(), Header: events.Header(message.Headers()), Data: message.Data(), Sequence: place.Sequence.Stream,
			})
			require.NoError(t, err, message.Subject())
			records = append(records, record)
		}
		// A node that is out of breath has no answer; the next fetch begins anew.
		if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) && !errors.Is(err, nats.ErrNoResponders) {
			require.NoError(t, err)
		}
	}
	return records
}
