package ordeal

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

// Diary is the log of one session, in which a dead worker writes no more.
type Diary struct {
	mu      sync.Mutex
	state   *session.State
	owner   tenant.Tenant
	log     []events.Event
	dead    bool
	forgets bool
}

const diaryRequest = "req_1"

var errDead = errors.New("the worker is dead")

// NoModel is for calls, which ask no model.
type NoModel struct{}

// Reply implements [agent.Model].
func (NoModel) Reply(context.Context, agent.Prompt, func(string)) (agent.Reply, error) {
	return agent.Reply{}, errors.New("a call needs no model")
}

// NewDiary opens a session of the tenant with the servers.
func NewDiary(t *rapid.T, owner tenant.ID, servers ...string) *Diary {
	made := &Diary{state: session.New(owner, "ses_1"), owner: tenant.Tenant{ID: owner, Servers: servers}.WithDefaults()}
	require.NoError(t, made.write(&events.SessionOpened{Servers: servers, Environment: events.EnvironmentTest}))
	return made
}

// Begin starts an attempt at the call, which only the first one names.
func (d *Diary) Begin(t *rapid.T, attempt int, call *events.CallRequested) {
	require.NoError(t, d.write(&events.TurnStarted{Kind: events.KindCall, Attempt: attempt, Worker: "w" + strconv.Itoa(attempt), Call: call, RequestSequence: 1}))
}

// Scope is what a worker runs in.
func (d *Diary) Scope() agent.Scope {
	return agent.Scope{Tenant: d.owner, State: d.state}
}

// Turn implements [agent.Journal].
func (d *Diary) Turn() *session.Turn {
	turn, _ := d.state.Turn(diaryRequest)
	return turn
}

// Decide implements [agent.Journal].
func (d *Diary) Decide(ctx context.Context, decide func() events.Event) error {
	return d.Append(ctx, decide())
}

// Append implements [agent.Journal].
func (d *Diary) Append(_ context.Context, event events.Event) error {
	d.mu.Lock()
	dead := d.dead || d.forgets
	d.mu.Unlock()
	if dead {
		return errDead
	}
	return d.write(event)
}

func (d *Diary) write(event events.Event) error {
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

// Revive has a new worker write, one that forgets or not.
func (d *Diary) Revive(forgets bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead, d.forgets = false, forgets
}

// Kill has the worker that lives write no more.
func (d *Diary) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

// Outcome is the one that is written down.
func (d *Diary) Outcome(t *rapid.T) *events.ToolReturned {
	var written []*events.ToolReturned
	for _, event := range d.log {
		if returned, ok := event.(*events.ToolReturned); ok {
			written = append(written, returned)
		}
	}
	require.Len(t, written, 1)
	return written[0]
}
