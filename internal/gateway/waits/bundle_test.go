package waits_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/gateway/waits"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/testenv"
)

const (
	acme     = events.TenantID("acme")
	patience = time.Minute
	// glance is a look so often that no test waits for it.
	glance = 30 * time.Millisecond
	// never is a look that comes after every test.
	never = time.Hour
)

func TestMain(m *testing.M) { testenv.Main(m) }

// bundle is a provisioned bus.
type bundle struct {
	bus *bus.Bus
	log *logBook
}

func setup(t testing.TB) *bundle {
	t.Helper()
	return setupOn(t, testenv.NATS(t))
}

func setupOn(t testing.TB, server *testenv.Server) *bundle {
	t.Helper()
	b := &bundle{log: &logBook{}}
	b.bus = b.connect(t, server)
	_, err := b.bus.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	return b
}

func (b *bundle) connect(t testing.TB, server *testenv.Server) *bus.Bus {
	t.Helper()
	connected, err := bus.Connect(t.Context(), bus.Config{
		URL: server.URL, User: server.User, Password: server.Password, Logger: slog.New(b.log), Timeout: 2 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(connected.Close)
	return connected
}

// hub waits at the real ports, where the change does not put others before them.
func (b *bundle) hub(t testing.TB, change func(*waits.Config)) *waits.Hub {
	t.Helper()
	config := waits.Config{Feed: b.bus.Feed(), Log: b.bus.Log(), Deltas: b.bus.Hints(), Logger: slog.New(b.log), Look: never}
	if change != nil {
		change(&config)
	}
	hub, err := waits.New(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(hub.Close)
	return hub
}

func follow(t testing.TB, hub *waits.Hub, id events.SessionID, from waits.From) *waits.Reader {
	t.Helper()
	reader, err := hub.Follow(within(t), waits.FollowParams{Tenant: acme, Session: id, From: from})
	require.NoError(t, err)
	t.Cleanup(reader.Close)
	return reader
}

// within is a context that ends before the test's patience does.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// writer appends to one session, as its one writer.
type writer struct {
	log  *bus.Log
	id   events.SessionID
	all  []uint64 // sequences of what was written
	next int
}

func (b *bundle) writer(id events.SessionID) *writer { return &writer{log: b.bus.Log(), id: id} }

// write appends an event of a request.
func (w *writer) write(ctx context.Context, request events.RequestID, event events.Event) (uint64, error) {
	w.next++
	entry := session.Entry{
		Event: event,
		Envelope: events.Envelope{
			ID: strconv.Itoa(w.next), Source: events.SessionSource(acme, w.id), Type: event.EventType(), Time: time.Unix(1_700_000_000, 0).UTC(),
			Tenant: acme, Session: w.id, Request: request,
		},
	}
	if n := len(w.all); n > 0 {
		entry.Last = w.all[n-1]
	}
	sequence, err := w.log.Append(ctx, entry)
	if err == nil {
		w.all = append(w.all, sequence)
	}
	return sequence, err
}

// some appends n events.
func (w *writer) some(t testing.TB, n int) {
	t.Helper()
	for range n {
		_, err := w.write(within(t), "r1", &events.ModelReplied{Iteration: w.next + 1, Model: "none", Text: "good day", FinishReason: "stop"})
		require.NoError(t, err)
	}
}

// read returns the sequences of the next n records.
func read(ctx context.Context, reader *waits.Reader, n int) ([]uint64, error) {
	sequences := make([]uint64, 0, n)
	for len(sequences) < n {
		item, err := reader.Next(ctx)
		if err != nil {
			return sequences, err
		}
		if item.Record != nil {
			sequences = append(sequences, item.Record.Sequence)
		}
	}
	return sequences, nil
}

func requireReads(t testing.TB, reader *waits.Reader, want []uint64) {
	t.Helper()
	got, err := read(within(t), reader, len(want))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// requireNothing makes sure that nothing more is there to read.
func requireNothing(t testing.TB, reader *waits.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*glance)
	defer cancel()
	_, err := reader.Next(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// logBook keeps what is logged.
type logBook struct {
	mu    sync.Mutex
	lines []string
}

func (l *logBook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logBook) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logBook) WithGroup(string) slog.Handler            { return l }

func (l *logBook) Handle(_ context.Context, record slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, record.Message)
	return nil
}

func (l *logBook) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.lines {
		if line == message {
			n++
		}
	}
	return n
}
