package bus

import (
	"fmt"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/feira-dev/feira/events"
)

// grantsPending is how many grants may be on their way at one time.
const grantsPending = 65_536

// grants publishes into RUNS without waiting. It never tries twice: a second
// try after a lost answer would be refused by the first one's success.
type grants struct {
	exchange *exchange
	pending  atomic.Int64
}

type doneFunc = func(sequence uint64, err error)

func (g *grants) publish(msg *nats.Msg, done doneFunc) error {
	if g.pending.Add(1) > grantsPending {
		g.pending.Add(-1)
		return fmt.Errorf("granting %s: %w", msg.Subject, ErrBusy)
	}
	err := g.exchange.send(msg, func(answer *nats.Msg, err error) {
		g.pending.Add(-1)
		var sequence uint64
		if err == nil {
			sequence, err = storedAt(answer.Data)
		}
		done(sequence, grantError(msg.Subject, err))
	})
	if err != nil {
		g.pending.Add(-1)
		return grantError(msg.Subject, err)
	}
	return nil
}

func grantError(subject string, err error) error {
	switch {
	case err == nil:
		return nil
	case isStale(err):
		return fmt.Errorf("granting %s: %w: %w", subject, events.ErrStaleGrant, err)
	case isSubjectFull(err):
		return fmt.Errorf("granting %s: %w", subject, events.ErrOutstanding)
	case isTooLarge(err), isRefused(err):
		return fmt.Errorf("granting %s: %w", subject, err)
	default:
		return fmt.Errorf("granting %s: %w: %w", subject, events.ErrUncertainGrant, err)
	}
}
