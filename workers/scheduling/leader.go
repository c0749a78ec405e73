package scheduling

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/tenant"
)

// Limits of a tenant that the registry does not know: its requests are granted
// one by one, to be refused by a worker.
var unknownLimits = fair.Limits{Concurrency: 1, Weight: 1}

// leader is one leadership. All fields belong to the goroutine of run; others
// reach it through the channels.
type leader struct {
	cfg    Config
	roster *roster
	queue  *fair.Queue

	batches chan batch
	ended   chan events.RunEnded
	changes chan change
	acks    chan ack
	places  chan snapshot
	orders  chan events.Control

	known    map[tenant.ID]bool
	running  map[uint64]*grant // by request sequence
	expected uint64            // last sequence of RUNS when all in flight is stored
	inflight int
	caughtUp bool
	settling bool   // a grant was refused: nothing is granted until RUNS is read anew
	reading  bool   // a snapshot of places is under way
	epoch    uint64 // counts snapshots
	// strangers are places that the last snapshot had and the picture had not.
	strangers map[events.Place]bool
	arrivals  arrivals
	status    status
	endings   endings
	tasks     sync.WaitGroup
}

// grant is a run as the leader knows it.
type grant struct {
	place  events.Place
	stored bool
	epoch  uint64 // in which it was known to be stored
}

type (
	batch struct {
		heads    []events.Headline
		caughtUp bool
	}
	change struct {
		customer tenant.Tenant
		live     bool
	}
	ack struct {
		sequence uint64 // of the request
		waited   time.Duration
		err      error
	}
	snapshot struct {
		epoch  uint64
		places map[events.Place]struct{}
		err    error
	}
)

func newLeader(cfg Config, r *roster) *leader {
	return &leader{
		cfg: cfg, roster: r, queue: fair.New(),
		batches: make(chan batch),
		ended:   make(chan events.RunEnded, 1024),
		changes: make(chan change, 64),
		// Never less than what is in flight: an answer of the broker must not
		// wait for the loop, which may be waiting for the broker.
		acks:    make(chan ack, cfg.InFlight),
		places:  make(chan snapshot, 1),
		orders:  make(chan events.Control, 1024),
		endings: newEndings(),
		known:   make(map[tenant.ID]bool),
		running: make(map[uint64]*grant),
		status:  newStatus(),
	}
}

// run leads until ctx ends or the tenure is lost.
func (l *leader) run(ctx context.Context, end context.CancelCauseFunc, tenure Tenure) error {
	if err := l.listen(ctx); err != nil {
		return err
	}
	// RUNS is read before the scan of REQUESTS begins: a run that is not there
	// by then has taken its request away with it, so the scan will not bring
	// back what is done.
	if err := l.reread(ctx); err != nil {
		return err
	}
	l.tasks.Go(func() {
		if err := l.cfg.Requests.Watch(ctx, l.deliver(ctx)); err != nil && ctx.Err() == nil {
			end(fmt.Errorf("watching requests: %w", err))
		}
	})
	err := l.loop(ctx, tenure)
	end(outcome.ErrStopping)
	l.drain()
	l.tasks.Wait()
	return err
}

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
	return l.listenToQuestions(ctx)
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

// loop is the leader's one goroutine: it takes in what happens, then grants
// what can be granted.
func (l *leader) loop(ctx context.Context, tenure Tenure) error {
	reconcile := time.NewTicker(l.cfg.Reconcile)
	defer reconcile.Stop()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	l.queue.SetSlots(l.roster.slots(l.cfg.Now()))
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tenure.Lost():
			return errDeposed
		case batch := <-l.batches:
			l.take(ctx, batch)
		case ended := <-l.ended:
			l.finish(ended)
		case change := <-l.changes:
			l.configure(ctx, change)
		case ack := <-l.acks:
			l.acknowledge(ctx, ack)
		case snapshot := <-l.places:
			l.compare(ctx, snapshot)
		case question := <-l.status.open():
			l.survey(question)
		case <-l.status.turn():
			l.look()
		case order := <-l.orders:
			l.heed(order)
		case c := <-l.endings.done:
			l.conclude(ctx, c)
		case <-l.roster.changed:
			l.queue.SetSlots(l.roster.slots(l.cfg.Now()))
		case <-reconcile.C:
			l.queue.SetSlots(l.roster.slots(l.cfg.Now()))
			l.snapshot(ctx)
			l.survey()
			l.endings.retry(l.cfg.Now())
		case <-wake.C:
		}
		if err := l.settle(ctx); err != nil {
			return err
		}
		l.expire(ctx)
		l.grant(ctx)
		if at, ok := l.queue.Wake(l.cfg.Now()); ok {
			wake.Reset(max(time.Millisecond, at.Sub(l.cfg.Now())))
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
		if !l.known[head.Tenant] {
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
}

func (l *leader) limit(ctx context.Context, id tenant.ID, limits fair.Limits) {
	if err := l.queue.SetTenant(id, limits, l.cfg.Now()); err != nil {
		l.cfg.Logger.ErrorContext(ctx, "a tenant's limits cannot be used", "tenant", id, "error", err)
		return
	}
	l.known[id] = true
}

// finish takes in the hint that a run has left RUNS.
func (l *leader) finish(ended events.RunEnded) {
	if _, ok := l.running[ended.Sequence]; !ok {
		return
	}
	l.forget(ended.Sequence, ended.Released)
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
