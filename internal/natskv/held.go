package natskv

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Held is a lease in hand. It refreshes itself until it is lost or released,
// whatever becomes of the context that it was acquired with. It is safe for
// concurrent use.
type Held struct {
	lease *Lease
	token string
	value []byte

	lost chan struct{}
	stop context.CancelFunc
	done chan struct{} // closed when the refreshing goroutine has ended

	revision uint64 // of our last write; the refreshing goroutine's, and Release's after done

	mu     sync.Mutex // guards what follows
	until  time.Time  // on the monotonic clock: the lease is ours before it
	gone   bool       // lost is closed
	expiry *time.Timer
}

// claimed is a good write of the lease's entry.
type claimed struct {
	revision uint64
	sent     time.Time // before it was sent
}

func hold(ctx context.Context, lease *Lease, c *contender, first claimed) *Held {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &Held{
		lease: lease, token: c.token, value: c.value,
		lost: make(chan struct{}), stop: stop, done: make(chan struct{}),
		revision: first.revision, until: first.sent.Add(lease.config.TTL),
	}
	h.mu.Lock() // the timer may fire before it is assigned
	h.expiry = time.AfterFunc(time.Until(h.until), func() { h.expire(ctx) })
	h.mu.Unlock()
	go h.keep(ctx)
	return h
}

// Lost is closed when the lease is no longer ours: it could not be refreshed in
// time, somebody else has it, or it was released.
func (h *Held) Lost() <-chan struct{} { return h.lost }

// Valid reports whether the lease is ours by the clock. After a pause of the
// whole process it says no at once, where Lost may need a moment to close.
func (h *Held) Valid() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.gone && time.Now().Before(h.until)
}

// Release gives the lease up, so that a standby takes over at once, and returns
// when it refreshes no more. Releasing a lost or released lease succeeds.
func (h *Held) Release(ctx context.Context) error {
	h.stop()
	<-h.done
	h.lose()
	kv, key := h.lease.bucket, h.lease.config.Key
	revision := h.revision
	for range 2 { // once more where the answer to our last refresh was not waited for
		err := kv.Delete(ctx, key, jetstream.LastRevision(revision))
		if err == nil {
			return nil
		}
		if !refused(err) {
			return fmt.Errorf("releasing lease %s: %w", key, err)
		}
		entry, err := kv.Get(ctx, key)
		if missing(err) || err == nil && !owned(entry, h.token) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("releasing lease %s: %w", key, err)
		}
		revision = entry.Revision()
	}
	return nil
}

func (h *Held) keep(ctx context.Context) {
	defer close(h.done)
	tick := time.NewTicker(h.lease.config.Refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.lost:
			return
		case <-tick.C:
			h.refresh(ctx)
		}
	}
}

// refresh extends the lease. A refusal means that somebody else has the lease,
// unless the refused one is behind a refresh of ours whose answer was lost. Any
// other failure is tried again at the next tick; time decides.
func (h *Held) refresh(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, h.lease.answerPatience())
	defer cancel()
	kv, key := h.lease.bucket, h.lease.config.Key
	for range 2 {
		sent := time.Now()
		revision, err := kv.Update(bounded, key, h.value, h.revision)
		if err == nil {
			h.extend(claimed{revision: revision, sent: sent})
			return
		}
		if ctx.Err() != nil {
			return
		}
		if !refused(err) {
			kv.client.logger.WarnContext(ctx, "lease not refreshed", slog.String("lease", key), slog.Any("error", err))
			return
		}
		entry, err := kv.Get(bounded, key)
		switch {
		case missing(err), err == nil && !owned(entry, h.token):
			kv.client.logger.WarnContext(ctx, "lease taken over", slog.String("lease", key))
			h.lose()
			return
		case err != nil:
			return
		}
		h.revision = entry.Revision()
	}
}

func (h *Held) extend(good claimed) {
	h.revision = good.revision
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone {
		return
	}
	h.until = good.sent.Add(h.lease.config.TTL)
	h.expiry.Reset(time.Until(h.until))
}

// expire runs when the timer fires, which may be just after it was set anew.
func (h *Held) expire(ctx context.Context) {
	h.mu.Lock()
	over := !time.Now().Before(h.until)
	h.mu.Unlock()
	if over {
		h.lease.bucket.client.logger.WarnContext(ctx, "lease expired", slog.String("lease", h.lease.config.Key))
		h.lose()
	}
}

func (h *Held) lose() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expiry.Stop()
	if !h.gone {
		h.gone = true
		close(h.lost)
	}
}
