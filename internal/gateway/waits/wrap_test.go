package waits_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// faulty is a feed that loses, repeats and swaps what comes.
type faulty struct {
	waits.Feed

	mu       sync.Mutex
	dice     *rand.Rand
	lose     int // of a hundred
	repeat   int
	hold     int // told after the next one
	held     []events.Record
	deaf     atomic.Bool
	lost     atomic.Int64 // while deaf
	open     atomic.Int64 // subscriptions
	attempts atomic.Int64
}

func newFaulty(feed waits.Feed, seed uint64) *faulty {
	return &faulty{Feed: feed, dice: rand.New(rand.NewPCG(seed, seed))}
}

func (f *faulty) Subscribe(ctx context.Context, tenant events.TenantID, id events.SessionID, hear func(events.Record)) error {
	f.attempts.Add(1)
	err := f.Feed.Subscribe(ctx, tenant, id, func(record events.Record) {
		for _, told := range f.distort(record) {
			hear(told)
		}
	})
	if err == nil {
		f.open.Add(1)
		context.AfterFunc(ctx, func() { f.open.Add(-1) })
	}
	return err
}

// silently loses the n records that write writes, all of them.
func (f *faulty) silently(t *testing.T, n int64, write func()) {
	t.Helper()
	before := f.lost.Load()
	f.deaf.Store(true)
	write()
	require.Eventually(t, func() bool { return f.lost.Load() == before+n }, patience, time.Millisecond)
	f.deaf.Store(false)
}

func (f *faulty) distort(record events.Record) []events.Record {
	if f.deaf.Load() {
		f.lost.Add(1)
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var told []events.Record
	switch dice := f.dice.IntN(100); {
	case dice < f.lose:
	case dice < f.lose+f.repeat:
		told = append(told, record, record)
	case dice < f.lose+f.repeat+f.hold:
		f.held = append(f.held, record)
		return nil
	default:
		told = append(told, record)
	}
	told = append(told, f.held...)
	f.held = nil
	return told
}

// counting is a log that counts what is read of it.
type counting struct {
	waits.Log

	pages atomic.Int64
}

func (c *counting) Page(ctx context.Context, tenant events.TenantID, id events.SessionID, after uint64, limit int) ([]events.Record, bool, error) {
	c.pages.Add(1)
	return c.Log.Page(ctx, tenant, id, after, limit)
}

// lagging is a log whose replica shows nothing, while its leader knows all.
type lagging struct {
	waits.Log

	asked atomic.Int64
}

func (l *lagging) Page(context.Context, events.TenantID, events.SessionID, uint64, int) ([]events.Record, bool, error) {
	return nil, false, nil
}

func (l *lagging) Next(ctx context.Context, tenant events.TenantID, id events.SessionID, after uint64) (events.Record, bool, error) {
	l.asked.Add(1)
	return l.Log.Next(ctx, tenant, id, after)
}

// failing is a log that cannot be read while it is down.
type failing struct {
	waits.Log

	down   atomic.Bool
	failed chan struct{} // gets a token for each failure that somebody waits for
}

func (f *failing) Page(ctx context.Context, tenant events.TenantID, id events.SessionID, after uint64, limit int) ([]events.Record, bool, error) {
	if f.down.Load() {
		select {
		case f.failed <- struct{}{}:
		default:
		}
		return nil, false, context.DeadlineExceeded
	}
	return f.Log.Page(ctx, tenant, id, after, limit)
}
