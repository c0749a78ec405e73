package waits

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/feira-dev/feira/events"
)

// TurnParams says which request is waited for.
type TurnParams struct {
	Tenant  events.TenantID
	Session events.SessionID
	Request events.RequestID
	// From is where the log is read from: no later than the request's first
	// record, or the outcome lacks what lies before. [Now] is for a request that
	// is yet to be published, under an id that nobody has used.
	From From
	// Seen is the sequence of the last record that the client has been told.
	// What is not behind it is folded and not returned.
	Seen uint64
	// Deltas asks for the model's text as it arrives, too.
	Deltas bool
}

// Turn is the wait for one request. It belongs to one goroutine.
type Turn struct {
	reader  *Reader
	request events.RequestID
	seen    uint64
	outcome Outcome
}

// Turn waits for a request from its first record to its turn.completed,
// whenever it starts; it is to be closed.
func (h *Hub) Turn(ctx context.Context, params TurnParams) (*Turn, error) {
	reader, err := h.Follow(ctx, FollowParams{
		Tenant: params.Tenant, Session: params.Session, From: params.From, Deltas: params.Deltas,
	})
	if err != nil {
		return nil, err
	}
	return reader.Turn(params.Request, params.Seen), nil
}

// Turn waits for a request in what the reader goes on to read, and takes the
// reader over.
func (r *Reader) Turn(request events.RequestID, seen uint64) *Turn {
	return &Turn{reader: r, request: request, seen: seen, outcome: Outcome{Request: request}}
}

// Next waits for the request's next record, or text of its model. Behind the
// ending it returns [io.EOF]. When ctx ends first nothing is lost by it, as with
// [Reader.Next].
func (t *Turn) Next(ctx context.Context) (Item, error) {
	for !t.outcome.Ended() {
		item, err := t.reader.Next(ctx)
		if err != nil {
			return Item{}, err
		}
		if t.take(item) {
			return item, nil
		}
	}
	return Item{}, io.EOF
}

// take folds the item in and reports whether the client is to have it.
func (t *Turn) take(item Item) bool {
	if delta := item.Delta; delta != nil {
		return delta.Request == t.request && delta.Iteration > t.outcome.replies
	}
	if item.Record.Request != t.request {
		return false
	}
	t.outcome.fold(*item.Record)
	return item.Record.Sequence > t.seen
}

// Wait reads on to the ending.
func (t *Turn) Wait(ctx context.Context) (Outcome, error) {
	for {
		_, err := t.Next(ctx)
		if errors.Is(err, io.EOF) {
			return t.outcome, nil
		}
		if err != nil {
			return t.outcome, fmt.Errorf("waiting for request %s: %w", t.request, err)
		}
	}
}

// Outcome is what is known of the request so far.
func (t *Turn) Outcome() Outcome { return t.outcome }

// Close ends the wait. The request goes on.
func (t *Turn) Close() { t.reader.Close() }
