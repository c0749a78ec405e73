package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/session"
	domain "github.com/feira-dev/feira/internal/tenant"
)

// maxLives is how many workers die over a call at most, before one does not.
const maxLives = 4

// schedule is what happens to one call: the fates of its requests, and which
// workers die between an outcome and its writing down.
type schedule struct {
	fates  []fate
	forget []bool
}

func drawSchedule(t *rapid.T) schedule {
	return schedule{
		fates:  rapid.SliceOfN(rapid.SampledFrom(fates()), 0, 8).Draw(t, "fates"),
		forget: rapid.SliceOfN(rapid.Bool(), maxLives, maxLives).Draw(t, "forget"),
	}
}

// TestEffectsThroughRandomSchedules makes calls of each class through 200
// random schedules of broken connections, faults and dying workers, and lets
// the fake's journal judge: a key has one effect, a call without is sent once,
// and an outcome that nobody can know is written down as such.
func TestEffectsThroughRandomSchedules(t *testing.T) {
	t.Parallel()
	for name, about := range Subjects() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupEffects(t, about)
			met := map[string]int{}
			rapid.Check(t, func(t *rapid.T) { // a hundred times
				for range 2 {
					status := b.play(t, drawSchedule(t))
					met[string(status)]++
				}
			})
			require.GreaterOrEqual(t, met["ok"], 1)
			require.Equal(t, about.Safety == agent.SafetyRead, met["unknown"] == 0, "%v", met)
			t.Logf("%v", met)
		})
	}
}

// effectsBundle is one fake behind a front, with an account for each schedule.
type effectsBundle struct {
	Subject

	manifest provider.Manifest
	sandbox  *sandbox.Sandbox
	front    *front
	base     string
	accounts int
}

func setupEffects(t *testing.T, about Subject) *effectsBundle {
	t.Helper()
	started, err := sandbox.New(sandbox.Config{})
	require.NoError(t, err)
	require.NoError(t, started.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		require.NoError(t, started.Stop(ctx))
	})
	b := &effectsBundle{Subject: about, manifest: manifestOf(t, about.Server), sandbox: started}
	// Each worker reads its manifest anew: the other tools would take most of the time.
	b.manifest.Tools = slices.DeleteFunc(b.manifest.Tools, func(spec provider.ToolSpec) bool {
		return spec.Name != about.Tool && !slices.ContainsFunc(about.Prepare, func(step [2]string) bool { return step[0] == spec.Name })
	})
	b.front, b.base = newFront(t, started.BaseURLs()[about.Server])
	return b
}

// worker is a new process: nothing of the one before is left in it.
func (b *effectsBundle) worker(t *rapid.T, fields credential) *provider.Client {
	client, err := provider.New(provider.Config{
		Manifests: []provider.Manifest{b.manifest}, Credentials: fields, BaseURLs: map[string]string{b.Server: b.base},
		RetryWait: time.Microsecond, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	require.NoError(t, err)
	return client
}

// play runs one call through a schedule and judges how it ended.
func (b *effectsBundle) play(t *rapid.T, plan schedule) events.ToolStatus {
	b.accounts++
	account := "tenant_" + strconv.Itoa(b.accounts)
	opened, err := b.sandbox.Open(b.Server, sandbox.Account{Tenant: account})
	require.NoError(t, err)
	fields := credential(opened)
	b.front.expect(nil)
	arguments := b.prepared(t, fields)
	b.front.expect(plan.fates)
	log := newDiary(t, b.Server)
	log.begin(t, 1, &events.CallRequested{Tool: agent.ToolName(b.Server, b.Tool), Arguments: json.RawMessage(arguments)})
	doubted := false
	for life := 0; ; life++ {
		if b.live(t, log, fields, life < maxLives && plan.forget[life]) {
			break
		}
		require.Less(t, life, maxLives+len(plan.fates), "it never ends")
		doubted = true // whatever it did, the next one cannot know
		log.begin(t, life+2, nil)
	}
	doubted = doubted || slices.ContainsFunc(b.front.seen(), fate.leavesDoubt)
	returned := log.outcome(t)
	b.judge(t, account, returned, doubted)
	return returned.Status
}

// prepared makes what the call is about, and gives its arguments.
func (b *effectsBundle) prepared(t *rapid.T, fields credential) string {
	client := b.worker(t, fields)
	defer client.Close()
	id := ""
	within := func(text string) string { return strings.ReplaceAll(text, "%s", id) }
	for _, step := range b.Prepare {
		result := client.Call(context.Background(), agent.Call{
			Tenant: "loja", Environment: events.EnvironmentTest, Server: b.Server, Tool: step[0], Arguments: json.RawMessage(within(step[1])), Key: step[0],
		})
		require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
		var made struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(result.Output), &made))
		id = made.ID
	}
	return within(b.Arguments)
}

