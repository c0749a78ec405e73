package waits_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway/waits"
	"github.com/feira-dev/feira/internal/testenv"
)

func TestReadersBeginWhereTheyAreTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	w.some(t, 3)
	begun := map[string]*waits.Reader{
		"beginning": follow(t, hub, "s1", waits.Beginning()),
		"behind":    follow(t, hub, "s1", waits.Behind(w.all[1])),
		"now":       follow(t, hub, "s1", waits.Now()),
	}
	b.writer("s2").some(t, 2)
	w.some(t, 2)
	for name, from := range map[string]int{"beginning": 0, "behind": 2, "now": 3} {
		reader := begun[name]
		requireReads(t, reader, w.all[from:])
		require.Equal(t, w.all[4], reader.Seen())
		requireNothing(t, reader)
	}
	require.Equal(t, 1, hub.Waiting(), "readers of a session share what is heard of it")
}

// The first reader of a session that is yet to be may come before anything of it.
func TestReaderOfASessionToCome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	early, now := follow(t, hub, "s1", waits.Beginning()), follow(t, hub, "s1", waits.Now())
	requireNothing(t, early)
	w.some(t, 3)
	requireReads(t, early, w.all)
	requireReads(t, now, w.all)
}

func TestLongLogIsReadByPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	w.some(t, 300)
	reader := follow(t, hub, "s1", waits.Beginning())
	requireReads(t, reader, w.all[:200])
	w.some(t, 5)
	requireReads(t, reader, w.all[200:])
	requireNothing(t, reader)
}

func TestEndOfContextLosesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, nil), b.writer("s1")
	reader := follow(t, hub, "s1", waits.Beginning())
	why := errors.New("the heartbeat is due")
	var got []uint64
	for range 20 {
		w.some(t, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		_, err := reader.Next(ctx)
		require.ErrorIs(t, err, why)
		ctx, stop := context.WithTimeoutCause(t.Context(), time.Millisecond, why)
		for err = nil; err == nil; {
			var item waits.Item
			if item, err = reader.Next(ctx); err == nil {
				got = append(got, item.Record.Sequence)
			}
		}
		require.ErrorIs(t, err, why)
		stop()
	}
	rest, err := read(within(t), reader, len(w.all)-len(got))
	require.NoError(t, err)
	require.Equal(t, w.all, append(got, rest...))
}

func TestSlowReaderHoldsUpNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := &counting{Log: b.bus.Log()}
	hub, w := b.hub(t, func(c *waits.Config) { c.Log, c.Room = log, 4 }), b.writer("s1")
	slow, fast := follow(t, hub, "s1", waits.Now()), follow(t, hub, "s1", waits.Now())
	for i := range 100 {
		w.some(t, 1)
		requireReads(t, fast, w.all[i:])
	}
	require.Zero(t, log.pages.Load(), "who keeps up reads no log")
	requireReads(t, slow, w.all[:4])
	require.Zero(t, log.pages.Load(), "for these there was room")
	requireReads(t, slow, w.all[4:])
	require.EqualValues(t, 4, log.pages.Load(), "of 1, 8, 64 and the 23 that are left")
}

func TestDeltasComeBesideTheRecords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hub, w := b.hub(t, func(c *waits.Config) { c.Room = 8 }), b.writer("s1")
	plain := follow(t, hub, "s1", waits.Now())
	reader, err := hub.Follow(within(t), waits.FollowParams{Tenant: acme, Session: "s1", From: waits.Now(), Deltas: true})
	require.NoError(t, err)
	t.Cleanup(reader.Close)
	delta := events.ModelDelta{Request: "r1", Iteration: 1, Text: "good "}
	require.NoError(t, b.bus.Hints().Delta(acme, "s1", delta))
	item, err := reader.Next(within(t))
	require.NoError(t, err)
	require.Equal(t, waits.Item{Delta: &delta}, item)

	// Text never takes the room of records.
	for range 20 {
		require.NoError(t, b.bus.Hints().Delta(acme, "s1", delta))
	}
	w.some(t, 3)
	requireReads(t, plain, w.all)
	deltas := 0
	var got []uint64
	for len(got) < 3 {
		item, err := reader.Next(within(t))
		require.NoError(t, err)
		if item.Delta != nil {
			deltas++
		} else {
			got = append(got, item.Record.Sequence)
		}
	}
	require.Equal(t, w.all, got)
	require.Equal(t, 4, deltas, "half of the room")

	deaf := b.hub(t, func(c *waits.Config) { c.Deltas = nil })
	_, err = deaf.Follow(within(t), waits.FollowParams{Tenant: acme, Session: "s1", Deltas: true})
	require.ErrorIs(t, err, waits.ErrNoDeltas)
}

func TestCloseWakesWhoWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	feed := newFaulty(b.bus.Feed(), 1)
	hub := b.hub(t, func(c *waits.Config) { c.Feed = feed })
	reader, other := follow(t, hub, "s1", waits.Beginning()), follow(t, hub, "s1", waits.Beginning())
	errs := make(chan error, 2)
	for _, r := range []*waits.Reader{reader, other} {
		go func() {
			_, err := r.Next(within(t))
			errs <- err
		}()
	}
	reader.Close()
	reader.Close()
	require.ErrorIs(t, <-errs, waits.ErrClosed)
	require.EqualValues(t, 1, feed.open.Load(), "the other still waits")
	require.Equal(t, 1, hub.Waiting())
	hub.Close()
	require.ErrorIs(t, <-errs, waits.ErrClosed)
	other.Close()
	hub.Close()
	require.Eventually(t, func() bool { return feed.open.Load() == 0 }, patience, time.Millisecond)
	_, err := hub.Follow(within(t), waits.FollowParams{Tenant: acme, Session: "s1"})
	require.ErrorIs(t, err, waits.ErrClosed)
}

// The last reader takes the subscription along, and the next one makes another.
func TestSubscriptionLastsAsLongAsItsReaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	feed := newFaulty(b.bus.Feed(), 1)
	hub, w := b.hub(t, func(c *waits.Config) { c.Feed = feed }), b.writer("s1")
	for round := 1; round <= 3; round++ {
		var readers []*waits.Reader
		for range 5 {
			readers = append(readers, follow(t, hub, "s1", waits.Now()))
		}
		w.some(t, 1)
		for _, i := range []int{0, 4, 1, 3} { // out of order
			require.EqualValues(t, 1, feed.open.Load())
			requireReads(t, readers[i], w.all[len(w.all)-1:])
			readers[i].Close()
		}
		requireReads(t, readers[2], w.all[len(w.all)-1:])
		for _, reader := range readers {
			reader.Close()
		}
		require.EqualValues(t, round, feed.attempts.Load())
		require.Zero(t, hub.Waiting())
		require.Eventually(t, func() bool { return feed.open.Load() == 0 }, patience, time.Millisecond)
	}
}

func TestFollowingNeedsTheBroker(t *testing.T) {
	t.Parallel()
	server := testenv.Restartable(t)
	b := setupOn(t, &server.Server)
	hub, w := b.hub(t, nil), b.writer("s1")
	w.some(t, 2)
	server.Stop(t)
	_, err := hub.Follow(within(t), waits.FollowParams{Tenant: acme, Session: "s1"})
	require.ErrorContains(t, err, "following session s1 of acme")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = hub.Follow(ended, waits.FollowParams{Tenant: acme, Session: "s1"})
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, hub.Waiting())
	server.Start(t)
	require.Eventually(t, func() bool {
		reader, err := hub.Follow(within(t), waits.FollowParams{Tenant: acme, Session: "s1"})
		if err != nil {
			return false
		}
		defer reader.Close()
		requireReads(t, reader, w.all)
		return true
	}, patience, glance)
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for field, change := range map[string]func(*waits.Config){
		"feed, log and logger": func(c *waits.Config) { c.Log = nil },
		"look is -1ns":         func(c *waits.Config) { c.Look = -1 },
		"look is 9.999999ms":   func(c *waits.Config) { c.Look = 10*time.Millisecond - 1 },
		"room is -1":           func(c *waits.Config) { c.Room = -1 },
		"reads is -1":          func(c *waits.Config) { c.Reads = -1 },
	} {
		config := waits.Config{Feed: b.bus.Feed(), Log: b.bus.Log(), Logger: slog.New(b.log), Look: 10 * time.Millisecond, Room: 1, Reads: 1}
		require.NoError(t, config.Validate())
		change(&config)
		_, err := waits.New(t.Context(), config)
		require.ErrorIs(t, err, waits.ErrInvalidConfig)
		require.ErrorContains(t, err, field)
	}
}
