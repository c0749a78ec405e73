package waits

import (
	"context"
	"log/slog"

	"github.com/feira-dev/feira/events"
)

// How many records are read from the log at one time. A gap is mostly of one
// record, and that is one question to the broker; a reader that is further behind
// reads more each time.
const (
	pageSize   = 128
	pageGrowth = 8
)

// Item is what a reader gets: a record, or text of the model. Readers share
// them, so they are not to be changed.
type Item struct {
	// Record is nil where Delta is set.
	Record *events.Record
	// Delta has no sequence and no place among the records; it mostly comes
	// before the model.replied that it is a preview of. Some may be missing.
	Delta *events.ModelDelta
}

// Reader gets a session's records, each once and in order. It belongs to one
// goroutine; Close may be called from any.
type Reader struct {
	topic  *topic
	signal chan struct{} // tells that something of what the topic guards has changed

	seen   uint64          // sequence of the last record returned
	page   []events.Record // read from the log, to be returned next
	unread bool            // the log is to be read behind seen whatever is known
	stride int             // size of the last page of this gap; 0 outside of one

	// The topic's lock guards what follows.
	index   int // among the topic's readers
	pending []Item
	closed  bool
}

// begin finds out where the reader begins, once the subscription stands.
func (r *Reader) begin(ctx context.Context, from From) error {
	select {
	case <-r.topic.opened:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if r.topic.err != nil {
		return r.topic.err
	}
	if !from.now {
		r.seen, r.unread = from.after, true
		return nil
	}
	at, hub := r.topic.place, r.topic.hub
	var last uint64
	err := hub.ask(ctx, func(ctx context.Context) (err error) {
		last, err = hub.cfg.Log.Last(ctx, at.tenant, at.session)
		return err
	})
	if err != nil {
		return err
	}
	r.seen = last
	r.topic.learn(last)
	return nil
}

// Close ends the reader, and wakes who waits in Next. Closing again does nothing.
func (r *Reader) Close() { r.topic.hub.leave(r) }

// Seen is the sequence of the last record that Next has returned, or behind
// which the reader began.
func (r *Reader) Seen() uint64 { return r.seen }

// Next waits for the next item. When ctx ends first it returns the cause, and
// nothing is lost by it: the next call goes on. It outlives the broker's absence.
// After Close of reader or hub it returns [ErrClosed].
func (r *Reader) Next(ctx context.Context) (Item, error) {
	for {
		if ctx.Err() != nil {
			return Item{}, context.Cause(ctx)
		}
		if item, ok := r.turnPage(); ok {
			return item, nil
		}
		item, next := r.take()
		switch next {
		case stepReturn:
			return item, nil
		case stepRead:
			if err := r.read(ctx); err != nil {
				return Item{}, err
			}
		case stepWait:
			r.stride = 0
			select {
			case <-r.signal:
			case <-ctx.Done():
				return Item{}, context.Cause(ctx)
			}
		case stepEnd:
			return Item{}, ErrClosed
		}
	}
}

// step is what a reader does next.
type step int

const (
	stepReturn step = iota
	stepRead
	stepWait
	stepEnd
)

func (r *Reader) turnPage() (Item, bool) {
	if len(r.page) == 0 {
		r.page = nil
		return Item{}, false
	}
	record := &r.page[0]
	r.page, r.seen = r.page[1:], record.Sequence
	return Item{Record: record}, true
}

// take decides by what the topic knows.
func (r *Reader) take() (Item, step) {
	r.topic.mu.Lock()
	defer r.topic.mu.Unlock()
	if r.closed {
		return Item{}, stepEnd
	}
	if r.unread {
		return Item{}, stepRead
	}
	for len(r.pending) > 0 {
		item := r.pending[0]
		if item.Record != nil && item.Record.Previous > r.seen {
			return Item{}, stepRead // there is one between
		}
		if r.pending = r.pending[1:]; len(r.pending) == 0 {
			r.pending = nil
		}
		if item.Record == nil {
			return item, stepReturn
		}
		if item.Record.Sequence > r.seen {
			r.seen = item.Record.Sequence
			return item, stepReturn
		}
	}
	if r.seen < r.topic.last {
		return Item{}, stepRead
	}
	return Item{}, stepWait
}

// read gets the next page of the log.
func (r *Reader) read(ctx context.Context) error {
	if r.stride = min(max(1, r.stride*pageGrowth), pageSize); r.unread {
		r.stride = pageSize
	}
	records, more, err := r.topic.page(ctx, r.seen, r.stride)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		if records, err = r.insist(ctx); err != nil {
			return err
		}
	}
	r.page, r.unread = records, more && r.unread
	if n := len(records); n > 0 {
		r.topic.learn(records[n-1].Sequence)
	}
	return nil
}

// insist asks for a record that is known to be there though the log does not
// show it: a replica lags behind, or the record has been deleted, which only the
// leader can tell apart. What is deleted is passed over.
func (r *Reader) insist(ctx context.Context) ([]events.Record, error) {
	missing := r.missing()
	if missing <= r.seen {
		return nil, nil
	}
	at, hub := r.topic.place, r.topic.hub
	var record events.Record
	var found bool
	err := hub.ask(ctx, func(ctx context.Context) (err error) {
		record, found, err = hub.cfg.Log.Next(ctx, at.tenant, at.session, r.seen)
		return err
	})
	if err != nil {
		return nil, err
	}
	if found {
		return []events.Record{record}, nil
	}
	hub.cfg.Logger.WarnContext(ctx, "records of a session were deleted before they were read", slog.String("tenant", string(at.tenant)),
		slog.String("session", string(at.session)), slog.Uint64("behind", r.seen), slog.Uint64("up_to", missing))
	r.seen = missing
	return nil, nil
}

// missing is the sequence up to which the reader has to read before it can go
// on with what is pending.
func (r *Reader) missing() uint64 {
	r.topic.mu.Lock()
	defer r.topic.mu.Unlock()
	for _, item := range r.pending {
		if item.Record != nil && item.Record.Sequence > r.seen {
			return item.Record.Previous
		}
	}
	return r.topic.last
}

// offer puts an item before the reader. Beyond its room a record is dropped: the
// reader finds it in the log once it has caught up so far. Text of the model may
// take half of the room. The caller holds the topic's lock.
func (r *Reader) offer(item Item, room int) {
	if item.Delta != nil {
		room /= 2
	}
	if len(r.pending) < room {
		r.pending = append(r.pending, item)
	}
	r.wake()
}

// wake has the reader look again. The caller holds the topic's lock.
func (r *Reader) wake() {
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// close ends the reader. The caller holds the topic's lock.
func (r *Reader) close() {
	r.closed, r.pending = true, nil
	r.wake()
}
