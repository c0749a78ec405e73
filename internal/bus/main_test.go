package bus_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/testenv"
)

const (
	acme     = events.TenantID("acme")
	globex   = events.TenantID("globex")
	patience = 20 * time.Second
)

func TestMain(m *testing.M) { testenv.Main(m) }

// bundle is a provisioned bus, and the broker beside it.
type bundle struct {
	bus *bus.Bus
	js  jetstream.JetStream
	nc  *nats.Conn
	log *logBook
}

func setup(t *testing.T) *bundle {
	t.Helper()
	return setupOn(t, testenv.NATS(t), bus.Topology{})
}

func setupOn(t *testing.T, server *testenv.Server, topology bus.Topology) *bundle {
	t.Helper()
	log := &logBook{}
	b := connect(t, server, log)
	drifts, err := b.Provision(t.Context(), topology)
	require.NoError(t, err)
	require.Empty(t, drifts)
	nc := server.Connect(t)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return &bundle{bus: b, js: js, nc: nc, log: log}
}

func connect(t *testing.T, server *testenv.Server, log *logBook) *bus.Bus {
	t.Helper()
	b, err := bus.Connect(t.Context(), bus.Config{
		URL: server.URL, User: server.User, Password: server.Password, Logger: slog.New(log),
	})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

// within is a context that ends before the test's patience does.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// receive waits for one value.
func receive[T any](t *testing.T, values <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-values:
		return value
	case <-time.After(patience):
		require.FailNow(t, "waiting for "+what)
		panic("unreachable")
	}
}

func request(t *testing.T, tenant events.TenantID, session events.SessionID, text string) events.Message {
	t.Helper()
	message, err := events.NewRequest(
		events.RequestParams{Tenant: tenant, Session: session, Priority: events.PriorityNormal},
		events.Request{Message: text},
	)
	require.NoError(t, err)
	return message
}

func publish(t *testing.T, b *bus.Bus, message events.Message) uint64 {
	t.Helper()
	sequence, err := b.Requests().Publish(within(t), message)
	require.NoError(t, err)
	return sequence
}

func turnRun(session events.SessionID, sequence uint64) events.Run {
	return events.Run{Tenant: acme, Session: session, Kind: events.KindTurn, Sequence: sequence, Granted: time.Unix(1_700_000_000, 0).UTC()}
}

// grant waits for the answer to a grant after the last run that is granted.
func (b *bundle) grant(t *testing.T, run events.Run) uint64 {
	t.Helper()
	sequence, err := grantAfter(t, b.bus, run, b.last(t, events.StreamRuns))
	require.NoError(t, err)
	return sequence
}

func grantAfter(t *testing.T, b *bus.Bus, run events.Run, last uint64) (uint64, error) {
	t.Helper()
	type answer struct {
		sequence uint64
		err      error
	}
	answers := make(chan answer, 2)
	require.NoError(t, b.Runs().Grant(run, last, func(sequence uint64, err error) { answers <- answer{sequence, err} }))
	got := receive(t, answers, "the answer to a grant")
	return got.sequence, got.err
}

func (b *bundle) info(t *testing.T, stream string) *jetstream.StreamInfo {
	t.Helper()
	s, err := b.js.Stream(within(t), stream)
	require.NoError(t, err)
	return s.CachedInfo()
}

func (b *bundle) last(t *testing.T, stream string) uint64 {
	t.Helper()
	return b.info(t, stream).State.LastSeq
}

func (b *bundle) count(t *testing.T, stream string) uint64 {
	t.Helper()
	return b.info(t, stream).State.Msgs
}

// logBook keeps what is logged, as text.
type logBook struct {
	tell func(line string) // hears of each line where it is set, before anything is logged

	mu    sync.Mutex
	lines []string
}

func (l *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logBook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logBook) WithGroup(string) slog.Handler            { return l }

func (l *logBook) Handle(_ context.Context, record slog.Record) error {
	line := record.Message
	record.Attrs(func(attr slog.Attr) bool {
		line += " " + attr.String()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	if l.tell != nil {
		l.tell(line)
	}
	return nil
}

func (l *logBook) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

// raw stores a message as any client might.
func (b *bundle) raw(t *testing.T, message events.Message) uint64 {
	t.Helper()
	ack, err := b.js.PublishMsg(within(t), &nats.Msg{Subject: message.Subject, Header: nats.Header(message.Header), Data: message.Data})
	require.NoError(t, err)
	return ack.Sequence
}
