package providertest

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/ordeal"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

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
					status := b.play(t, ordeal.Draw(t, 8))
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
	front    *ordeal.Front
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
	b.front, b.base = ordeal.NewFront(t, started.BaseURLs()[about.Server], nil)
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
func (b *effectsBundle) play(t *rapid.T, plan ordeal.Schedule) events.ToolStatus {
	b.accounts++
	account := "tenant_" + strconv.Itoa(b.accounts)
	opened, err := b.sandbox.Open(b.Server, sandbox.Account{Tenant: account})
	require.NoError(t, err)
	fields := credential(opened)
	b.front.Expect(nil)
	arguments := b.prepared(t, fields)
	b.front.Expect(plan.Fates)
	log := ordeal.NewDiary(t, "loja", b.Server)
	log.Begin(t, 1, &events.CallRequested{Tool: agent.ToolName(b.Server, b.Tool), Arguments: json.RawMessage(arguments)})
	doubted := false
	for life := 0; ; life++ {
		if b.live(t, log, fields, plan.Forgetful(life)) {
			break
		}
		require.Less(t, life, plan.Lives(), "it never ends")
		doubted = true // whatever it did, the next one cannot know
		log.Begin(t, life+2, nil)
	}
	doubted = doubted || slices.ContainsFunc(b.front.Seen(), ordeal.Fate.LeavesDoubt)
	returned := log.Outcome(t)
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
func (b *effectsBundle) live(t *rapid.T, log *ordeal.Diary, fields credential, forgets bool) bool {
	client := b.worker(t, fields)
	defer client.Close()
	loop, err := agent.New(agent.Config{Model: ordeal.NoModel{}, Catalogue: client, Provider: client, Grace: time.Nanosecond})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log.Revive(forgets)
	b.front.Killing(func() {
		log.Kill()
		cancel()
	})
	_, err = loop.Run(ctx, log.Scope(), log)
	return err == nil
}

func (b *effectsBundle) judge(t *rapid.T, account string, returned *events.ToolReturned, doubted bool) {
	effects := b.sandbox.Journal().Count(journal.Filter{Server: b.Server, Account: account, Effect: b.Effect})
	if b.Safety == agent.SafetyRead {
		effects = b.sandbox.Journal().Count(journal.Filter{Server: b.Server, Account: account})
	}
	told := []any{"%s: %+v after %v", returned.Status, returned.Error, b.front.Seen()}
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
