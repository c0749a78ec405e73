package waits

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/feira-dev/feira/events"
)

// Hub serves everybody in this process who waits for sessions. It is safe for
// concurrent use.
type Hub struct {
	cfg Config
	// spawn makes the context of a topic, which belongs to no single follower.
	spawn   func() (context.Context, context.CancelFunc)
	reads   chan struct{} // holds a token for each read of the log under way
	closing chan struct{}
	ill     atomic.Bool // the log cannot be read, as last reported

	running sync.WaitGroup // of openings and looks

	mu     sync.Mutex // guards what follows; a topic's lock is taken within it
	topics map[place]*topic
	closed bool
}

// place is a session, with or without the model's text.
type place struct {
	tenant  events.TenantID
	session events.SessionID
	deltas  bool
}

// New makes a hub. What the hub does on its own has the values of ctx, but not
// its end: Close ends it.
func New(ctx context.Context, cfg Config) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	base := context.WithoutCancel(ctx)
	return &Hub{
		cfg:     cfg,
		spawn:   func() (context.Context, context.CancelFunc) { return context.WithCancel(base) },
		reads:   make(chan struct{}, cfg.Reads),
		closing: make(chan struct{}),
		topics:  make(map[place]*topic),
	}, nil
}

// FollowParams says what to follow.
type FollowParams struct {
	Tenant  events.TenantID
	Session events.SessionID
	// From is where to begin. The zero value is the session's beginning.
	From From
	// Deltas asks for the model's text as it arrives, too.
	Deltas bool
}

// From is a place in a session's log to begin behind.
type From struct {
	after uint64
	now   bool
}

// Beginning begins with the session's first record.
func Beginning() From { return From{} }

// Behind begins behind a sequence that the reader has seen.
func Behind(sequence uint64) From { return From{after: sequence} }

// Now begins behind what the log holds when Follow returns. What is stored
// later is not missed; some that was stored just before may come.
func Now() From { return From{now: true} }

// Follow returns a reader of a session's records, which is to be closed. What is
// stored from then on reaches it.
func (h *Hub) Follow(ctx context.Context, params FollowParams) (*Reader, error) {
	if params.Deltas && h.cfg.Deltas == nil {
		return nil, ErrNoDeltas
	}
	r, err := h.join(place{tenant: params.Tenant, session: params.Session, deltas: params.Deltas}) //nolint:contextcheck // a topic outlives who follows first
	if err != nil {
		return nil, err
	}
	if err := r.begin(ctx, params.From); err != nil {
		r.Close()
		return nil, fmt.Errorf("following session %s of %s: %w", params.Session, params.Tenant, err)
	}
	return r, nil
}

// join makes a reader of the place, and the topic when it is the first.
func (h *Hub) join(at place) (*Reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	t, ok := h.topics[at]
	if !ok {
		ctx, cancel := h.spawn()
		t = newTopic(h, at, cancel)
		h.topics[at] = t
		h.running.Go(func() { t.open(ctx) })
	}
	return t.admit(), nil
}

// leave removes a reader, and its topic after the last one.
func (h *Hub) leave(r *Reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.topic.dismiss(r) {
		h.forget(r.topic)
		r.topic.end()
	}
}

// forget has the next follower begin with a new topic. The caller holds the lock.
func (h *Hub) forget(t *topic) {
	if h.topics[t.place] == t {
		delete(h.topics, t.place)
	}
}

// abandon is forget for a topic that could not be opened: those who wait for it
// are told, the next may have more luck.
func (h *Hub) abandon(t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(t)
}

// enter lets a look begin, unless the hub is closed.
func (h *Hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.running.Add(1)
	}
	return !h.closed
}

// Waiting is how many sessions are waited for, those with the model's text
// counted on their own.
func (h *Hub) Waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.topics)
}

// Close ends all readers, whose Next then returns [ErrClosed], and returns when
// nothing is under way any more.
func (h *Hub) Close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.closing)
		for _, t := range h.topics {
			t.end()
		}
		clear(h.topics)
	}
	h.mu.Unlock()
	h.running.Wait()
}
