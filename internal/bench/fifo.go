package bench

import (
	"context"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/lifecycle"
)

// fifo is the work queue as JetStream has it: what is put in comes out in that
// order, and nobody schedules. It is safe for concurrent use.
type fifo struct {
	runs *bus.Runs

	mu   sync.Mutex
	last uint64 // the sequence of the latest that was put in
}

func (w *world) fifo(ctx context.Context) (*fifo, error) {
	_, last, err := w.bus.Runs().Outstanding(ctx)
	return &fifo{runs: w.bus.Runs(), last: last}, err
}

// put does not wait for the broker: done hears of its answer.
func (f *fifo) put(id events.TenantID, session events.SessionID, done func(error)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	run := events.Run{Tenant: id, Session: session, Kind: events.KindTurn, Sequence: f.last + 1, Granted: time.Now()}
	if err := f.runs.Grant(run, f.last, func(_ uint64, err error) { done(err) }); err != nil {
		return err
	}
	f.last++
	return nil
}

// send puts one in and waits for the broker's answer.
func (f *fifo) send(ctx context.Context, id events.TenantID, session events.SessionID) error {
	answer := make(chan error, 1)
	if err := f.put(id, session, func(err error) { answer <- err }); err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fill puts n in, with so many on their way at one time, and returns how long
// that took.
func (f *fifo) fill(ctx context.Context, n, window int, whose func(i int) (events.TenantID, events.SessionID)) (time.Duration, error) {
	begun, free := time.Now(), make(chan error, window)
	for range window {
		free <- nil
	}
	wait := func() error {
		select {
		case err := <-free:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for i := range n {
		if err := wait(); err != nil {
			return 0, err
		}
		id, session := whose(i)
		if err := f.put(id, session, func(err error) { free <- err }); err != nil {
			return 0, err
		}
	}
	for range window {
		if err := wait(); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}

// consume starts a pool that nobody grants to: it takes what is in the queue,
// and its acknowledgement is the end of that.
func (w *world) consume(ctx context.Context, slots int, do func(ctx context.Context, run events.Run) error) error {
	b, err := w.connect(ctx)
	if err != nil {
		return err
	}
	_, err = w.workers(ctx, b, slots, func(ctx context.Context, run events.Run, _ int) error {
		return do(ctx, run)
	})
	return err
}

// busy is a part that knows how many of its slots are taken.
type busy interface {
	lifecycle.Part

	Busy() int
}

// workers starts a pool without announcing it.
func (w *world) workers(ctx context.Context, b *bus.Bus, slots int, handler bus.RunHandler) (busy, error) {
	pool, err := b.NewRunPool(bus.RunPoolConfig{Slots: slots, Handler: handler, PullExpiry: pullExpiry, Logger: w.config.Logger})
	if err != nil {
		return nil, err
	}
	return pool, w.start(ctx, pool)
}
