package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/scheduling"
	"github.com/feira-dev/feira/workers/turns"
)

const (
	// pullExpiry bounds the stop of a pool.
	pullExpiry = 250 * time.Millisecond
	// backlogWait is how long a producer waits whose tenant has too many waiting.
	backlogWait = 20 * time.Millisecond
)

// tenantID names the bench's tenants.
func tenantID(n int) events.TenantID { return events.TenantID("bench_" + strconv.Itoa(n)) }

// settle gives the world n tenants of these caps, with weight 1.
func (w *world) settle(n, concurrency int) {
	w.tenants = make([]tenant.Tenant, n)
	for i := range w.tenants {
		w.tenants[i] = tenant.Tenant{ID: tenantID(i), Servers: []string{"stripe"}, Concurrency: concurrency}.WithDefaults()
	}
}

// Watch implements scheduling.Tenants with tenants that do not change.
func (w *world) Watch(ctx context.Context, heard func(customer tenant.Tenant, live bool)) error {
	go func() {
		for _, customer := range w.tenants {
			if ctx.Err() != nil {
				return
			}
			heard(customer, true)
		}
	}()
	return nil
}

// request lays out what a producer sends.
func request(id events.TenantID, session events.SessionID) (events.Message, error) {
	return events.NewRequest(
		events.RequestParams{Tenant: id, Session: session, Kind: events.KindTurn, Priority: events.PriorityNormal},
		events.Request{Message: "hello"},
	)
}

// fill publishes n requests and returns how long that took.
func (w *world) fill(ctx context.Context, n int, whose func(i int) (events.TenantID, events.SessionID)) (time.Duration, error) {
	took, err := w.pour(ctx, n, whose)
	if err == nil {
		w.say("%d requests accepted, %.0f a second", n, perSecond(n, took))
	}
	return took, err
}

// pour is fill without a word. Requests of one session are not published in an
// order. A tenant that has as many waiting as
// the broker allows tries again, as any producer would.
func (w *world) pour(ctx context.Context, n int, whose func(i int) (events.TenantID, events.SessionID)) (time.Duration, error) {
	begun := time.Now()
	err := each(ctx, n, func(ctx context.Context, i int) error {
		id, session := whose(i)
		err := w.publish(ctx, w.bus, id, session)
		for errors.Is(err, bus.ErrBacklogFull) {
			if err = work(ctx, backlogWait); err == nil {
				err = w.publish(ctx, w.bus, id, session)
			}
		}
		return err
	})
	took := time.Since(begun)
	if err != nil {
		return took, fmt.Errorf("filling the queue: %w", err)
	}
	return took, nil
}

func (w *world) publish(ctx context.Context, b *bus.Bus, id events.TenantID, session events.SessionID) error {
	message, err := request(id, session)
	if err != nil {
		return err
	}
	_, err = b.Requests().Publish(ctx, message)
	return err
}

// roundRobin deals requests out to n tenants, each in a session of its own.
func roundRobin(n int) func(i int) (events.TenantID, events.SessionID) {
	return func(i int) (events.TenantID, events.SessionID) {
		return tenantID(i % n), events.SessionID("s" + strconv.Itoa(i))
	}
}

// leaseAdapter lets the scheduler compete for the key in the lease bucket.
type leaseAdapter struct{ leases *natskv.Lease }

func (l leaseAdapter) Acquire(ctx context.Context, holder string) (scheduling.Tenure, error) {
	held, err := l.leases.Acquire(ctx, holder)
	if err != nil {
		return nil, err
	}
	return held, nil
}

// candidate is a scheduler with connections of its own, so that it can be cut
// off from the world.
type candidate struct {
	lifecycle.Part

	bus     *bus.Bus
	buckets *natskv.Client
	built   <-chan struct{} // has a signal once the index is built
}

// scheduler makes a scheduler that is not started.
func (w *world) scheduler(ctx context.Context, id string) (*candidate, error) {
	b, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	kv, err := w.buckets(ctx)
	if err != nil {
		return nil, err
	}
	leases, err := kv.Lease(ctx, natskv.LeaseConfig{})
	if err != nil {
		return nil, err
	}
	logger, built := overhear(w.config.Logger)
	ender, err := turns.NewEnder(turns.EnderConfig{Requests: b.Requests(), Log: b.Log(), Cemetery: b.Dead(), Logger: logger})
	if err != nil {
		return nil, err
	}
	part, err := scheduling.New(scheduling.Config{
		ID: id, Lease: leaseAdapter{leases}, Requests: b.Requests(), Runs: b.Runs(), Hints: b.Hints(), Tenants: w,
		Endings: ender, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	return &candidate{Part: part, bus: b, buckets: kv, built: built}, nil
}

// lead starts a scheduler and returns when its index is built, and how long
// that took.
func (w *world) lead(ctx context.Context, id string) (*candidate, time.Duration, error) {
	c, err := w.scheduler(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	begun := time.Now()
	if err := w.start(ctx, c); err != nil {
		return nil, 0, err
	}
	err = w.await(ctx, c.built, "building the index")
	return c, time.Since(begun), err
}

// pool starts a worker's pool and announces its slots.
func (w *world) pool(ctx context.Context, b *bus.Bus, slots int, handler bus.RunHandler) error {
	pool, err := w.workers(ctx, b, slots, handler)
	if err != nil {
		return err
	}
	return w.announce(ctx, b, slots, pool.Busy)
}

func (w *world) announce(ctx context.Context, b *bus.Bus, slots int, busy func() int) error {
	return w.start(ctx, turns.NewAnnouncer(turns.AnnouncerConfig{
		ID: "bench-worker", Slots: slots, Busy: busy, Crier: b.Hints(), Logger: w.config.Logger,
	}))
}

// job is a handler whose work is done by do, and which tells the tally.
func job(served *tally, do func(ctx context.Context, run events.Run) error) bus.RunHandler {
	return func(ctx context.Context, run events.Run, _ int) error {
		if err := do(ctx, run); err != nil {
			return err
		}
		served.add(1)
		return nil
	}
}

// work takes d of the time of a slot.
func work(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
