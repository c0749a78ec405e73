package bench

import (
	"context"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

const (
	latencyPeriod = 5 * time.Millisecond
	// warmUp is how many requests are served before anything is measured.
	warmUp = 200
)

// latency publishes 200 requests a second into an idle pool.
func latency(ctx context.Context, w *world, report *Report) error {
	w.settle(1, tenant.MaxConcurrency)
	beats := max(int(w.config.Window/latencyPeriod), 1)
	warm, measured := newPulse(tenantID(0), "warm", warmUp), newPulse(tenantID(0), "s", beats)
	served := newTally(warmUp + beats)
	if _, _, err := w.lead(ctx, "latency"); err != nil {
		return err
	}
	b, err := w.connect(ctx)
	if err != nil {
		return err
	}
	err = w.pool(ctx, b, w.config.Slots, job(served, func(_ context.Context, run events.Run) error {
		if !measured.started(run) {
			warm.started(run)
		}
		return nil
	}))
	if err != nil {
		return err
	}
	if _, err := warm.beat(ctx, w.bus, time.Millisecond, nil); err != nil {
		return err
	}
	if _, err := measured.beat(ctx, w.bus, latencyPeriod, nil); err != nil {
		return err
	}
	if _, err := w.wait(ctx, served); err != nil {
		return err
	}
	waits := measured.waits(beats)
	report.Latency = &Latency{P50: milliseconds(waits, 0.5), P99: milliseconds(waits, 0.99), P999: milliseconds(waits, 0.999), Samples: len(waits)}
	w.say("p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms", report.Latency.P50, report.Latency.P99, report.Latency.P999)
	return nil
}
