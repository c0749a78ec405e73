package webhooks

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// maxAppends is how often an append may be overtaken by others of the session.
const maxAppends = 64

type telling struct {
	plan

	fresh bool // nobody can have told it before
}

// tell appends the event to the session's log unless it stands there, and
// returns what it has read of the log behind the plan's After.
func (w *Worker) tell(ctx context.Context, a arrival, customer tenant.Tenant, t telling) ([]events.Record, error) {
	fact := a.fact(t.plan)
	var tail []events.Record
	last := t.After
	if !t.fresh {
		var err error
		if tail, last, err = w.readOn(ctx, a, t.Log, tail, last); err != nil {
			return nil, err
		}
	}
	for range maxAppends {
		if stands(tail, session.EventID("", fact)) {
			return tail, nil
		}
		var next events.Event = fact
		if last == 0 {
			next = opening(customer)
		}
		sequence, err := w.cfg.Log.Append(ctx, w.entry(a, t.Log, last, next))
		switch {
		case err == nil && next == fact:
			return tail, nil
		case err == nil:
			last = sequence
		case errors.Is(err, session.ErrConflict), errors.Is(err, session.ErrUncertain):
			if tail, last, err = w.readOn(ctx, a, t.Log, tail, last); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("telling session %s of a webhook: %w", t.Log, err)
		}
	}
	return nil, fmt.Errorf("telling session %s of a webhook: %w", t.Log, session.ErrConflict)
}

// readOn reads what has come since.
func (w *Worker) readOn(ctx context.Context, a arrival, id events.SessionID, tail []events.Record, last uint64) ([]events.Record, uint64, error) {
	more, err := w.cfg.Log.Read(ctx, a.Tenant, id, last)
	if err != nil {
		return nil, 0, fmt.Errorf("reading session %s: %w", id, err)
	}
	if len(more) > 0 {
		last = more[len(more)-1].Sequence
	}
	return append(tail, more...), last, nil
}

func stands(records []events.Record, id string) bool {
	for _, record := range records {
		if record.ID == id {
			return true
		}
	}
	return false
}
