package waits_test

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway/waits"
	"github.com/feira-dev/feira/internal/testenv"
)

// TestWhateverTheFeedDoes: readers that begin anywhere, read at any pace and
// come back behind what they have seen get exactly the log's records, in order.
func TestWhateverTheFeedDoes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var sessions atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		feed := newFaulty(b.bus.Feed(), rapid.Uint64().Draw(rt, "seed"))
		feed.lose = rapid.IntRange(0, 60).Draw(rt, "lose")
		feed.repeat = rapid.IntRange(0, 20).Draw(rt, "repeat")
		feed.hold = rapid.IntRange(0, 20).Draw(rt, "hold")
		hub, err := waits.New(t.Context(), waits.Config{
			Feed: feed, Log: b.bus.Log(), Logger: slog.New(slog.DiscardHandler), Look: glance, Room: rapid.IntRange(2, 8).Draw(rt, "room"),
		})
		require.NoError(rt, err)
		defer hub.Close()
		w := b.writer(events.SessionID("s" + strconv.FormatInt(sessions.Add(1), 10)))
		w.some(t, rapid.IntRange(0, 5).Draw(rt, "before"))
		before, records := len(w.all), rapid.IntRange(1, 40).Draw(rt, "records")
		var readers errgroup.Group
		written := make(chan struct{})
		var readings []*reading
		for i := range rapid.IntRange(1, 4).Draw(rt, "readers") {
			r := &reading{
				hub: hub, id: w.id, want: before + records, written: written,
				leave: rapid.IntRange(0, 30).Draw(rt, fmt.Sprint("leave", i)), lazy: rapid.Bool().Draw(rt, fmt.Sprint("lazy", i)),
			}
			r.skipped = rapid.IntRange(0, before).Draw(rt, fmt.Sprint("skipped", i))
			require.NoError(rt, r.begin(within(t), w.all))
			readings = append(readings, r)
			readers.Go(func() error { return r.run(within(t)) })
		}
		w.some(t, records)
		close(written)
		require.NoError(rt, readers.Wait())
		for _, r := range readings {
			require.Equal(rt, w.all[r.skipped:], r.got)
			r.reader.Close()
		}
		require.Zero(rt, hub.Waiting())
	})
}

// reading is somebody who reads, may go away and come back.
type reading struct {
	hub     *waits.Hub
	id      events.SessionID
	want    int // the log's length at the end
	skipped int // of its records
	leave   int // and come back after so many
	lazy    bool
	now     bool          // and nothing is written yet
	written chan struct{} // closed when all is written, for which the lazy wait

	reader *waits.Reader
	got    []uint64
}

func (r *reading) begin(ctx context.Context, log []uint64) error {
	from := waits.Beginning()
	switch {
	case r.now, r.skipped > 0 && r.skipped == len(log):
		from = waits.Now()
	case r.skipped > 0:
		from = waits.Behind(log[r.skipped-1])
	}
	var err error
	r.reader, err = r.hub.Follow(ctx, waits.FollowParams{Tenant: acme, Session: r.id, From: from})
	return err
}

func (r *reading) run(ctx context.Context) error {
	if r.lazy {
		<-r.written
	}
	for len(r.got) < r.want-r.skipped {
		item, err := r.reader.Next(ctx)
		if err != nil {
			return err
		}
		r.got = append(r.got, item.Record.Sequence)
		if len(r.got) == r.leave {
			r.reader.Close()
			again, err := r.hub.Follow(ctx, waits.FollowParams{Tenant: acme, Session: r.id, From: waits.Behind(item.Record.Sequence)})
			if err != nil {
				return err
			}
			r.reader = again
		}
	}
	return nil
}

