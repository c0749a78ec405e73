package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
)

// routerPatience is how long Watermill's router waits for handlers when it
// closes. The lifecycle bounds that already, by ending their context.
const routerPatience = math.MaxInt64

// RunPool works on runs, as many at a time as it has slots. It is a
// [lifecycle.Part].
//
//	slot ─► pull ─► lease ─► settle ─► correlate ─► trace ─► recover ─► handler
//	  ▲                        │
//	  └──────── vacate ────────┴─► remove the request ─► acknowledge ─► the scheduler hears
//
// A handler that returns nil has served the request: the pool removes it and
// ends the run, in this order, while the slot already takes another.
//
// A soft stop asks for nothing more, lets the current pull run out, gives back
// what it still brings, and lets running work end. A hard stop ends the
// context of running work; what it did not finish is given back.
type RunPool struct {
	*lifecycle.Runner

	bus    *Bus
	config RunPoolConfig
	slots  *slots
}

// NewRunPool returns an idle pool.
func (b *Bus) NewRunPool(config RunPoolConfig) (*RunPool, error) {
	config = config.withDefaults(b.config.Logger)
	if err := config.Validate(); err != nil {
		return nil, err
	}
	p := &RunPool{bus: b, config: config, slots: newSlots(config.Slots)}
	p.Runner = lifecycle.NewRunner(config.Name, p.run)
	return p, nil
}

// Busy is how many runs are going.
func (p *RunPool) Busy() int { return int(p.slots.busy.Load()) }

// Slots is how many runs may be going at one time.
func (p *RunPool) Slots() int { return p.config.Slots }

func (p *RunPool) run(fetch, work context.Context, ready func()) error {
	if err := p.bus.needConsumer(fetch, events.StreamRuns, events.DurableWorkers); err != nil {
		return err
	}
	pulls, err := newPuller(p.bus.nc, events.StreamRuns, events.DurableWorkers, p.config.Slots)
	if err != nil {
		return err
	}
	defer pulls.close()
	kept := newLeases(p.bus.nc, p.config.Lease, p.config.Refresh, p.config.Logger)
	stop := make(chan struct{})
	var keeping sync.WaitGroup
	var keepErr error
	keeping.Go(func() { keepErr = kept.keep(work, stop) })
	defer keeping.Wait()
	defer close(stop)

	settler := &settler{bus: p.bus, config: p.config}
	defer settler.finish(work)
	//nolint:contextcheck // the context of a run travels in Watermill's message
	router, err := p.newRouter(settler, newSubscriber(p, work, subscription{puller: pulls, leases: kept, settler: settler}))
	if err != nil {
		return fmt.Errorf("making the router: %w", err)
	}
	go func() {
		select {
		case <-router.Running():
			ready()
		case <-work.Done():
		}
	}()
	return errors.Join(router.Run(fetch), keepErr)
}

// newRouter is where the chain is put together. Contexts travel in Watermill's
// messages, so none comes in here.
func (p *RunPool) newRouter(settler *settler, runs message.Subscriber) (*message.Router, error) {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: routerPatience}, routerLogger{logger: p.config.Logger})
	if err != nil {
		return nil, err
	}
	router.AddMiddleware(settling(settler), correlating(p.config.Correlate), tracing(p.config.Trace), recovering(p.config.Logger))
	router.AddConsumerHandler(p.config.Name, events.StreamRuns, runs, handling(p.config))
	return router, nil
}

// needConsumer fails with [ErrMissing] where there is no such consumer. While
// a cluster chooses a leader nobody can tell, so it asks again until ctx ends.
func (b *Bus) needConsumer(ctx context.Context, stream, durable string) error {
	for {
		_, err := b.js.Consumer(ctx, stream, durable)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			return fmt.Errorf("%w: consumer %s/%s", ErrMissing, stream, durable)
		case ctx.Err() != nil, b.nc.IsClosed():
			return fmt.Errorf("opening consumer %s/%s: %w", stream, durable, err)
		}
		b.config.Logger.WarnContext(ctx, "consumer cannot be opened yet", slog.String("stream", stream),
			slog.String("durable", durable), slog.Any("error", err))
		pause(ctx, pullRetry)
	}
}
