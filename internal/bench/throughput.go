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
	rawWindow  = 4096 // grants on their way while raw runs are laid out
)

// throughput measures the same number of messages three times: acknowledged
// without a scheduler, acknowledged as granted, and served as a worker does.
func throughput(ctx context.Context, w *world, report *Report) error {
	n := w.config.Requests
	w.settle(fewTenants, tenant.MaxConcurrency)
	raw, err := w.raw(ctx, n)
	if err != nil {
		return err
	}
	grants, err := w.grants(ctx, n)
	if err != nil {
		return err
	}
	inner, err := open(ctx, w.config)
	if err != nil {
		return err
	}
	defer inner.close(ctx)
	inner.settle(fewTenants, tenant.MaxConcurrency)
	runs, err := inner.runs(ctx, n)
	if err != nil {
		return err
	}
	report.Throughput = &Throughput{GrantsPerSecond: grants, RunsPerSecond: runs, RawPerSecond: raw, Ratio: ratio(grants, raw), Requests: n}
	return nil
}

// raw lays out n runs and measures how fast they are pulled and acknowledged.
func (w *world) raw(ctx context.Context, n int) (float64, error) {
	_, last, err := w.bus.Runs().Outstanding(ctx)
	if err != nil {
		return 0, err
	}
	window, stored := make(chan struct{}, rawWindow), newTally(n)
	whose := roundRobin(fewTenants)
	for i := range n {
		window <- struct{}{}
		id, session := whose(i)
		run := events.Run{Tenant: id, Session: session, Kind: events.KindTurn, Sequence: uint64(i) + 1, Granted: time.Now()}
		err := w.bus.Runs().Grant(run, last+uint64(i), func(_ uint64, err error) {
			if err == nil {
				stored.add(1)
			}
			<-window
		})
		if err != nil {
			return 0, err
		}
	}
	took, err := w.wait(ctx, stored)
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
// and tell the scheduler of it where hints are given.
func (w *world) acknowledge(ctx context.Context, acked *tally, hints *bus.Hints) (stop func(context.Context), err error) {
	var stops []func(context.Context)
	for i := range pullers {
		b, err := w.connect(ctx)
		if err != nil {
			return nil, err
		}
		part, err := b.NewBatches(bus.BatchConfig{
			Name: fmt.Sprintf("acknowledger %d", i), Stream: events.StreamRuns, Durable: events.DurableWorkers,
			Max: pulled, MaxWait: time.Millisecond, Idle: pullExpiry, Logger: w.config.Logger,
			Handler: func(_ context.Context, batch []events.Message) error {
				acked.add(len(batch))
				return tell(hints, batch)
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

// tell gives the hint a little before the acknowledgement, which does no harm:
// no two of these requests want the same place.
func tell(hints *bus.Hints, batch []events.Message) error {
	if hints == nil {
		return nil
	}
	for _, message := range batch {
		run, err := events.ParseRun(message)
		if err != nil {
			return err
		}
		if err := hints.RunEnded(events.RunEnded{Tenant: run.Tenant, Sequence: run.Sequence}); err != nil {
			return err
		}
	}
	return nil
}

// grants measures scheduling alone, from the scheduler's start.
func (w *world) grants(ctx context.Context, n int) (float64, error) {
	if _, err := w.fill(ctx, n, roundRobin(fewTenants)); err != nil {
		return 0, err
	}
	acked := newTally(n)
	stop, err := w.acknowledge(ctx, acked, w.bus.Hints())
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

// runs measures runs without a model, from the scheduler's start.
func (w *world) runs(ctx context.Context, n int) (float64, error) {
	if _, err := w.fill(ctx, n, roundRobin(fewTenants)); err != nil {
		return 0, err
	}
	c, err := w.scheduler(ctx, "runs")
	if err != nil {
		return 0, err
	}
	served := newTally(n)
	if err := w.start(ctx, c); err != nil {
		return 0, err
	}
	b, err := w.connect(ctx)
	if err != nil {
		return 0, err
	}
	if err := w.pool(ctx, b, w.config.Slots, job(served, fetching(b))); err != nil {
		return 0, err
	}
	took, err := w.wait(ctx, served)
	rate := perSecond(n, took)
	w.say("runs: %.0f a second", rate)
	return rate, err
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
