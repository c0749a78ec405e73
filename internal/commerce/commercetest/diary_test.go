package commercetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// diary is the log of one session, in which a dead worker writes no more.
type diary struct {
	mu      sync.Mutex
	state   *session.State
	log     []events.Event
	dead    bool
	forgets bool
}

const diaryRequest = "req_1"

var errDead = errors.New("the worker is dead")

type noModel struct{}

// Reply implements [agent.Model].
func (noModel) Reply(context.Context, agent.Prompt, func(string)) (agent.Reply, error) {
	return agent.Reply{}, errors.New("a call needs no model")
}

func newDiary(t *rapid.T, servers []string) *diary {
	made := &diary{state: session.New(shop, "ses_1")}
	require.NoError(t, made.write(&events.SessionOpened{Servers: servers, Environment: events.EnvironmentTest}))
	return made
}

func (d *diary) begin(t *rapid.T, attempt int, call *events.CallRequested) {
	require.NoError(t, d.write(&events.TurnStarted{Kind: events.KindCall, Attempt: attempt, Worker: "w" + strconv.Itoa(attempt), Call: call, RequestSequence: 1}))
}

func (d *diary) scope(servers []string) agent.Scope {
	return agent.Scope{Tenant: tenant.Tenant{ID: shop, Servers: servers}.WithDefaults(), State: d.state}
}

// Turn implements [agent.Journal].
func (d *diary) Turn() *session.Turn {
	turn, _ := d.state.Turn(diaryRequest)
	return turn
}

// Decide implements [agent.Journal].
func (d *diary) Decide(ctx context.Context, decide func() events.Event) error {
	return d.Append(ctx, decide())
}

// Append implements [agent.Journal].
func (d *diary) Append(_ context.Context, event events.Event) error {
	d.mu.Lock()
	dead := d.dead || d.forgets
	d.mu.Unlock()
	if dead {
		return errDead
	}
	return d.write(event)
}

func (d *diary) write(event events.Event) error {
	if err := event.Validate(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = append(d.log, event)
	return d.state.Apply(events.Record{
		Sequence: d.state.Last + 1, Event: event, Envelope: events.Envelope{Request: diaryRequest, Type: event.EventType(), Time: time.Now()},
	})
}

func (d *diary) revive(forgets bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead, d.forgets = false, forgets
}

func (d *diary) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

// outcome is the one that is written down.
func (d *diary) outcome(t *rapid.T) *events.ToolReturned {
	var written []*events.ToolReturned
	for _, event := range d.log {
		if returned, ok := event.(*events.ToolReturned); ok {
			written = append(written, returned)
		}
	}
	require.Len(t, written, 1)
	return written[0]
}
