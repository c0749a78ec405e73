package bench

import (
	"context"
	"runtime"
	"time"

	"github.com/feira-dev/feira/internal/tenant"
)

// scale holds a long queue of many tenants against the same queue of a
// hundred: what serving it costs, how long a fresh leader takes to index it,
// and how much memory the index takes.
func scale(ctx context.Context, w *world, report *Report) error {
	result := &Scale{Tenants: w.config.Tenants, Queued: w.config.Queued}
	few, err := open(ctx, w.config)
	if err != nil {
		return err
	}
	tenants := min(fewTenants, result.Tenants)
	result.RawFew, err = few.raw(ctx, min(w.config.Requests, w.config.Queued), tenants)
	if err == nil {
		err = few.serveQueue(ctx, tenants, func(*candidate, time.Duration) {}, &result.RunsFew, nil)
	}
	few.close(ctx)
	if err != nil {
		return err
	}
	if result.RawMany, err = w.raw(ctx, min(w.config.Requests, w.config.Queued), result.Tenants); err != nil {
		return err
	}
	return w.many(ctx, result, report)
}

func (w *world) many(ctx context.Context, result *Scale, report *Report) error {
	err := w.serveQueue(ctx, result.Tenants, func(c *candidate, took time.Duration) {
		result.RebuildSeconds = round(took.Seconds())
		held := heap()
		w.stop(ctx, c)
		result.BytesPerQueued = round((held - heap()) / float64(result.Queued))
	}, &result.RunsMany, &result.LoadedPerSecond)
	if err != nil {
		return err
	}
	result.RawRatio = ratio(result.RawMany, result.RawFew)
	result.RunsRatio = ratio(result.RunsMany, result.RunsFew)
	report.Scale = result
	w.say("runs a second: %.0f with %d tenants, %.0f with %d; index in %.2f s, %.0f bytes each",
		result.RunsMany, result.Tenants, result.RunsFew, min(fewTenants, result.Tenants), result.RebuildSeconds, result.BytesPerQueued)
	return nil
}

// serveQueue fills the queue, shows a first leader that only indexes it, and
// then measures how fast a second one serves its head, warm.
func (w *world) serveQueue(ctx context.Context, tenants int, indexed func(*candidate, time.Duration), rate, loaded *float64) error {
	w.settle(tenants, tenant.MaxConcurrency)
	took, err := w.fill(ctx, w.config.Queued, roundRobin(tenants))
	if err != nil {
		return err
	}
	if loaded != nil {
		*loaded = perSecond(w.config.Queued, took)
		first, rebuilt, err := w.lead(ctx, "indexer")
		if err != nil {
			return err
		}
		indexed(first, rebuilt)
	}
	if _, _, err := w.lead(ctx, "server"); err != nil {
		return err
	}
	n := min(w.config.Requests, w.config.Queued)
	warm := n / 10
	b, err := w.connect(ctx)
	if err != nil {
		return err
	}
	first, rest := newTally(max(warm, 1)), newTally(n)
	if err := w.pool(ctx, b, w.config.Slots, counting(job(rest, fetching(b)), first)); err != nil {
		return err
	}
	started, err := w.wait(ctx, first)
	if err != nil {
		return err
	}
	ended, err := w.wait(ctx, rest)
	if err != nil {
		return err
	}
	*rate = perSecond(n-warm, ended-started)
	return nil
}

// heap is what is in use after a collection.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
