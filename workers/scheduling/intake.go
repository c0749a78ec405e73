package scheduling

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
	"github.com/feira-dev/feira/internal/tenant"
)

// Limits of a tenant that the registry does not know: its requests are granted
// one by one, to be refused by a worker.
var unknownLimits = fair.Limits{Concurrency: 1, Weight: 1}

func (l *leader) listen(ctx context.Context) error {
	err := l.cfg.Hints.WatchRunEnded(ctx, func(ended events.RunEnded) {
		select {
		case l.ended <- ended:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return fmt.Errorf("listening for ended runs: %w", err)
	}
	err = l.cfg.Hints.WatchControl(ctx, func(_ events.TenantID, _ events.SessionID, order events.Control) {
		select {
		case l.orders <- order:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return fmt.Errorf("listening to orders: %w", err)
	}
	err = l.cfg.Tenants.Watch(ctx, func(customer tenant.Tenant, live bool) {
		select {
		case l.changes <- change{customer: customer, live: live}:
		case <-ctx.Done():
		}
	})
	if err != nil {
		return fmt.Errorf("watching tenants: %w", err)
	}
	return nil
}

func (l *leader) deliver(ctx context.Context) func([]events.Headline, bool) error {
	return func(heads []events.Headline, caughtUp bool) error {
		select {
		case l.batches <- batch{heads: heads, caughtUp: caughtUp}:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// take puts requests into the index.
func (l *leader) take(ctx context.Context, b batch) {
	now := l.cfg.Now()
	for _, headline := range b.heads {
		// A head at fault is good enough to be granted; the worker finds the
		// fault again and refuses aloud.
		head, _ := events.ParseRequestHead(headline.Message, headline.Size)
		l.arrivals.note(head.Sequence, head.Received)
		if _, running := l.running[head.Sequence]; running {
			continue
		}
		request := fair.Request{
			Tenant: head.Tenant, Session: head.Session, Kind: head.Kind, Priority: head.Priority,
			Sequence: head.Sequence, NotBefore: head.NotBefore, Expires: head.Expires,
		}
		if _, known := l.known[head.Tenant]; !known {
			l.limit(ctx, head.Tenant, unknownLimits)
		}
		switch err := l.queue.Push(request, now); {
		case err == nil, errors.Is(err, fair.ErrDuplicate):
		case errors.Is(err, fair.ErrBacklogFull):
			l.overflow(request)
		default:
			l.cfg.Logger.ErrorContext(ctx, "a request cannot be queued", "tenant", head.Tenant, "sequence", head.Sequence, "error", err)
		}
	}
	if b.caughtUp && !l.caughtUp {
		l.caughtUp = true
		l.cfg.Logger.InfoContext(ctx, "index is built", "queued", l.queue.Queued(), "running", len(l.running))
		l.holdToBacklogs(ctx)
	}
}

// configure takes in a tenant's limits. A tenant that was removed keeps its
// place in the queue, so that what waits there is refused and not forgotten.
func (l *leader) configure(ctx context.Context, c change) {
	limits := unknownLimits
	if c.live {
		limits = fair.Limits{
			Concurrency: c.customer.Concurrency, Weight: c.customer.Weight, Paused: c.customer.Paused,
			Rate: c.customer.Rate, Burst: c.customer.Burst, Period: c.customer.RatePeriod.Duration(),
			Backlog: c.customer.Backlog,
		}
	}
	l.limit(ctx, c.customer.ID, limits)
	l.enrol(ctx, c)
}

// grants reports whether the scheduler decides on requests: it leads, and knows
// all of them.
func (l *leader) grants() bool { return l.tenure != nil && l.caughtUp }

// holdToBacklogs begins to hold tenants to their backlogs, once somebody
// decides. What is queued by then stays: nobody was there to refuse it, and to a
// standby what runs is queued too, so it could not tell.
func (l *leader) holdToBacklogs(ctx context.Context) {
	if !l.grants() {
		return
	}
	for id, backlog := range l.known {
		if standing, known := l.queue.Snapshot(id, l.cfg.Now()); backlog > 0 && known {
			standing.Limits.Backlog = backlog
			l.limit(ctx, id, standing.Limits)
		}
	}
}

// limit sets a tenant's limits.
func (l *leader) limit(ctx context.Context, id tenant.ID, limits fair.Limits) {
	backlog := limits.Backlog
	if !l.grants() {
		limits.Backlog = 0
	}
	if err := l.queue.SetTenant(id, limits, l.cfg.Now()); err != nil {
		l.cfg.Logger.ErrorContext(ctx, "a tenant's limits cannot be used", "tenant", id, "error", err)
		return
	}
	l.known[id] = backlog
}

// finish takes in the hint that a request's run has left RUNS. One that was
// served has taken its request along, whoever granted it.
func (l *leader) finish(ended events.RunEnded) {
	if _, ok := l.running[ended.Sequence]; ok {
		l.forget(ended.Sequence, ended.Released)
		return
	}
	if !ended.Released {
		l.queue.Remove(ended.Sequence, l.cfg.Now())
	}
}

// forget ends a run in the picture; a released one queues again at its old place.
func (l *leader) forget(sequence uint64, released bool) {
	delete(l.running, sequence)
	if released {
		l.queue.Return(sequence, l.cfg.Now())
		return
	}
	l.queue.Done(sequence, l.cfg.Now())
}
