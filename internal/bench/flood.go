package bench

import (
	"context"
	"time"

	"github.com/feira-dev/feira/events"
)

// flood measures a quiet tenant with a short job every 20 ms alone, and then
// beside a tenant that has a flood of jobs, each doing nothing. A flood is over
// when its last job is served, and the next one comes until there are samples
// enough for a p99. The quiet tenant's requests count from the flood's first
// publication to its last job's end: who floods also publishes, and that is
// part of what the neighbour must bear. The same jobs in the same queue that
// nobody schedules show what a plain work queue makes of it.
func flood(ctx context.Context, w *world, report *Report) error {
	beats := max(int(w.config.Window/quietPeriod), 1)
	plain := w.newDeluge("raw", beats)
	err := w.aside(ctx, func(ctx context.Context, inner *world) error { return inner.plainFlood(ctx, plain) })
	if err != nil {
		return err
	}
	alone := newPulse(tenantID(0), "alone", beats, quietPeriod)
	beside := w.newDeluge("beside", 2*beats)
	if err := w.fairFlood(ctx, alone, beside); err != nil {
		return err
	}
	result := &Flood{
		AloneP99: milliseconds(alone.waits(), 0.99), AloneSamples: len(alone.waits()),
		FloodP50: milliseconds(beside.pulse.waits(), 0.5), FloodP99: milliseconds(beside.pulse.waits(), 0.99), FloodSamples: len(beside.pulse.waits()),
		Jobs: w.config.Flood, Floods: beside.floods, JobsPerSec: perSecond(beside.floods*w.config.Flood, beside.took),
		RawP50: milliseconds(plain.pulse.waits(), 0.5), RawP99: milliseconds(plain.pulse.waits(), 0.99), RawSamples: len(plain.pulse.waits()),
		RawJobsPerSec: perSecond(plain.floods*w.config.Flood, plain.took),
	}
	report.Flood = result
	report.traces.flood = []waits{
		{"Feira, alone", alone.waits()}, {"Feira, beside the flood", beside.pulse.waits()}, {"plain work queue, beside the flood", plain.pulse.waits()},
	}
	w.say("p99 alone %.3f ms, beside the flood %.3f ms (%d samples in %d floods), in a plain queue %.3f ms",
		result.AloneP99, result.FloodP99, result.FloodSamples, result.Floods, result.RawP99)
	return nil
}

// fairFlood serves both tenants through Feira.
func (w *world) fairFlood(ctx context.Context, alone *pulse, beside *deluge) error {
	w.settle(2, w.config.Slots)
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
	alone.send, beside.pulse.send = w.over(own), w.over(own)
	served := newTally(len(alone.sent))
	soft := job(served, func(ctx context.Context, _ events.Run) error { return work(ctx, quietJob) })
	loud := job(beside.drained, func(context.Context, events.Run) error { return nil })
	err = w.pool(ctx, b, w.config.Slots, func(ctx context.Context, run events.Run, deliveries int) error {
		if run.Tenant == beside.noisy {
			return loud(ctx, run, deliveries)
		}
		if !alone.started(run) {
			beside.pulse.started(run)
		}
		return soft(ctx, run, deliveries)
	})
	if err != nil {
		return err
	}
	if err := alone.beat(ctx, nil); err != nil {
		return err
	}
	if _, err := w.wait(ctx, served); err != nil {
		return err
	}
	return beside.run(ctx, w, 2*len(alone.sent), w.pour)
}

// plainFlood puts the same into the work queue itself. Its p99 is so far away
// that half the samples tell.
func (w *world) plainFlood(ctx context.Context, plain *deluge) error {
	queue, err := w.fifo(ctx)
	if err != nil {
		return err
	}
	plain.pulse.send = queue.send
	err = w.consume(ctx, w.config.Slots, func(ctx context.Context, run events.Run) error {
		if run.Tenant == plain.noisy {
			plain.drained.add(1)
			return nil
		}
		plain.pulse.started(run)
		return work(ctx, quietJob)
	})
	if err != nil {
		return err
	}
	enough := max(int(w.config.Window/quietPeriod/2), 1)
	return plain.run(ctx, w, enough, func(ctx context.Context, n int, whose func(int) (events.TenantID, events.SessionID)) (time.Duration, error) {
		return queue.fill(ctx, n, producers, whose)
	})
}
