package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/tenant"
)

const (
	fewTenants = 100
	// pullers is how many consumers acknowledge in batches at one time, so that
	// the broker always has one to serve.
	pullers    = 2
	pulled     = 500
	grantSlots = 2048
	rawWindow  = 4096 // runs on their way while a queue is laid out
)

// throughput measures the same number of messages three times: acknowledged
// without a scheduler, acknowledged as granted, and served as a worker does.
func throughput(ctx context.Context, w *world, report *Report) error {
	result := &Throughput{Requests: w.config.Requests}
	var cpu []float64
	err := w.rounds(func() error {
		err := w.aside(ctx, func(ctx context.Context, inner *world) error { return inner.beside(ctx, result) })
		if err != nil {
			return err
		}
		return w.aside(ctx, func(ctx context.Context, inner *world) error {
			inner.settle(fewTenants, tenant.MaxConcurrency)
			runs, burnt, err := inner.runs(ctx, result.Requests)
			result.RunsAll, cpu = append(result.RunsAll, runs), append(cpu, burnt)
			return err
		})
	})
	if err != nil {
		return err
	}
	result.GrantsPerSecond, result.RunsPerSecond, result.RawPerSecond = median(result.GrantsAll), median(result.RunsAll), median(result.RawAll)
	result.Ratio, result.CPU = ratio(result.GrantsPerSecond, result.RawPerSecond), median(cpu)
	report.Throughput = result
	return nil
}

// beside measures raw consumption and then grants, on one broker.
func (w *world) beside(ctx context.Context, result *Throughput) error {
	w.settle(fewTenants, tenant.MaxConcurrency)
	raw, err := w.raw(ctx, result.Requests, fewTenants)
	if err != nil {
		return err
	}
	grants, err := w.grants(ctx, result.Requests)
	result.RawAll, result.GrantsAll = append(result.RawAll, raw), append(result.GrantsAll, grants)
	return err
}

// raw lays out n runs of so many tenants and measures how fast they are pulled
// and acknowledged.
func (w *world) raw(ctx context.Context, n, tenants int) (float64, error) {
	queue, err := w.fifo(ctx)
	if err != nil {
		return 0, err
	}
	took, err := queue.fill(ctx, n, min(rawWindow, n), roundRobin(tenants))
	if err != nil {
		return 0, err
	}
	w.say("%.0f fenced grants a second laid out", perSecond(n, took))
	acked := newTally(n)
	stop, err := w.acknowledge(ctx, acked, nil)
	if err != nil {
		return 0, err
	}
	took, err = w.wait(ctx, acked)
	stop(ctx)
	rate := perSecond(n, took)
	w.say("raw: %.0f a second", rate)
	return rate, err
}

// acknowledge starts consumers that do nothing with runs but acknowledge them,
// and have the broker tell a scheduler of it where there is one.
func (w *world) acknowledge(ctx context.Context, acked *tally, confirm func(events.Message) string) (stop func(context.Context), err error) {
	var stops []func(context.Context)
	for i := range pullers {
		b, err := w.connect(ctx)
		if err != nil {
			return nil, err
		}
		part, err := b.NewBatches(bus.BatchConfig{
			Name: fmt.Sprintf("acknowledger %d", i), Stream: events.StreamRuns, Durable: events.DurableWorkers,
			Max: pulled, MaxWait: time.Millisecond, Idle: pullExpiry, Logger: w.config.Logger,
			Confirm: confirm,
			Handler: func(_ context.Context, batch []events.Message) error {
				acked.add(len(batch))
				return nil
			},
		})
		if err != nil {
			return nil, err
		}
		if err := w.start(ctx, part); err != nil {
			return nil, err
		}
		stops = append(stops, func(ctx context.Context) { w.stop(ctx, part) })
	}
	return func(ctx context.Context) {
		for _, stop := range stops {
			stop(ctx)
		}
	}, nil
}

// ended is where the scheduler hears of a run's end.
func ended(message events.Message) string {
	run, _ := events.ParseRun(message) // the scheduler's own
	return events.RunEnded{Tenant: run.Tenant, Sequence: run.Sequence}.Subject()
}

// grants measures scheduling alone, from the scheduler's start.
func (w *world) grants(ctx context.Context, n int) (float64, error) {
	if _, err := w.fill(ctx, n, roundRobin(fewTenants)); err != nil {
		return 0, err
	}
	acked := newTally(n)
	stop, err := w.acknowledge(ctx, acked, ended)
	if err != nil {
		return 0, err
	}
	defer stop(ctx)
	c, err := w.scheduler(ctx, "grants")
	if err != nil {
		return 0, err
	}
	acked.begun = time.Now()
	if err := w.start(ctx, c); err != nil {
		return 0, err
	}
	if err := w.announce(ctx, w.bus, grantSlots, func() int { return 0 }); err != nil {
		return 0, err
	}
	took, err := w.wait(ctx, acked)
	rate := perSecond(n, took)
	w.say("grants: %.0f a second", rate)
	return rate, err
}

// runs measures runs without a model, from the scheduler's start, and what
// each cost of processor time.
func (w *world) runs(ctx context.Context, n int) (rate, burnt float64, err error) {
	if _, err := w.fill(ctx, n, roundRobin(fewTenants)); err != nil {
		return 0, 0, err
	}
	c, err := w.scheduler(ctx, "runs")
	if err != nil {
		return 0, 0, err
	}
	b, err := w.connect(ctx)
	if err != nil {
		return 0, 0, err
	}
	var took time.Duration
	burnt, err = ofCPU(n, func() (err error) {
		served := newTally(n)
		if err := w.start(ctx, c); err != nil {
			return err
		}
		if err := w.pool(ctx, b, w.config.Slots, job(served, fetching(b))); err != nil {
			return err
		}
		took, err = w.wait(ctx, served)
		return err
	})
	rate = perSecond(n, took)
	w.say("runs: %.0f a second, %.0f µs of the processor each", rate, burnt)
	return rate, burnt, err
}

// fetching reads the request, as a worker does.
func fetching(b *bus.Bus) func(ctx context.Context, run events.Run) error {
	return func(ctx context.Context, run events.Run) error {
		_, _, err := b.Requests().Read(ctx, run.Sequence)
		return err
	}
}

// takeAway acknowledges whatever is left in RUNS.
func (w *world) takeAway(ctx context.Context) error {
	places, err := w.bus.Runs().Places(ctx)
	if err != nil || len(places) == 0 {
		return err
	}
	acked := newTally(len(places))
	stop, err := w.acknowledge(ctx, acked, nil)
	if err != nil {
		return err
	}
	defer stop(ctx)
	_, err = w.wait(ctx, acked)
	return err
}
