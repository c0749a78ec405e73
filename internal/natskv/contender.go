package natskv

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// contender is one Acquire. All but wake belongs to the goroutine of run.
type contender struct {
	lease *Lease
	token string
	value []byte
	news  chan struct{} // of one place: something may have changed

	// The entry of the present holder, and when it was first seen.
	revision uint64
	seen     time.Time
}

// wake has the contender look at once. The watch only wakes; what counts is
// what is read then, so a watch that lags or repeats itself does no harm.
func (c *contender) wake() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

func (c *contender) run(ctx context.Context) (*Held, error) {
	watching, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	var fault error
	go func() {
		defer close(ended)
		fault = c.lease.bucket.follow(watching, c.lease.config.Key, follower{
			begin:    func() {},
			entry:    func(jetstream.KeyValueEntry) { c.wake() },
			caughtUp: c.wake,
		})
	}()
	held := c.contend(ctx, ended)
	stop()
	<-ended
	if held == nil {
		return nil, fault
	}
	return held, nil
}

// contend returns nil when ctx or the watch has ended.
func (c *contender) contend(ctx context.Context, ended <-chan struct{}) *Held {
	timer := time.NewTimer(c.lease.config.TTL)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			return nil
		case <-c.news:
		case <-timer.C:
		}
		held, wait := c.try(ctx)
		if held != nil {
			return held
		}
		timer.Reset(wait)
	}
}

// try takes the lease if it is free, ours from a write whose answer was lost,
// or not refreshed for too long. Otherwise it says when to try again at the
// latest. A failure of the broker is a reason to try again.
func (c *contender) try(ctx context.Context) (*Held, time.Duration) {
	config, kv := c.lease.config, c.lease.bucket
	bounded, cancel := context.WithTimeout(ctx, c.lease.answerPatience())
	defer cancel()
	revision, wait := c.look(bounded)
	if wait > 0 {
		return nil, wait
	}
	sent := time.Now()
	var err error
	if revision == 0 {
		revision, err = kv.Create(bounded, config.Key, c.value)
	} else {
		revision, err = kv.Update(bounded, config.Key, c.value, revision)
	}
	if err != nil {
		return nil, config.Refresh
	}
	return hold(ctx, c.lease, c, claimed{revision: revision, sent: sent}), 0
}

// look returns the revision that a takeover has to replace, 0 when there is
// nothing to replace; or how long to wait.
func (c *contender) look(ctx context.Context) (revision uint64, wait time.Duration) {
	config := c.lease.config
	entry, err := c.lease.bucket.Get(ctx, config.Key)
	now := time.Now()
	switch {
	case missing(err):
		return 0, 0
	case err != nil:
		return 0, config.Refresh
	case owned(entry, c.token):
		return entry.Revision(), 0
	case entry.Revision() > c.revision:
		c.revision, c.seen = entry.Revision(), now
		return 0, config.TTL
	case entry.Revision() < c.revision: // a replica that lags
		return 0, config.Refresh
	}
	if left := config.TTL - now.Sub(c.seen); left > 0 {
		return 0, left
	}
	return entry.Revision(), 0
}
