package bus

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/outcome"
)

// pullRetry is how long to wait after a pull that the broker refused.
const pullRetry = 250 * time.Millisecond

// runDelivery is one delivery of a run while it is ours.
type runDelivery struct {
	message    events.Message
	ackSubject string
	deliveries int

	// run and err are what ParseRun made of the message.
	run events.Run
	err error

	// vacate gives the slot back, release ends the lease and frees the context.
	vacate, release func()
}

type deliveryKey struct{}

// deliveryOf returns what the subscriber put into a message's context.
func deliveryOf(ctx context.Context) *runDelivery {
	d, _ := ctx.Value(deliveryKey{}).(*runDelivery)
	return d
}

// subscriber is a Watermill subscriber over a pull consumer. Watermill's own
// has no InProgress and ends a message's context at AckWait. A message is
// pulled only into a slot, and its context is the work's, not the fetch's.
type subscriber struct {
	subscription

	pool   *RunPool
	derive func() (context.Context, context.CancelCauseFunc) // a context for one run
	hard   <-chan struct{}                                   // closed when work must end
	closed chan struct{}
	close  func()
}

// subscription is what a subscriber works with, all owned by the pool.
type subscription struct {
	puller  *puller
	leases  *leases
	settler *settler
}

var _ message.Subscriber = (*subscriber)(nil)

func newSubscriber(pool *RunPool, work context.Context, parts subscription) *subscriber {
	s := &subscriber{subscription: parts, pool: pool, hard: work.Done(), closed: make(chan struct{})}
	s.derive = func() (context.Context, context.CancelCauseFunc) { return context.WithCancelCause(work) }
	s.close = sync.OnceFunc(func() { close(s.closed) })
	return s
}

// Subscribe implements message.Subscriber for RUNS. It ends with ctx or Close;
// the channel is closed when the last pull has run out.
func (s *subscriber) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	fetch, cancel := context.WithCancelCause(ctx)
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		defer cancel(outcome.ErrStopping)
		for {
			held := s.pool.slots.take(fetch, s.puller.messages, s.puller.refuse)
			if len(held) == 0 {
				return
			}
			s.pull(fetch, held, out)
		}
	}()
	go func() {
		select {
		case <-s.closed:
			cancel(outcome.ErrStopping)
		case <-fetch.Done():
		}
	}()
	return out, nil
}

// Close implements message.Subscriber.
func (s *subscriber) Close() error {
	s.close()
	return nil
}

// pull fills the slots as far as there are runs, and frees the others.
func (s *subscriber) pull(fetch context.Context, held []*slot, out chan<- *message.Message) {
	filled := 0
	defer func() {
		for _, free := range held[filled:] {
			free.release()
		}
	}()
	err := s.puller.fetch(len(held), s.pool.config.PullExpiry, s.hard, func(msg *nats.Msg) {
		run := s.begin(msg, held[filled]) //nolint:contextcheck // a run outlives the fetch: its context is the work's
		filled++
		s.pass(run, fetch.Err() != nil, out) //nolint:contextcheck // as above
	})
	if err == nil {
		return
	}
	if s.puller.nc.IsConnected() { // else the connection's own lines say it all
		s.pool.config.Logger.WarnContext(fetch, "pulling runs", slog.Any("error", err))
	}
	pause(fetch, pullRetry)
}

// begin makes the run in this slot ours. It returns nil for what is no run; the
// scheduler's spacers are none, and are taken away where it has not done so.
func (s *subscriber) begin(msg *nats.Msg, own *slot) *message.Message {
	s.pool.slots.fill(own)
	wire, place, ok := delivered(msg)
	if !ok {
		own.release()
		return nil
	}
	if events.IsSpacer(wire.Subject) {
		own.release()
		_ = s.puller.nc.Publish(msg.Reply, []byte(wordAck)) // else it comes again
		return nil
	}
	ctx, cancel := s.derive()
	unhold := s.leases.hold(msg.Reply, cancel)
	d := &runDelivery{
		message: wire, ackSubject: msg.Reply, deliveries: int(min(place.NumDelivered, math.MaxInt32)),
		vacate: own.release,
		release: func() {
			unhold()
			cancel(nil)
		},
	}
	d.run, d.err = events.ParseRun(wire)
	ctx = context.WithValue(ctx, deliveryKey{}, d)
	return message.NewMessageWithContext(ctx, strconv.FormatUint(wire.Sequence, 10), nil)
}

// pass hands the run to the router, or back to the broker when it came after
// the stop.
func (s *subscriber) pass(run *message.Message, stopping bool, out chan<- *message.Message) {
	if run == nil {
		return
	}
	if !stopping {
		out <- run
		return
	}
	d := deliveryOf(run.Context())
	defer d.vacate()
	s.settler.settle(run.Context(), d, outcome.Release(outcome.ErrStopping))
}
