package natskv_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/testenv"
)

// Leases of tests: one that does not run out within a test, and one that does.
var (
	long  = natskv.LeaseConfig{TTL: time.Hour, Refresh: time.Minute}
	short = natskv.LeaseConfig{TTL: 1200 * time.Millisecond, Refresh: 100 * time.Millisecond}
)

func (b *bench) lease(t *testing.T, url string, config natskv.LeaseConfig) *natskv.Lease {
	t.Helper()
	lease, err := b.client(t, url).Lease(t.Context(), config)
	require.NoError(t, err)
	return lease
}

func acquire(t *testing.T, lease *natskv.Lease, holder string) *natskv.Held {
	t.Helper()
	held, err := lease.Acquire(bounded(t), holder)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, held.Release(bounded(t))) })
	return held
}

// waiting is an Acquire that goes on.
type waiting struct {
	held *natskv.Held
	err  error
	done chan struct{}
}

func contend(ctx context.Context, lease *natskv.Lease, holder string) *waiting {
	w := &waiting{done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.held, w.err = lease.Acquire(ctx, holder)
	}()
	return w
}

func (w *waiting) requireHeld(t *testing.T) *natskv.Held {
	t.Helper()
	within(t, "the lease to be acquired", w.done)
	require.NoError(t, w.err)
	t.Cleanup(func() { require.NoError(t, w.held.Release(bounded(t))) })
	return w.held
}

func requireLost(t *testing.T, held *natskv.Held) {
	t.Helper()
	within(t, "the lease to be lost", held.Lost())
	require.False(t, held.Valid())
}

func requireKept(t *testing.T, held *natskv.Held) {
	t.Helper()
	select {
	case <-held.Lost():
		require.Fail(t, "the lease is lost")
	default:
		require.True(t, held.Valid())
	}
}

func (w *waiting) requireWaits(t *testing.T) {
	t.Helper()
	select {
	case <-w.done:
		require.Fail(t, "a second holder", "error: %v", w.err)
	case <-time.After(silence):
	}
}

func TestReleaseLetsAStandbyInAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := acquire(t, b.lease(t, "", long), "first")
	requireKept(t, first)
	standby := contend(bounded(t), b.lease(t, "", long), "standby")
	standby.requireWaits(t)
	require.NoError(t, first.Release(t.Context()))
	requireLost(t, first)
	requireKept(t, standby.requireHeld(t)) // the lease lasts an hour: it was not waited out
	require.NoError(t, first.Release(t.Context()), "releasing what is released, and another's")
	requireKept(t, standby.held)
}

func TestDeletedLeaseIsTakenAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	config := natskv.LeaseConfig{TTL: time.Hour, Refresh: 20 * time.Millisecond}
	first := acquire(t, b.lease(t, "", config), "first")
	standby := contend(bounded(t), b.lease(t, "", long), "standby")
	standby.requireWaits(t)
	require.NoError(t, b.bucket(t, events.BucketLeases).Delete(t.Context(), events.KeySchedulerLease))
	requireKept(t, standby.requireHeld(t))
	requireLost(t, first) // its next refresh is refused
	require.Contains(t, b.logs.String(), "lease taken over")
}

func TestHolderRefreshesItsLease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	held := acquire(t, b.lease(t, "", short), "first")
	standby := contend(bounded(t), b.lease(t, "", short), "standby")
	select {
	case <-time.After(2 * short.TTL):
	case <-standby.done:
		require.Fail(t, "a second holder")
	case <-held.Lost():
		require.Fail(t, "the lease is lost")
	}
	requireKept(t, held)
	require.NoError(t, held.Release(t.Context()))
	standby.requireHeld(t)
}

