package bench

import (
	"context"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

const (
	quietPeriod = 20 * time.Millisecond
	quietJob    = 5 * time.Millisecond
	// maxFlood bounds how long the quiet tenant may be measured beside it.
	maxFlood = time.Minute
)

// flood measures a quiet tenant with a short job every 20 ms alone, and then
// beside a tenant that has a flood of jobs waiting, each doing nothing.
func flood(ctx context.Context, w *world, report *Report) error {
	w.settle(2, w.config.Slots)
	quiet, noisy := tenantID(0), tenantID(1)
	alone := newPulse(quiet, "alone", max(int(w.config.Window/quietPeriod), 1))
	beside := newPulse(quiet, "beside", int(maxFlood/quietPeriod))
	drained, calm := newTally(w.config.Flood), newTally(len(alone.sent))
	if _, _, err := w.lead(ctx, "flood"); err != nil {
		return err
	}
	b, err := w.connect(ctx)
	if err != nil {
		return err
	}
	own, err := w.connect(ctx) // the quiet tenant shares no connection with the flood
	if err != nil {
		return err
	}
	loud := job(drained, func(context.Context, events.Run) error { return nil })
	soft := job(calm, func(ctx context.Context, _ events.Run) error { return work(ctx, quietJob) })
	err = w.pool(ctx, b, w.config.Slots, func(ctx context.Context, run events.Run, deliveries int) error {
		if run.Tenant == noisy {
			return loud(ctx, run, deliveries)
		}
		if !alone.started(run) {
			beside.started(run)
		}
		return soft(ctx, run, deliveries)
	})
	if err != nil {
		return err
	}
	n, err := alone.beat(ctx, own, quietPeriod, nil)
	if err != nil {
		return err
	}
	if _, err := w.wait(ctx, calm); err != nil {
		return err
	}
	result := &Flood{AloneP99: milliseconds(alone.waits(n), 0.99), AloneSamples: len(alone.waits(n)), Jobs: w.config.Flood}
	if err := w.besideFlood(ctx, own, noise{tenant: noisy, drained: drained}, beside, result); err != nil {
		return err
	}
	report.Flood = result
	w.say("p99 alone %.3f ms, beside the flood %.3f ms", result.AloneP99, result.FloodP99)
	return nil
}

// noise is the tenant with the flood, and how much of that is served.
type noise struct {
	tenant  events.TenantID
	drained *tally
}

// besideFlood goes on with the quiet tenant's pace from the flood's first job
// to its last.
func (w *world) besideFlood(ctx context.Context, own *bus.Bus, noise noise, beside *pulse, result *Flood) error {
	over := make(chan struct{})
	var took time.Duration
	fault := make(chan error, 1)
	go func() {
		defer close(over)
		_, err := w.fill(ctx, w.config.Flood, func(i int) (events.TenantID, events.SessionID) {
			return noise.tenant, events.SessionID("f" + strconv.Itoa(i))
		})
		if err == nil {
			took, err = w.wait(ctx, noise.drained)
		}
		fault <- err
	}()
	noise.drained.begun = time.Now()
	n, err := beside.beat(ctx, own, quietPeriod, over)
	<-over
	if err != nil {
		return err
	}
	if err := <-fault; err != nil {
		return err
	}
	waits := beside.waits(n)
	result.FloodP99, result.FloodSamples = milliseconds(waits, 0.99), len(waits)
	result.JobsPerSec = perSecond(w.config.Flood, took)
	return nil
}