// A loss that nothing comes after is found by looking.
func TestSilentLossIsFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	feed := newFaulty(b.bus.Feed(), 1)
	hub := b.hub(t, func(c *waits.Config) { c.Feed, c.Look = feed, glance })
	w := b.writer("s1")
	w.some(t, 1)
	one, two := follow(t, hub, "s1", waits.Now()), follow(t, hub, "s1", waits.Beginning())
	requireReads(t, two, w.all)
	feed.deaf.Store(true)
	for i := range 5 {
		w.some(t, i+1)
		requireReads(t, one, w.all[len(w.all)-i-1:])
		requireReads(t, two, w.all[len(w.all)-i-1:])
	}
	feed.deaf.Store(false)
	w.some(t, 3)
	requireReads(t, one, w.all[len(w.all)-3:])
	requireReads(t, two, w.all[len(w.all)-3:])
}

// What a reader reads from the log tells the others of their loss at once.
func TestReadersTellEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	feed := newFaulty(b.bus.Feed(), 1)
	feed.deaf.Store(true)
	hub, w := b.hub(t, func(c *waits.Config) { c.Feed = feed }), b.writer("s1")
	early := follow(t, hub, "s1", waits.Now())
	w.some(t, 3)
	requireNothing(t, early)
	requireReads(t, follow(t, hub, "s1", waits.Beginning()), w.all)
	requireReads(t, early, w.all)
	w.some(t, 1)
	follow(t, hub, "s1", waits.Now())
	requireReads(t, early, w.all[3:])
}

// A replica that lags behind does not make a reader miss what was told.
func TestLaggingReplica(t *testing.T) {
	t.Parallel()
	b := setup(t)
	feed, log := newFaulty(b.bus.Feed(), 1), &lagging{Log: b.bus.Log()}
	hub, w := b.hub(t, func(c *waits.Config) { c.Feed, c.Log = feed, log }), b.writer("s1")
	reader := follow(t, hub, "s1", waits.Now())
	feed.silently(t, 4, func() { w.some(t, 4) })
	w.some(t, 1)
	requireReads(t, reader, w.all)
	require.EqualValues(t, 4, log.asked.Load(), "the leader is asked for each that the feed lost")
	requireNothing(t, reader)
	require.EqualValues(t, 4, log.asked.Load(), "and not for what nobody knows of")
}

// What was deleted before it was read is passed over aloud, not waited for.
func TestDeletedRecordsArePassedOver(t *testing.T) {
	t.Parallel()
	const warning = "records of a session were deleted before they were read"
	server := testenv.NATS(t)
	b := setupOn(t, server)
	feed := newFaulty(b.bus.Feed(), 1)
	hub, w := b.hub(t, func(c *waits.Config) { c.Feed, c.Room = feed, 2 }), b.writer("s1")
	reader := follow(t, hub, "s1", waits.Now())
	feed.silently(t, 3, func() { w.some(t, 3) })
	stream, err := server.JetStream(t).Stream(within(t), events.StreamSessions)
	require.NoError(t, err)
	require.NoError(t, stream.DeleteMsg(within(t), w.all[1]))
	w.some(t, 1)
	requireReads(t, reader, []uint64{w.all[0], w.all[2], w.all[3]})
	require.Zero(t, b.log.count(warning), "what is between two that are there needs no word")

	requireNothing(t, reader)
	fast := follow(t, hub, "s1", waits.Now())
	w.some(t, 4)
	requireReads(t, fast, w.all[4:])
	require.NoError(t, stream.Purge(within(t), jetstream.WithPurgeSubject(events.SessionSubject(acme, "s1"))))
	requireReads(t, reader, w.all[4:6]) // for which there was room
	requireNothing(t, reader)
	require.Equal(t, 1, b.log.count(warning))
	again := b.writer("s1") // the session begins anew
	again.some(t, 2)
	requireReads(t, reader, again.all)
	requireReads(t, fast, again.all)
}

