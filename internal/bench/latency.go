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

// latency publishes 200 requests a second into an idle pool: first straight
// into the work queue, where a pool pulls them, then through Feira.
func latency(ctx context.Context, w *world, report *Report) error {
	var raw, through []time.Duration
	err := w.aside(ctx, func(ctx context.Context, inner *world) (err error) {
		queue, err := inner.fifo(ctx)
		if err != nil {
			return err
		}
		raw, err = inner.paced(ctx, queue.send, func(served *tally, noted func(events.Run)) error {
			return inner.consume(ctx, w.config.Slots, func(_ context.Context, run events.Run) error {
				noted(run)
				served.add(1)
				return nil
			})
		})
		return err
	})
	if err != nil {
		return err
	}
	w.settle(1, tenant.MaxConcurrency)
	through, err = w.paced(ctx, w.over(w.bus), func(served *tally, noted func(events.Run)) error {
		if _, _, err := w.lead(ctx, "latency"); err != nil {
			return err
		}
		b, err := w.connect(ctx)
		if err != nil {
			return err
		}
		return w.pool(ctx, b, w.config.Slots, job(served, func(_ context.Context, run events.Run) error {
			noted(run)
			return nil
		}))
	})
	if err != nil {
		return err
	}
	result := &Latency{
		P50: milliseconds(through, 0.5), P99: milliseconds(through, 0.99), P999: milliseconds(through, 0.999), Samples: len(through),
		RawP50: milliseconds(raw, 0.5), RawP99: milliseconds(raw, 0.99), RawSamples: len(raw),
	}
	result.P50Ratio = ratio(result.P50, result.RawP50)
	report.Latency = result
	report.traces.latency = []waits{{"Feira", through}, {"the work queue alone", raw}}
	w.say("p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms; raw: p50 %.3f ms, p99 %.3f ms",
		result.P50, result.P99, result.P999, result.RawP50, result.RawP99)
	return nil
}

// paced warms up what serve starts, and returns the waits of what is sent then.
func (w *world) paced(ctx context.Context, send sendFunc, serve func(served *tally, noted func(events.Run)) error) ([]time.Duration, error) {
	beats := max(int(w.config.Window/latencyPeriod), 1)
	warm, measured := newPulse(tenantID(0), "warm", warmUp, time.Millisecond), newPulse(tenantID(0), "s", beats, latencyPeriod)
	warm.send, measured.send = send, send
	served := newTally(warmUp + beats)
	err := serve(served, func(run events.Run) {
		if !measured.started(run) {
			warm.started(run)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := warm.beat(ctx, nil); err != nil {
		return nil, err
	}
	if err := measured.beat(ctx, nil); err != nil {
		return nil, err
	}
	_, err = w.wait(ctx, served)
	return measured.waits(), err
}
