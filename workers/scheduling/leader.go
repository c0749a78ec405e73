package scheduling

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/tenant"
)

// leastWindow is how many grants may be in flight whatever the slots: enough for
// some ten thousand a second with a broker near by.
const leastWindow = 16

// leader is the picture that one scheduler has, and its leadership while it
// holds a tenure. A standby keeps the index of requests as the leader does: it
// reads REQUESTS, and forgets what it hears has been served. It grants nothing
// and knows of no run, so to it everything is queued that has not ended; what
// runs it finds in RUNS when its turn comes, and the index, which may be of a
// million requests, need not be built then. What it failed to hear of, it grants
// once more, and the worker finds it gone.
//
// All fields belong to the goroutine of run; others reach it through the channels.
type leader struct {
	cfg    Config
	roster *roster
	queue  *fair.Queue

	elections chan election
	tenure    Tenure // nil while it stands by
	// resign ends what only a leader does.
	resign context.CancelFunc

	batches chan batch
	ended   chan events.RunEnded
	changes chan change
	acks    chan ack
	places  chan snapshot
	firsts  chan uint64
	orders  chan events.Control

	known    map[tenant.ID]int // the backlog of each tenant in the queue
	running  map[uint64]*grant // by request sequence
	expected uint64            // last sequence of RUNS when all in flight is stored
	inflight int
	window   int // how many grants may be in flight
	caughtUp bool
	settling bool   // a grant was refused: nothing is granted until RUNS is read anew
	spaced   bool   // RUNS has been moved past what a predecessor may expect
	reading  bool   // a snapshot of places, or the first request, is being asked for
	epoch    uint64 // counts snapshots
	// strangers are places that the last snapshot had and the picture had not.
	strangers map[events.Place]bool
	arrivals  arrivals
	status    status
	endings   endings
	books     books
	tasks     sync.WaitGroup
}

// grant is a run as the leader knows it.
type grant struct {
	place   events.Place
	session events.SessionID
	kind    events.Kind
	stored  bool
	epoch   uint64 // in which it was known to be stored
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
		elections: make(chan election, 1), resign: func() {},
		batches: make(chan batch),
		ended:   make(chan events.RunEnded, 1024),
		changes: make(chan change, 64),
		// Never less than what is in flight: an answer of the broker must not
		// wait for the loop, which may be waiting for the broker.
		acks:    make(chan ack, cfg.InFlight),
		places:  make(chan snapshot, 1),
		firsts:  make(chan uint64, 1),
		orders:  make(chan events.Control, 1024),
		endings: newEndings(),
		books:   newBooks(),
		known:   make(map[tenant.ID]int),
		running: make(map[uint64]*grant),
		status:  newStatus(),
	}
}

// run keeps the index, and leads whenever it is elected, until ctx ends or the
// index cannot be kept.
func (l *leader) run(ctx context.Context, end context.CancelCauseFunc) error {
	if err := l.listen(ctx); err != nil {
		return err
	}
	l.watchTariffs(ctx)
	l.campaign(ctx, 0)
	l.tasks.Go(func() {
		if err := l.cfg.Requests.Watch(ctx, l.deliver(ctx)); err != nil && ctx.Err() == nil {
			end(fmt.Errorf("watching requests: %w", err))
		}
	})
	err := l.loop(ctx)
	end(outcome.ErrStopping)
	l.drain()
	l.tasks.Wait()
	l.retire(ctx)
	return err
}

// loop is the leader's one goroutine: it takes in what happens, then does what
// can be done.
func (l *leader) loop(ctx context.Context) error {
	reconcile := time.NewTicker(l.cfg.Reconcile)
	defer reconcile.Stop()
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	l.countSlots()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case elected := <-l.elections:
			if elected.err != nil {
				return fmt.Errorf("acquiring the lease: %w", elected.err)
			}
			l.lead(ctx, elected.tenure)
		case <-l.lost():
			l.cfg.Logger.WarnContext(ctx, "lost the lease", "holder", l.cfg.ID)
			l.stepDown(ctx, 0)
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
		case first := <-l.firsts:
			l.prune(first)
		case question := <-l.status.open():
			l.survey(question)
		case <-l.status.turn():
			l.look()
		case order := <-l.orders:
			l.heed(order)
		case c := <-l.endings.done:
			l.conclude(ctx, c)
		case news := <-l.books.news:
			news()
		case <-l.roster.changed:
			l.countSlots()
		case <-reconcile.C:
			l.reconcile(ctx)
		case <-wake.C:
		}
		l.act(ctx, wake)
	}
}

// act does what can be done now, and sets the clock to when time alone will let
// something be done.
func (l *leader) act(ctx context.Context, wake *time.Timer) {
	if l.tenure != nil {
		if err := l.settle(ctx); err != nil {
			// Another scheduler may do better; this one tries again in turn.
			l.cfg.Logger.ErrorContext(ctx, "leading ended", "error", err)
			l.stepDown(ctx, events.LeaseRefresh)
		}
		l.keepBooks(ctx)
	}
	if l.grants() {
		l.expire()
		l.grant(ctx)
		if at, ok := l.queue.Wake(l.cfg.Now()); ok {
			wake.Reset(max(time.Millisecond, at.Sub(l.cfg.Now())))
		}
	}
	l.carryOutVerdicts(ctx)
}

// countSlots sets how many runs may go. What is in flight waits in the broker,
// where nobody goes before anybody: with all slots there at once, a tenant that
// comes would wait for all of them. An eighth keeps the broker as busy, and the
// choice late.
func (l *leader) countSlots() {
	slots := l.roster.slots(l.cfg.Now())
	l.queue.SetSlots(slots)
	l.window = min(max(slots/8, leastWindow), l.cfg.InFlight)
}

// reconcile is what is done once a second.
func (l *leader) reconcile(ctx context.Context) {
	l.countSlots()
	l.endings.retry(l.cfg.Now())
	if l.tenure == nil {
		l.lookForFirst(ctx)
		return
	}
	l.snapshot(ctx)
	l.audit(ctx)
	l.survey()
}
