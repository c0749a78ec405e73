package waits

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
)

// topic is one session that somebody waits for.
type topic struct {
	hub    *Hub
	place  place
	cancel context.CancelFunc // ends the subscriptions
	opened chan struct{}      // closed when they stand, or err says why not
	err    error

	mu      sync.Mutex // guards what follows, and of each reader what it says
	readers []*Reader
	// last is the latest sequence that is known to have been stored. A reader
	// that has seen less, and has nothing pending, is behind.
	last  uint64
	timer *time.Timer // of the next look; nil before the topic is open
	ended bool
	// flight is a read of the log under way; nil for none.
	flight *flight
}

func newTopic(h *Hub, at place, cancel context.CancelFunc) *topic {
	return &topic{hub: h, place: at, cancel: cancel, opened: make(chan struct{})}
}

// open subscribes, whoever of the followers is still there.
func (t *topic) open(ctx context.Context) {
	var subscriptions errgroup.Group
	subscriptions.Go(func() error { return t.hub.cfg.Feed.Subscribe(ctx, t.place.tenant, t.place.session, t.hear) })
	if t.place.deltas {
		subscriptions.Go(func() error {
			return t.hub.cfg.Deltas.WatchDeltas(ctx, t.place.tenant, t.place.session, t.hearDelta)
		})
	}
	if t.err = subscriptions.Wait(); t.err != nil {
		t.hub.abandon(t)
		t.cancel() // one of the two may stand
	} else {
		t.mu.Lock()
		if !t.ended {
			t.timer = time.AfterFunc(t.hub.interval(), func() { t.look(ctx) })
		}
		t.mu.Unlock()
	}
	close(t.opened)
}

// hear offers a record of the feed to all readers.
func (t *topic) hear(record events.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = max(t.last, record.Sequence)
	for _, r := range t.readers {
		r.offer(Item{Record: &record}, t.hub.cfg.Room)
	}
}

func (t *topic) hearDelta(delta events.ModelDelta) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.readers {
		r.offer(Item{Delta: &delta}, t.hub.cfg.Room)
	}
}

// learn takes in that the log reaches to the sequence, and wakes those who
// have seen less.
func (t *topic) learn(sequence uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sequence <= t.last {
		return
	}
	t.last = sequence
	for _, r := range t.readers {
		r.wake()
	}
}

// look asks whether the log has more than the feed has told. When all reads are
// taken, nobody waits for one: this one comes again soon.
func (t *topic) look(ctx context.Context) {
	if !t.hub.enter() {
		return
	}
	defer t.hub.running.Done()
	again := t.hub.interval()
	select {
	case t.hub.reads <- struct{}{}:
		t.find(ctx)
		<-t.hub.reads
	default:
		again /= 16
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.timer.Reset(again)
	}
}

func (t *topic) find(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	t.mu.Lock()
	last := t.last
	t.mu.Unlock()
	found, _, err := t.hub.cfg.Log.Page(ctx, t.place.tenant, t.place.session, last, 1)
	if ctx.Err() == nil {
		t.hub.report(ctx, err)
	}
	if err == nil && len(found) > 0 {
		t.learn(found[0].Sequence)
	}
}

// interval keeps the looks of many topics from coming all at one time, but lets
// a few come together: they cost half when they share packets and wake-ups.
func (h *Hub) interval() time.Duration {
	third := h.cfg.Look / 3
	at := time.Now().Add(2*third + rand.N(3*third+1)) //nolint:gosec // it spreads load and guards nothing
	return time.Until(at.Round(h.cfg.Look / 60))
}

// admit makes a reader of the topic.
func (t *topic) admit() *Reader {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &Reader{topic: t, index: len(t.readers), signal: make(chan struct{}, 1)}
	t.readers = append(t.readers, r)
	return r
}

// dismiss removes a reader and reports whether it was the last one.
func (t *topic) dismiss(r *Reader) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.closed {
		return false
	}
	r.close()
	end := len(t.readers) - 1
	t.readers[r.index] = t.readers[end]
	t.readers[r.index].index = r.index
	t.readers[end] = nil
	t.readers = t.readers[:end]
	return end == 0
}

// end ends subscriptions, looks and readers.
func (t *topic) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	if t.timer != nil {
		t.timer.Stop()
	}
	for _, r := range t.readers {
		r.close()
	}
	t.readers = nil
	t.cancel()
}
