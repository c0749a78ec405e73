package turns_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/workers/turns"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const acme = events.TenantID("tenant_acme")

// testBundle is a worker on a real broker. The model and the provider are
// functions, so that a test can hold them up; their real clients are tested
// where they are.
type testBundle struct {
	bus     *bus.Bus
	log     turns.Log
	model   func(ctx context.Context, prompt agent.Prompt) (agent.Reply, error)
	call    func(ctx context.Context, call agent.Call) agent.Result
	tenants map[events.TenantID]tenant.Tenant
	// testMode is the operator's flag.
	testMode bool

	mu   sync.Mutex
	sent []agent.Call
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	server := testenv.NATS(t)
	b, err := bus.Connect(t.Context(), bus.Config{URL: server.URL, User: server.User, Password: server.Password, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	drifts, err := b.Provision(t.Context(), bus.Topology{})
	require.NoError(t, err)
	require.Empty(t, drifts)
	return &testBundle{
		bus: b, log: b.Log(),
		tenants: map[events.TenantID]tenant.Tenant{acme: tenant.Tenant{ID: acme, Servers: []string{"stripe"}}.WithDefaults()},
		model: func(context.Context, agent.Prompt) (agent.Reply, error) {
			return agent.Reply{Model: "scripted", Text: "good day", FinishReason: "stop", Usage: events.TokenUsage{InputTokens: 4, OutputTokens: 2}}, nil
		},
	}
}

// holdModel makes the model's next reply wait: asked is closed when it is asked
// for, and closing answer lets it come.
func (b *testBundle) holdModel() (asked, answer chan struct{}) {
	asked, answer = make(chan struct{}), make(chan struct{})
	quick := b.model
	b.model = func(ctx context.Context, prompt agent.Prompt) (agent.Reply, error) {
		close(asked)
		<-answer
		return quick(ctx, prompt)
	}
	return asked, answer
}

func (b *testBundle) Reply(ctx context.Context, prompt agent.Prompt, _ func(string)) (agent.Reply, error) {
	return b.model(ctx, prompt)
}

func (b *testBundle) Tools(context.Context, agent.Reach) []agent.Tool { return nil }

func (b *testBundle) Safety(_ context.Context, _ agent.Reach, _, name string) (agent.Safety, bool) {
	if name == "create_refund" {
		return agent.SafetyUnsafe, true
	}
	return agent.SafetyRead, true
}

func (b *testBundle) Call(ctx context.Context, call agent.Call) agent.Result {
	b.mu.Lock()
	b.sent = append(b.sent, call)
	b.mu.Unlock()
	if b.call != nil {
		return b.call(ctx, call)
	}
	return agent.Result{Status: events.ToolOK, Output: `{}`, Attempts: 1}
}

func (b *testBundle) Lookup(context.Context, agent.Call) (agent.Result, bool) {
	return agent.Result{}, false
}

type directory struct{ *testBundle }

func (d directory) Lookup(_ context.Context, id tenant.ID) (tenant.Tenant, bool, error) {
	found, ok := d.tenants[id]
	return found, ok, nil
}

func (b *testBundle) worker(t require.TestingT, id string) *turns.Worker {
	loop, err := agent.New(agent.Config{Model: b, Catalogue: b, Provider: b, TestMode: b.testMode})
	require.NoError(t, err)
	worker, err := turns.New(turns.Config{
		ID: id, Requests: b.bus.Requests(), Log: b.log, Cemetery: b.bus.Dead(),
		Tenants: directory{b}, Loop: loop, Logger: slog.New(slog.DiscardHandler), TestMode: b.testMode,
	})
	require.NoError(t, err)
	return worker
}

// publish sends raw bytes as any NATS client could, and returns the run that a
// scheduler would grant for them.
func (b *testBundle) publish(t *testing.T, subject string, header events.Header, data []byte) events.Run {
	t.Helper()
	sequence, err := b.bus.Requests().Publish(t.Context(), events.Message{Subject: subject, Header: header, Data: data})
	require.NoError(t, err)
	head, _ := events.ParseRequestHead(events.Message{Subject: subject, Header: header, Sequence: sequence}, len(data))
	return events.Run{Tenant: head.Tenant, Session: head.Session, Kind: head.Kind, Sequence: sequence, Granted: time.Now()}
}

func (b *testBundle) ask(t *testing.T, session events.SessionID, id events.RequestID, text string) events.Run {
	t.Helper()
	data, err := json.Marshal(events.Request{Message: text})
	require.NoError(t, err)
	header := events.Header{}
	header.Set(events.HeaderSession, string(session))
	header.Set(events.HeaderID, string(id))
	return b.publish(t, events.RequestsSubject(acme), header, data)
}

func (b *testBundle) records(t require.TestingT, run events.Run) []events.Record {
	records, err := b.bus.Log().Load(context.Background(), run.Tenant, run.Session)
	require.NoError(t, err)
	return records
}

// write appends an event of req_1 to the log of ses_1, as somebody else would.
func (b *testBundle) write(t *testing.T, last uint64, event events.Event) uint64 {
	t.Helper()
	sequence, err := b.bus.Log().Append(t.Context(), session.Entry{Last: last, Event: event, Envelope: events.Envelope{
		ID: "elsewhere/" + string(event.EventType()), Source: events.SessionSource(acme, "ses_1"), Tenant: acme, Session: "ses_1", Request: "req_1", Time: time.Now(),
	}})
	require.NoError(t, err)
	return sequence
}

// story is a session's log in short.
func (b *testBundle) story(t *testing.T, run events.Run) []string {
	t.Helper()
	var story []string
	for _, record := range b.records(t, run) {
		switch event := record.Event.(type) {
		case *events.TurnStarted:
			story = append(story, "started "+strconv.Itoa(event.Attempt))
		case *events.ToolReturned:
			story = append(story, "tool "+string(event.Status))
		case *events.TurnCompleted:
			story = append(story, string(event.Status)+event.Reason)
		case *events.ModelReplied:
			story = append(story, "model")
		case *events.SessionOpened:
			story = append(story, "opened")
		}
	}
	return story
}

func (b *testBundle) requireGone(t *testing.T, run events.Run) {
	t.Helper()
	_, found, err := b.bus.Requests().Read(t.Context(), run.Sequence)
	require.NoError(t, err)
	require.False(t, found, "a request that has ended must not wait any more")
}

// requireServes asks something ordinary, for after a fault the next request
// must be served as if nothing had been.
func (b *testBundle) requireServes(t *testing.T, worker *turns.Worker) {
	t.Helper()
	run := b.ask(t, "afterwards", "", "hello")
	require.NoError(t, worker.Handle(t.Context(), run, 1))
	require.Equal(t, []string{"opened", "started 1", "model", "completed"}, b.story(t, run))
}