func TestUnreadableLogIsAskedAgain(t *testing.T) {
	t.Parallel()
	const warning, relief = "the log of sessions cannot be read; waits go on asking", "the log of sessions can be read again"
	b := setup(t)
	log := &failing{Log: b.bus.Log(), failed: make(chan struct{}, 1)}
	hub, w := b.hub(t, func(c *waits.Config) { c.Log = log }), b.writer("s1")
	w.some(t, 3)
	log.down.Store(true)
	readers := []*waits.Reader{follow(t, hub, "s1", waits.Beginning()), follow(t, hub, "s1", waits.Behind(w.all[0]))}
	var reading errgroup.Group
	for i, reader := range readers {
		reading.Go(func() error {
			got, err := read(within(t), reader, len(w.all)-i)
			if err == nil && len(got) != len(w.all)-i {
				err = fmt.Errorf("reader %d has %v", i, got)
			}
			return err
		})
	}
	for range 3 {
		<-log.failed
	}
	ctx, cancel := context.WithTimeout(t.Context(), glance)
	defer cancel()
	_, err := follow(t, hub, "s1", waits.Beginning()).Next(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	log.down.Store(false)
	require.NoError(t, reading.Wait())
	require.Equal(t, 1, b.log.count(warning), "all waits fail together and say it once")
	require.Equal(t, 1, b.log.count(relief))

	log.down.Store(true)
	closed := follow(t, hub, "s1", waits.Beginning())
	ended := make(chan error, 1)
	go func() {
		_, err := closed.Next(within(t))
		ended <- err
	}()
	<-log.failed
	<-log.failed
	hub.Close()
	require.ErrorIs(t, <-ended, waits.ErrClosed)
}

// The broker dies and comes back while twenty readers wait, at every pace.
func TestBrokerComesBack(t *testing.T) {
	t.Parallel()
	server := testenv.Restartable(t)
	b := setupOn(t, &server.Server)
	other := b.connect(t, &server.Server) // writers are elsewhere
	hub := b.hub(t, func(c *waits.Config) { c.Look = 200 * time.Millisecond })
	w := &writer{log: other.Log(), id: "s1"}
	const phases, each = 3, 20
	var reading errgroup.Group
	got := make([][]uint64, 20)
	for i := range got {
		reader := follow(t, hub, "s1", waits.Beginning())
		reading.Go(func() (err error) {
			got[i], err = read(within(t), reader, phases*each)
			return err
		})
	}
	for phase := range phases {
		for range each {
			require.Eventually(t, func() bool { // the writer's connection has to come back, too
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := w.write(ctx, "r1", &events.ModelReplied{Iteration: w.next + 1, FinishReason: "stop"})
				return err == nil
			}, patience, glance)
		}
		if phase < phases-1 {
			server.Stop(t)
			server.Start(t)
		}
	}
	require.NoError(t, reading.Wait())
	for i := range got {
		require.Equal(t, w.all, got[i], "reader %d", i)
	}
}

// The hub's connection is cut again and again, on a feed that loses and repeats,
// under readers of every pace.
func TestConnectionIsCut(t *testing.T) {
	t.Parallel()
	const cuts, each, readers = 4, 15, 12
	server := testenv.NATS(t)
	b := setupOn(t, server)
	proxy := testenv.NewProxy(t, server.URL)
	away := b.connect(t, &testenv.Server{URL: proxy.URL, User: server.User, Password: server.Password})
	feed := newFaulty(away.Feed(), 7)
	feed.lose, feed.repeat, feed.hold = 10, 10, 10
	hub := b.hub(t, func(c *waits.Config) { c.Feed, c.Log, c.Look, c.Room = feed, away.Log(), 100*time.Millisecond, 8 })
	w, written := b.writer("s1"), make(chan struct{})
	var reading errgroup.Group
	got := make([][]uint64, readers)
	for i := range got {
		reader := follow(t, hub, "s1", waits.Now())
		reading.Go(func() (err error) {
			if i%3 == 0 {
				<-written
			}
			got[i], err = read(within(t), reader, cuts*each)
			return err
		})
	}
	for range cuts {
		w.some(t, each/2)
		proxy.Cut()
		w.some(t, each-each/2) // nobody hears these
	}
	close(written)
	require.NoError(t, reading.Wait())
	for i := range got {
		require.Equal(t, w.all, got[i], "reader %d", i)
	}
}