// live is the life of one worker; false when it died before the end.
func (b *effectsBundle) live(t *rapid.T, log *diary, fields credential, forgets bool) bool {
	client := b.worker(t, fields)
	defer client.Close()
	loop, err := agent.New(agent.Config{Model: noModel{}, Catalogue: client, Provider: client, Grace: time.Nanosecond})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log.revive(forgets)
	b.front.killing(func() {
		log.kill()
		cancel()
	})
	_, err = loop.Run(ctx, log.scope(b.Server), log)
	return err == nil
}

func (b *effectsBundle) judge(t *rapid.T, account string, returned *events.ToolReturned, doubted bool) {
	effects := b.sandbox.Journal().Count(journal.Filter{Server: b.Server, Account: account, Effect: b.Effect})
	if b.Safety == agent.SafetyRead {
		effects = b.sandbox.Journal().Count(journal.Filter{Server: b.Server, Account: account})
	}
	told := []any{"%s: %+v after %v", returned.Status, returned.Error, b.front.seen()}
	require.LessOrEqual(t, effects, 1, told...)
	switch returned.Status {
	case events.ToolOK:
		require.Equal(t, b.Safety != agent.SafetyRead, effects == 1, told...)
	case events.ToolError, events.ToolRefused:
		require.Zero(t, effects, told...)
	case events.ToolUnknown:
		require.Equal(t, events.FaultOutcomeUnknown, returned.Error.Code, told...)
		require.NotEqual(t, agent.SafetyRead, b.Safety, told...)
		require.True(t, doubted, told...)
	}
	if b.Safety != agent.SafetyUnsafe || !doubted {
		return
	}
	// What is sent once and in doubt is unknown, unless it is found again.
	if b.Traced {
		require.False(t, effects == 1 && returned.Status != events.ToolOK && returned.Status != events.ToolUnknown, told...)
		return
	}
	require.Equal(t, events.ToolUnknown, returned.Status, told...)
}

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

func newDiary(t *rapid.T, server string) *diary {
	made := &diary{state: session.New("loja", "ses_1")}
	require.NoError(t, made.write(&events.SessionOpened{Servers: []string{server}, Environment: events.EnvironmentTest}))
	return made
}

func (d *diary) begin(t *rapid.T, attempt int, call *events.CallRequested) {
	require.NoError(t, d.write(&events.TurnStarted{Kind: events.KindCall, Attempt: attempt, Worker: "w" + strconv.Itoa(attempt), Call: call, RequestSequence: 1}))
}

func (d *diary) scope(server string) agent.Scope {
	return agent.Scope{Tenant: domain.Tenant{ID: "loja", Servers: []string{server}}.WithDefaults(), State: d.state}
}

// Turn implements [agent.Journal].
func (d *diary) Turn() *session.Turn {
	turn, _ := d.state.Turn(diaryRequest)
	return turn
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

// Decide implements [agent.Journal].
func (d *diary) Decide(ctx context.Context, decide func() events.Event) error {
	return d.Append(ctx, decide())
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
