package waits

import (
	"context"

	"github.com/feira-dev/feira/events"
)

// flight is a read of the log that several readers of one session wait for.
type flight struct {
	after  uint64
	limit  int
	landed chan struct{} // closed when the rest is there

	records []events.Record
	more    bool
	err     error
}

// page reads the log once for all readers that ask for the same page at one
// time: a session's readers mostly miss the same records, or begin together.
func (t *topic) page(ctx context.Context, after uint64, limit int) ([]events.Record, bool, error) {
	for {
		f, mine := t.board(after, limit)
		if mine {
			t.fly(ctx, f)
			return f.records, f.more, f.err
		}
		select {
		case <-f.landed:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
		if f.err == nil || t.hub.isClosing() {
			return f.records, f.more, f.err
		}
		// Who read for us has given up, which is no reason to.
	}
}

// board returns the flight under way, or one that the caller is to fly. Only one
// at a time is shared; what does not fit it flies alone.
func (t *topic) board(after uint64, limit int) (f *flight, mine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.flight; f != nil && f.after == after && f.limit == limit {
		return f, false
	}
	f = &flight{after: after, limit: limit, landed: make(chan struct{})}
	if t.flight == nil {
		t.flight = f
	}
	return f, true
}

func (t *topic) fly(ctx context.Context, f *flight) {
	f.err = t.hub.ask(ctx, func(ctx context.Context) (err error) {
		f.records, f.more, err = t.hub.cfg.Log.Page(ctx, t.place.tenant, t.place.session, f.after, f.limit)
		return err
	})
	t.mu.Lock()
	if t.flight == f {
		t.flight = nil
	}
	t.mu.Unlock()
	close(f.landed)
}
