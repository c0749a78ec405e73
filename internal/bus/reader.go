package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

const (
	readerWindow    = 4096             // messages asked for ahead
	readerBatch     = 1024             // most that one call of deliver gets
	readerExpiry    = 30 * time.Second // of one pull
	readerHeartbeat = 2 * time.Second  // the broker says that a pull still stands
	readerInactive  = time.Minute      // after which the broker forgets us
	readerRetry     = 250 * time.Millisecond
)

// Why a consumer is replaced.
var (
	errGap    = errors.New("a message is missing from the delivery")
	errSilent = errors.New("the broker does not say that the pull stands")
	errMoved  = errors.New("the connection was lost")
)

type readerConfig struct {
	Stream      string
	Subject     string
	Subjects    []string // instead of one
	HeadersOnly bool
	New         bool   // leave out what is stored already
	After       uint64 // leave out what is stored up to there
	LastOfEach  bool   // nothing but the last message of each subject
}

// reader reads a stream in order through a consumer of its own, which it
// replaces whenever the broker cannot be trusted to go on: after a gap, a
// silence or a new connection. It resumes behind the last message delivered,
// so nothing is missed and nothing comes twice.
//
// The client's ordered consumer is not used: it takes a producer's "Status:
// 409" header on a message without a body for the broker's, and starts again
// for ever.
type reader struct {
	bus    *Bus
	config readerConfig
	next   uint64 // first sequence to read; 0 leaves it to New

	end      uint64 // the stream's last sequence at the start
	caughtUp bool   // and the receiver knows
}

// deliverFunc receives what has come, oldest first, and may keep
// the slice. caughtUp is true from the batch on that reaches what was the
// end of the stream at the start.
type deliverFunc = func(batch []events.Headline, caughtUp bool) error

// deliverError sets the receiver's own failure apart from the broker's.
type deliverError struct{ error }

func (e deliverError) Unwrap() error { return e.error }

// run blocks until ctx ends, which is no error, or deliver fails.
func (r *reader) run(ctx context.Context, deliver deliverFunc) error {
	for first := true; ; first = false {
		err := r.session(ctx, deliver)
		if ctx.Err() != nil {
			return nil
		}
		if mine, ok := errors.AsType[deliverError](err); ok {
			return mine.error
		}
		if first && errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("%w: stream %s", ErrMissing, r.config.Stream)
		}
		if r.bus.nc.IsClosed() {
			return nats.ErrConnectionClosed
		}
		r.bus.config.Logger.WarnContext(ctx, "reading the stream anew", slog.String("stream", r.config.Stream),
			slog.Uint64("from", r.next), slog.Any("error", err))
		pause(ctx, readerRetry)
	}
}

// session reads through one consumer until something is wrong.
func (r *reader) session(ctx context.Context, deliver deliverFunc) error {
	moved := r.bus.nc.StatusChanged(nats.CONNECTED)
	defer r.bus.nc.RemoveStatusListener(moved)
	consumer, err := r.consumer(ctx)
	if err != nil {
		return err
	}
	info := consumer.CachedInfo()
	defer r.forget(ctx, info.Name)
	p, err := newPuller(r.bus.nc, r.config.Stream, info.Name, readerWindow)
	if err != nil {
		return err
	}
	defer p.close()
	s := readerSession{reader: r, puller: p, moved: moved, deliver: deliver, batch: make([]events.Headline, 0, readerBatch)}
	if info.NumPending == 0 && !r.caughtUp {
		if err := s.flush(true); err != nil {
			return err
		}
	}
	return s.run(ctx)
}

func (r *reader) consumer(ctx context.Context) (jetstream.Consumer, error) {
	config := jetstream.ConsumerConfig{
		FilterSubject: r.config.Subject, FilterSubjects: r.config.Subjects, HeadersOnly: r.config.HeadersOnly, AckPolicy: jetstream.AckNonePolicy,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: readerInactive,
	}
	if r.next == 0 {
		stream, err := r.bus.js.Stream(ctx, r.config.Stream)
		if err != nil {
			return nil, err
		}
		r.next, r.end = r.config.After+1, stream.CachedInfo().State.LastSeq
		if r.config.New {
			r.next = r.end + 1
		}
	}
	r.config.startOf(&config, r.next)
	return r.bus.js.CreateConsumer(ctx, r.config.Stream, config)
}

// forget spares the broker a consumer that nobody will read from.
func (r *reader) forget(ctx context.Context, name string) {
	if !r.bus.nc.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = r.bus.js.DeleteConsumer(ctx, r.config.Stream, name)
}
