package app

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/llm"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/workers/metering"
	"github.com/feira-dev/feira/workers/scheduling"
	"github.com/feira-dev/feira/workers/turns"
)

// newID makes a name that no other live process has.
func newID(prefix string) string { return prefix + "_" + strings.ToLower(rand.Text()[:12]) }

func buildScheduler(ctx context.Context, k *kit) (lifecycle.Part, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	leases, err := kv.Lease(ctx, natskv.LeaseConfig{})
	if err != nil {
		return nil, err
	}
	tenants, err := k.tenants(ctx)
	if err != nil {
		return nil, err
	}
	observer, err := k.watch()
	if err != nil {
		return nil, err
	}
	ender, err := k.ender(ctx)
	if err != nil {
		return nil, err
	}
	budgets, err := k.budgeting(ctx)
	if err != nil {
		return nil, err
	}
	return scheduling.New(scheduling.Config{
		Budgets: budgets, Questions: broker.Asks(), Observer: observer, WorkerSlots: k.cfg.Worker.Slots,
		ID: newID("sch"), Lease: schedulerLease(leases), Requests: broker.Requests(), Runs: broker.Runs(), Hints: broker.Hints(),
		Tenants: census{tenants: tenants, log: k.log}, Endings: ender, Logger: k.log, Now: k.now, Reconcile: k.cfg.Scheduler.Reconcile,
	})
}

func buildWorker(ctx context.Context, k *kit) (lifecycle.Part, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	tenants, err := k.tenants(ctx)
	if err != nil {
		return nil, err
	}
	registry := natskv.NewRegistry(tenants)
	deltas, err := k.deltas(broker.Hints())
	if err != nil {
		return nil, err
	}
	loop, err := k.loop(ctx, deltas)
	if err != nil {
		return nil, err
	}
	id := k.cfg.Worker.ID
	if id == "" {
		id = newID("wrk")
	}
	worker, err := turns.New(turns.Config{
		ID: id, Requests: broker.Requests(), Log: broker.Log(), Cemetery: broker.Dead(),
		Tenants: directory{live: registry, truth: tenants}, Loop: loop, Logger: k.log, Now: k.now, Trace: tracing(k.telemetry), TestMode: k.cfg.TestMode,
	})
	if err != nil {
		return nil, err
	}
	pool, err := broker.NewRunPool(bus.RunPoolConfig{Slots: k.cfg.Worker.Slots, Handler: worker.Handle, Correlate: telemetry.With, Logger: k.log})
	if err != nil {
		return nil, err
	}
	announcer := turns.NewAnnouncer(turns.AnnouncerConfig{
		ID: id, Slots: k.cfg.Worker.Slots, Busy: pool.Busy, Crier: broker.Hints(), Logger: k.log,
	})
	// It stops after the pool: until then an order may be for a run of it.
	listener := turns.NewListener(turns.ListenerConfig{Orders: broker.Hints(), Obey: worker.Obey, Logger: k.log})
	rewrapper, err := k.rewrapper(ctx)
	if err != nil {
		return nil, err
	}
	// Of these, the pool stops before what its runs need.
	group := lifecycle.NewGroup("worker", registry, rewrapper, listener, deltas, pool, announcer)
	return bounded{Part: group, within: k.cfg.Worker.SoftStop}, nil
}

// deltas makes the part that tells of the models' text as it arrives.
func (k *kit) deltas(teller turns.Teller) (*turns.Deltas, error) {
	return turns.NewDeltas(turns.DeltasConfig{Teller: teller, Logger: k.log})
}

// loop makes the agent loop with the model and the providers of this process.
func (k *kit) loop(ctx context.Context, deltas *turns.Deltas) (*agent.Loop, error) {
	offer, err := k.offer(ctx)
	if err != nil {
		return nil, err
	}
	m := k.cfg.Model
	model, err := llm.New(llm.Config{
		BaseURL: m.BaseURL, Key: m.Key, Model: m.Name, MaxOutputTokens: m.MaxOutputTokens,
		Timeout: m.Timeout, MaxElapsed: m.MaxElapsed, Logger: k.log,
	})
	if err != nil {
		return nil, err
	}
	cfg := agent.Config{Model: model, Catalogue: offer, Provider: offer, Now: k.now, TestMode: k.cfg.TestMode}
	if m.Deltas == config.DeltasOn {
		cfg.OnDelta = deltas.Hear
	}
	return agent.New(cfg)
}

func buildMeter(ctx context.Context, k *kit) (lifecycle.Part, error) {
	broker, err := k.broker(ctx)
	if err != nil {
		return nil, err
	}
	books, err := k.books(ctx)
	if err != nil {
		return nil, err
	}
	meter, err := metering.NewMeter(metering.MeterConfig{Log: broker.Log(), Publisher: broker.Usage(), Logger: k.log})
	if err != nil {
		return nil, err
	}
	counting, err := broker.NewBatches(bus.BatchConfig{
		Stream: events.StreamSessions, Durable: events.DurableMeter, Handler: meter.Handle, Logger: k.log,
	})
	if err != nil {
		return nil, err
	}
	writer, err := metering.NewWriter(metering.WriterConfig{Ledger: books, Logger: k.log})
	if err != nil {
		return nil, err
	}
	booking, err := broker.NewBatches(bus.BatchConfig{
		Stream: events.StreamUsage, Durable: events.DurableLedger, Stage: writer.Stage, Max: metering.WriterBatch, Logger: k.log,
	})
	if err != nil {
		return nil, err
	}
	cards, err := k.newCardCopy(ctx)
	if err != nil {
		return nil, err
	}
	parts := []lifecycle.Part{booking, counting}
	if cards != nil {
		parts = append(parts, cards.part(cardCopyEvery))
	}
	return lifecycle.NewGroup("meter", parts...), nil
}
