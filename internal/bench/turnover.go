package bench

import (
	"context"
	"strconv"
	"sync/atomic"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/turns"
)

// turnsOfSession is how many turns each session has.
const turnsOfSession = 10

// prompt is a model that answers at once, for nothing, and a shop without
// tools.
type prompt struct{}

func (prompt) Reply(context.Context, agent.Prompt, func(string)) (agent.Reply, error) {
	return agent.Reply{Model: "none", Text: "good day", FinishReason: "stop", Usage: events.TokenUsage{InputTokens: 1, OutputTokens: 1}}, nil
}

func (prompt) Tools([]string) []agent.Tool { return nil }

func (prompt) Safety(string, string) (agent.Safety, bool) { return agent.SafetyRead, false }

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

// turnover runs empty turns through the real worker.
func turnover(ctx context.Context, w *world, report *Report) error {
	n := w.config.Turns
	w.settle(fewTenants, tenant.MaxConcurrency)
	sessions := max(n/turnsOfSession, 1)
	if _, err := w.fill(ctx, n, func(i int) (events.TenantID, events.SessionID) {
		in := i % sessions
		return tenantID(in % fewTenants), events.SessionID("s" + strconv.Itoa(in))
	}); err != nil {
		return err
	}
	var appends atomic.Int64
	served := newTally(n)
	c, err := w.scheduler(ctx, "turns")
	if err != nil {
		return err
	}
	if err := w.start(ctx, c); err != nil {
		return err
	}
	workers, err := w.connect(ctx)
	if err != nil {
		return err
	}
	worker, err := w.worker(workers, &appends)
	if err != nil {
		return err
	}
	if err := w.pool(ctx, workers, w.config.Slots, counting(worker.Handle, served)); err != nil {
		return err
	}
	took, err := w.wait(ctx, served)
	if err != nil {
		return err
	}
	report.Turns = &Turns{TurnsPerSecond: perSecond(n, took), AppendsPerSecond: perSecond(int(appends.Load()), took), Turns: n}
	w.say("%.0f turns a second, %.0f appends a second", report.Turns.TurnsPerSecond, report.Turns.AppendsPerSecond)
	return nil
}

func (w *world) worker(b *bus.Bus, appends *atomic.Int64) (*turns.Worker, error) {
	loop, err := agent.New(agent.Config{Model: prompt{}, Catalogue: prompt{}, Provider: prompt{}})
	if err != nil {
		return nil, err
	}
	return turns.New(turns.Config{
		ID: "bench-worker", Requests: b.Requests(), Log: countedLog{Log: b.Log(), appends: appends}, Cemetery: b.Dead(),
		Tenants: w, Loop: loop, Logger: w.config.Logger,
	})
}
