package webhooks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/feira-dev/feira/internal/outcome"
)

// errEarly occurs when nobody is known to have made an object, and the call
// that may have made it has perhaps not been learned of yet.
var errEarly = errors.New("whose object it is may not be known yet")

// earlyPause is how long such an event waits.
const earlyPause = 250 * time.Millisecond

// certain says that an event is of no call of ours: nobody is known to have made
// its object, and the index has learned of all that the log took in until a while
// after the event came, when the answer of a call that is faster than its own
// effect was written down too. Until then it fails with errEarly; an index that
// does not get that far is not waited for beyond the patience.
func (w *Worker) certain(ctx context.Context, a arrival) error {
	now := w.cfg.Now()
	reached, err := w.learned.reached(ctx, a.stored.Add(w.cfg.Grace), now)
	switch {
	case err != nil:
		return fmt.Errorf("looking for who made an object: %w", err)
	case reached:
		return nil
	case now.Sub(a.Received) < w.cfg.Patience:
		return outcome.RetryAfter(errEarly, earlyPause)
	}
	w.cfg.Logger.WarnContext(ctx, "an event is routed although it is not known who made its object: the index is behind",
		"tenant", string(a.Tenant), "server", a.Server, "connection", a.Connection)
	return nil
}

// learned remembers how far the index has come. It is safe for concurrent use.
type learned struct {
	progress Progress

	mu    sync.Mutex
	until time.Time
	asked time.Time
}

// reached reports whether the index has come to a moment. It is asked for no
// moment that is to come, and once in half the time that an event waits.
func (l *learned) reached(ctx context.Context, moment, now time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.until.Before(moment) {
		return true, nil
	}
	if now.Before(moment) || now.Sub(l.asked) < earlyPause/2 {
		return false, nil
	}
	until, err := l.progress.Learned(ctx)
	if err != nil {
		return false, err
	}
	l.until, l.asked = until, now
	return !until.Before(moment), nil
}
