package bus

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// grantsPending is how many grants may be on their way at one time.
const grantsPending = 65_536

// grants publishes into RUNS without waiting, and tells each publisher of its
// answer. The client calls back for a message; the table says whose it was.
type grants struct {
	js jetstream.JetStream

	mu      sync.Mutex
	waiting map[*nats.Msg]doneFunc
}

type doneFunc = func(sequence uint64, err error)

func newGrants(nc *nats.Conn, timeout time.Duration) (*grants, error) {
	g := &grants{waiting: make(map[*nats.Msg]doneFunc)}
	js, err := jetstream.New(nc,
		jetstream.WithPublishAsyncMaxPending(grantsPending),
		jetstream.WithPublishAsyncTimeout(timeout),
		jetstream.WithPublishAsyncAckHandler(func(_ jetstream.JetStream, msg *nats.Msg, ack *jetstream.PubAck) {
			if done := g.take(msg); done != nil {
				done(ack.Sequence, nil)
			}
		}),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, msg *nats.Msg, err error) {
			done := g.take(msg)
			if done == nil {
				return
			}
			// The client reports a time-out under its lock, which done may want.
			if errors.Is(err, jetstream.ErrAsyncPublishTimeout) {
				go done(0, grantError(msg.Subject, err))
				return
			}
			done(0, grantError(msg.Subject, err))
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("opening JetStream for grants: %w", err)
	}
	g.js = js
	return g, nil
}

// publish never tries twice: a second try after a lost answer would be refused
// by the first one's success.
func (g *grants) publish(msg *nats.Msg, done doneFunc) error {
	g.mu.Lock()
	g.waiting[msg] = done
	g.mu.Unlock()
	if _, err := g.js.PublishMsgAsync(msg, jetstream.WithRetryAttempts(0)); err != nil {
		if g.take(msg) == nil {
			return nil // the answer was quicker: done has been told
		}
		return grantError(msg.Subject, err)
	}
	return nil
}

func (g *grants) take(msg *nats.Msg) doneFunc {
	g.mu.Lock()
	defer g.mu.Unlock()
	done := g.waiting[msg]
	delete(g.waiting, msg)
	return done
}

func grantError(subject string, err error) error {
	switch {
	case isStale(err):
		return fmt.Errorf("granting %s: %w: %w", subject, events.ErrStaleGrant, err)
	case isSubjectFull(err):
		return fmt.Errorf("granting %s: %w", subject, events.ErrOutstanding)
	case errors.Is(err, jetstream.ErrTooManyStalledMsgs):
		return fmt.Errorf("granting %s: %w", subject, ErrBusy)
	case isTooLarge(err), isRefused(err):
		return fmt.Errorf("granting %s: %w", subject, err)
	default:
		return fmt.Errorf("granting %s: %w: %w", subject, events.ErrUncertainGrant, err)
	}
}
