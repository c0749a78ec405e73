package bench

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/turns"
)

const (
	// turnsOfSession is how many turns each session has.
	turnsOfSession = 10
	// factsOfTurn is how many facts an empty turn appends.
	factsOfTurn = 3
)

// prompt is a model that answers at once, for nothing, in one piece of text that
// nobody listens to, and a shop without tools.
type prompt struct{}

func (prompt) Reply(_ context.Context, _ agent.Prompt, onDelta func(string)) (agent.Reply, error) {
	onDelta("good day")
	return agent.Reply{Model: "none", Text: "good day", FinishReason: "stop", Usage: events.TokenUsage{InputTokens: 1, OutputTokens: 1}}, nil
}

func (prompt) Tools(context.Context, agent.Reach) []agent.Tool { return nil }

func (prompt) Safety(context.Context, agent.Reach, string, string) (agent.Safety, bool) {
	return agent.SafetyRead, false
}

func (prompt) Call(context.Context, agent.Call) agent.Result {
	return agent.Result{Status: events.ToolOK, Output: `{}`, Attempts: 1}
}

func (prompt) Lookup(context.Context, agent.Call) (agent.Result, bool) { return agent.Result{}, false }

// Lookup implements turns.Tenants.
func (w *world) Lookup(_ context.Context, id tenant.ID) (tenant.Tenant, bool, error) {
	return tenant.Tenant{ID: id, Servers: []string{"stripe"}}.WithDefaults(), true, nil
}

// countedLog counts the facts that are stored.
type countedLog struct {
	*bus.Log

	appends *atomic.Int64
}

func (l countedLog) Append(ctx context.Context, entry session.Entry) (uint64, error) {
	sequence, err := l.Log.Append(ctx, entry)
	if err == nil {
		l.appends.Add(1)
	}
	return sequence, err
}

// turnover runs empty turns through the real worker, beside the same number of
// facts appended without one.
func turnover(ctx context.Context, w *world, report *Report) error {
	result := &Turns{Turns: w.config.Turns}
	var cpu, appends []float64
	err := w.rounds(func() error {
		return w.aside(ctx, func(ctx context.Context, inner *world) error {
			raw, err := inner.rawAppends(ctx, factsOfTurn*result.Turns)
			if err != nil {
				return err
			}
			turned, appended, burnt, err := inner.turn(ctx, result.Turns)
			result.TurnsAll, result.RawAll = append(result.TurnsAll, turned), append(result.RawAll, raw)
			appends, cpu = append(appends, appended), append(cpu, burnt)
			return err
		})
	})
	if err != nil {
		return err
	}
	result.TurnsPerSecond, result.AppendsPerSecond, result.RawAppends = median(result.TurnsAll), median(appends), median(result.RawAll)
	result.Ratio, result.CPU = ratio(result.AppendsPerSecond, result.RawAppends), median(cpu)
	report.Turns = result
	return nil
}

// rawAppends measures fenced appends by as many writers as publish at one
// time, each in its own sessions, which nobody runs a turn of.
func (w *world) rawAppends(ctx context.Context, n int) (float64, error) {
	facts := factsOfTurn * turnsOfSession
	sessions := max(n/facts, 1)
	begun := time.Now()
	err := each(ctx, sessions, func(ctx context.Context, i int) error {
		var last uint64
		for n := range facts {
			var err error
			if last, err = w.bus.Log().Append(ctx, fact(i, n, last)); err != nil {
				return err
			}
		}
		return nil
	})
	rate := perSecond(sessions*facts, time.Since(begun))
	w.say("raw: %.0f fenced appends a second", rate)
	return rate, err
}

// fact is the n-th of a session.
func fact(i, n int, last uint64) session.Entry {
	id, name := tenantID(i%fewTenants), events.SessionID("raw"+strconv.Itoa(i))
	return session.Entry{
		Last: last,
		Envelope: events.Envelope{
			ID: strconv.Itoa(n), Source: events.SessionSource(id, name), Type: events.TypeModelReplied,
			Time: time.Now(), Tenant: id, Session: name, Request: "raw",
		},
		Event: &events.ModelReplied{Iteration: n + 1, Model: "none", Text: "good day", FinishReason: "stop"},
	}
}

// turn measures n turns from the scheduler's start: turns and appends a second,
// and what a turn cost of processor time.
func (w *world) turn(ctx context.Context, n int) (turned, appended, burnt float64, err error) {
	w.settle(fewTenants, tenant.MaxConcurrency)
	sessions := max(n/turnsOfSession, 1)
	if _, err := w.fill(ctx, n, func(i int) (events.TenantID, events.SessionID) {
		in := i % sessions
		return tenantID(in % fewTenants), events.SessionID("s" + strconv.Itoa(in))
	}); err != nil {
		return 0, 0, 0, err
	}
	var appends atomic.Int64
	c, err := w.scheduler(ctx, "turns")
	if err != nil {
		return 0, 0, 0, err
	}
	workers, err := w.connect(ctx)
	if err != nil {
		return 0, 0, 0, err
	}
	worker, err := w.worker(ctx, workers, &appends)
	if err != nil {
		return 0, 0, 0, err
	}
	var took time.Duration
	burnt, err = ofCPU(n, func() (err error) {
		served := newTally(n)
		if err := w.start(ctx, c); err != nil {
			return err
		}
		if err := w.pool(ctx, workers, w.config.Slots, counting(worker.Handle, served)); err != nil {
			return err
		}
		took, err = w.wait(ctx, served)
		return err
	})
	turned, appended = perSecond(n, took), perSecond(int(appends.Load()), took)
	w.say("%.0f turns a second, %.0f appends a second, %.0f µs of the processor each turn", turned, appended, burnt)
	return turned, appended, burnt, err
}

func (w *world) worker(ctx context.Context, b *bus.Bus, appends *atomic.Int64) (*turns.Worker, error) {
	deltas, err := turns.NewDeltas(turns.DeltasConfig{Teller: b.Hints(), Logger: w.config.Logger})
	if err != nil {
		return nil, err
	}
	if err := w.start(ctx, deltas); err != nil {
		return nil, err
	}
	loop, err := agent.New(agent.Config{Model: prompt{}, Catalogue: prompt{}, Provider: prompt{}, OnDelta: deltas.Hear})
	if err != nil {
		return nil, err
	}
	return turns.New(turns.Config{
		ID: "bench-worker", Requests: b.Requests(), Log: countedLog{Log: b.Log(), appends: appends}, Cemetery: b.Dead(),
		Tenants: w, Loop: loop, Logger: w.config.Logger,
	})
}