// A holder whose wire is frozen knows by its own clock, before a standby holds.
func TestFrozenHolderHasGivenUpBeforeAStandbyHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy := testenv.NewProxy(t, b.server.URL)
	held := acquire(t, b.lease(t, proxy.URL, short), "frozen")
	standby := contend(bounded(t), b.lease(t, "", short), "standby")
	standby.requireWaits(t)

	proxy.Freeze()
	within(t, "the standby to hold", standby.done)
	require.False(t, held.Valid(), "two holders")
	requireLost(t, held)
	fresh := standby.requireHeld(t)

	proxy.Thaw() // what the frozen holder wrote comes late and is refused
	require.NoError(t, held.Release(bounded(t)))
	select {
	case <-fresh.Lost():
		require.Fail(t, "a late write took the lease away")
	case <-time.After(2 * short.TTL):
	}
	requireKept(t, fresh)
}

// Two standbys wait for the same expiry, and one of them must win.
func TestOneOfManyTakesOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	proxy := testenv.NewProxy(t, b.server.URL)
	held := acquire(t, b.lease(t, proxy.URL, short), "frozen")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var winners atomic.Int64
	first := make(chan *natskv.Held, 4)
	var all sync.WaitGroup
	for i := range 4 {
		lease := b.lease(t, "", short)
		all.Go(func() {
			if held, err := lease.Acquire(ctx, strconv.Itoa(i)); err == nil {
				winners.Add(1)
				first <- held
			}
		})
	}
	proxy.Freeze()
	requireLost(t, held)
	winner := <-first
	select {
	case <-winner.Lost():
		require.Fail(t, "the lease is lost")
	case <-time.After(2 * short.TTL):
	}
	cancel()
	all.Wait()
	require.Equal(t, int64(1), winners.Load())
	require.NoError(t, winner.Release(t.Context()))
	proxy.Thaw()
}

// The bucket's own age limit removes a dead holder's entry without a word.
func TestExpiryInTheBucketIsSeen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.js.UpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: events.BucketLeases, TTL: short.TTL})
	require.NoError(t, err)
	_, err = b.bucket(t, events.BucketLeases).Put(t.Context(), events.KeySchedulerLease, []byte(`{"holder":"dead","token":"x"}`))
	require.NoError(t, err)
	requireKept(t, acquire(t, b.lease(t, "", short), "standby"))
}

func TestGarbageInALeaseExpiresLikeAHolder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.bucket(t, events.BucketLeases).Put(t.Context(), events.KeySchedulerLease, []byte("garbage"))
	require.NoError(t, err)
	requireKept(t, acquire(t, b.lease(t, "", short), "standby"))
}

func TestLeaseSurvivesAQuickRestartOfTheBroker(t *testing.T) {
	t.Parallel()
	server := testenv.Restartable(t)
	b := furnish(t, &server.Server)
	config := natskv.LeaseConfig{TTL: patience, Refresh: 20 * time.Millisecond}
	held := acquire(t, b.lease(t, "", config), "first")
	standby := contend(bounded(t), b.lease(t, "", config), "standby")
	standby.requireWaits(t)

	server.Stop(t)
	server.Start(t)
	kv, err := server.JetStream(t).KeyValue(t.Context(), events.BucketLeases)
	require.NoError(t, err)
	before, err := kv.Get(t.Context(), events.KeySchedulerLease)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := kv.Get(t.Context(), events.KeySchedulerLease)
		return err == nil && now.Revision() > before.Revision()
	}, patience, poll, "the holder refreshes again")
	requireKept(t, held)
	standby.requireWaits(t)
	require.NoError(t, held.Release(t.Context()))
	standby.requireHeld(t)
}

// The answer to a refresh is lost with its connection: the next refresh is
// refused, because the lost one was stored, and the lease is kept all the same.
func TestHolderKnowsItsOwnLostWrite(t *testing.T) {
	t.Parallel()
	b := setup(t)
	held := acquire(t, b.lease(t, "", natskv.LeaseConfig{TTL: patience, Refresh: 50 * time.Millisecond}), "first")
	kv := b.bucket(t, events.BucketLeases)
	entry, err := kv.Get(t.Context(), events.KeySchedulerLease)
	require.NoError(t, err)
	// The same bytes under a revision that the holder has not heard of.
	lost, err := kv.Put(t.Context(), events.KeySchedulerLease, entry.Value())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := kv.Get(t.Context(), events.KeySchedulerLease)
		return err == nil && now.Revision() > lost+1
	}, patience, poll, "the holder refreshes again")
	requireKept(t, held)

	_, err = kv.Put(t.Context(), events.KeySchedulerLease, entry.Value())
	require.NoError(t, err)
	require.NoError(t, held.Release(t.Context()))
	_, err = kv.Get(t.Context(), events.KeySchedulerLease)
	require.ErrorIs(t, err, jetstream.ErrKeyNotFound, "the lost write is released too")
}

func TestAcquireEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	acquire(t, b.lease(t, "", long), "first")
	ctx, cancel := context.WithCancel(t.Context())
	standby := contend(ctx, b.lease(t, "", long), "standby")
	standby.requireWaits(t)
	cancel()
	within(t, "the contender to give up", standby.done)
	require.ErrorIs(t, standby.err, context.Canceled)
	require.Nil(t, standby.held)

	client := b.client(t, "")
	lease, err := client.Lease(t.Context(), long)
	require.NoError(t, err)
	standby = contend(t.Context(), lease, "standby")
	standby.requireWaits(t)
	client.Close()
	within(t, "the contender to give up", standby.done)
	require.ErrorIs(t, standby.err, natskv.ErrClosed)
}

func TestLeaseConfig(t *testing.T) {
	t.Parallel()
	b := setup(t)
	client := b.client(t, "")
	_, err := client.Lease(t.Context(), natskv.LeaseConfig{TTL: time.Second, Refresh: 600 * time.Millisecond})
	require.ErrorIs(t, err, natskv.ErrConfig)
	require.NoError(t, natskv.LeaseConfig{}.Validate())

	_, err = b.js.UpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: events.BucketLeases, TTL: time.Second})
	require.NoError(t, err)
	_, err = client.Lease(t.Context(), natskv.LeaseConfig{TTL: 2 * time.Second})
	require.ErrorContains(t, err, "keeps entries for 1s only")
	_, err = client.Lease(t.Context(), natskv.LeaseConfig{TTL: time.Second, Refresh: 100 * time.Millisecond})
	require.NoError(t, err)
}

// Many contenders come, hold, freeze and go by chance. At no moment do two of
// them believe that they hold the lease.
func TestAtMostOneHolds(t *testing.T) {
	t.Parallel()
	const contenders, terms = 4, 24
	b := setup(t)
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	ruling := &ruling{}
	var all sync.WaitGroup
	for i := range contenders {
		proxy := testenv.NewProxy(t, b.server.URL)
		lease := b.lease(t, proxy.URL, natskv.LeaseConfig{TTL: 300 * time.Millisecond, Refresh: 50 * time.Millisecond})
		chance := rand.New(rand.NewPCG(uint64(i), 1))
		all.Go(func() {
			for ctx.Err() == nil {
				held, err := lease.Acquire(ctx, strconv.Itoa(i))
				if err != nil {
					return
				}
				ruling.term(held, i)
				if ruling.count() >= terms {
					cancel()
				}
				if chance.IntN(3) == 0 {
					proxy.Freeze()
					<-held.Lost()
					proxy.Thaw()
				}
				if err := held.Release(context.WithoutCancel(ctx)); err != nil {
					ruling.fault(err.Error())
				}
			}
		})
	}
	all.Wait()
	require.Empty(t, ruling.faults)
	require.GreaterOrEqual(t, ruling.count(), terms)
}

// ruling compares every new holder with the last one.
type ruling struct {
	mu     sync.Mutex
	last   *natskv.Held
	who    int
	terms  int
	faults []string
}

func (r *ruling) term(held *natskv.Held, who int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// First the older, then the newer: valid both times is valid at one time.
	if r.last != nil && r.last.Valid() && held.Valid() {
		r.faults = append(r.faults, strconv.Itoa(r.who)+" and "+strconv.Itoa(who)+" hold at one time")
	}
	r.last, r.who = held, who
	r.terms++
}

func (r *ruling) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.terms
}

func (r *ruling) fault(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, text)
}
