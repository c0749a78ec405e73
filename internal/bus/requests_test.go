package bus_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/testenv"
)

func TestRequestsReadAndRemove(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sent := request(t, acme, "s1", "hello")
	sequence := publish(t, b.bus, sent)
	got, found, err := b.bus.Requests().Read(t.Context(), sequence)
	require.NoError(t, err)
	require.True(t, found)
	require.WithinDuration(t, time.Now(), got.Time, patience)
	sent.Sequence, sent.Time = sequence, got.Time
	require.Empty(t, cmp.Diff(sent, got))

	for range 2 { // the second time it is gone already
		require.NoError(t, b.bus.Requests().Remove(t.Context(), sequence))
		_, found, err = b.bus.Requests().Read(t.Context(), sequence)
		require.NoError(t, err)
		require.False(t, found)
	}
	require.NoError(t, b.bus.Requests().Remove(t.Context(), 4711), "one that never was")
	waiting, err := b.bus.Requests().Waiting(t.Context(), sequence)
	require.NoError(t, err)
	require.False(t, waiting)
}

func TestRequestsRefuseAFullBacklogOfOneTenantAlone(t *testing.T) {
	t.Parallel()
	b := setupOn(t, testenv.NATS(t), bus.Topology{Backlog: 2})
	publish(t, b.bus, request(t, acme, "", "1"))
	publish(t, b.bus, request(t, acme, "", "2"))
	_, err := b.bus.Requests().Publish(t.Context(), request(t, acme, "", "3"))
	require.ErrorIs(t, err, bus.ErrBacklogFull)
	require.ErrorContains(t, err, "acme")
	require.ErrorContains(t, err, "2")
	publish(t, b.bus, request(t, globex, "", "1"))
}

func TestRequestsRefuseWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	message := request(t, acme, "", "hello")
	message.Data = make([]byte, events.MaxMessageBytes+1)
	_, err := b.bus.Requests().Publish(t.Context(), message)
	require.ErrorIs(t, err, events.ErrTooLarge)
	message.Data = make([]byte, events.MaxMessageBytes-10) // its headers do not fit
	_, err = b.bus.Requests().Publish(t.Context(), message)
	require.ErrorIs(t, err, events.ErrTooLarge)
}

// A producer writes whatever it likes into its headers, the broker's names
// among it. None of it may move the message to another tenant, hide it, or stop
// a reader.
func TestRequestsAreNotWhatTheirHeadersPretend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	forged := events.Message{Subject: events.RequestsSubject(acme), Header: events.Header{
		jetstream.SubjectHeader:  {events.RequestsSubject(globex)},
		jetstream.SequenceHeader: {"4711"},
		jetstream.TimeStampHeaer: {"2001-01-01T00:00:00Z"},
		"Nats-Num-Pending":       {"0"},
		"Nats-Last-Sequence":     {"99"},
		"Nats-Msg-Size":          {"1000000"},
		"Status":                 {"404"},
		"Description":            {"Consumer Deleted"},
	}}
	sequence := b.raw(t, forged)
	forged.Header["Status"] = []string{"409"}
	b.raw(t, forged)
	honest := publish(t, b.bus, request(t, acme, "", "hello"))

	got, found, err := b.bus.Requests().Read(t.Context(), sequence)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, forged.Subject, got.Subject)
	require.Equal(t, sequence, got.Sequence)
	require.WithinDuration(t, time.Now(), got.Time, patience)
	require.Empty(t, cmp.Diff(events.Header{"Status": {"404"}, "Description": {"Consumer Deleted"}}, got.Header))

	seen := watch(t, b.bus)
	for want := sequence; want <= honest; want++ {
		headline := receive(t, seen.requests, "a request")
		require.Equal(t, want, headline.Sequence)
		require.Equal(t, events.RequestsSubject(acme), headline.Subject)
		if want < honest {
			require.Zero(t, headline.Size, "the size is the broker's word too")
		}
	}
}

type watched struct {
	requests chan events.Headline
	caughtUp chan struct{} // closed when it was said for the first time
}

// watch watches until the test ends.
func watch(t *testing.T, b *bus.Bus) *watched {
	t.Helper()
	w := &watched{requests: make(chan events.Headline, 100_000), caughtUp: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var told sync.Once
	go func() {
		said := false
		ended <- b.Requests().Watch(ctx, func(batch []events.Headline, caughtUp bool) error {
			if said && !caughtUp {
				return errors.New("caught up no more")
			}
			said = caughtUp
			for _, headline := range batch {
				w.requests <- headline
			}
			if caughtUp {
				told.Do(func() { close(w.caughtUp) })
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return w
}

func TestWatchOfAnEmptyStreamIsCaughtUpAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	seen := watch(t, b.bus)
	receive(t, seen.caughtUp, "the end of nothing")
	sent := request(t, acme, "s1", "hello")
	sequence := publish(t, b.bus, sent)
	got := receive(t, seen.requests, "a new request")
	require.Equal(t, len(sent.Data), got.Size)
	require.Empty(t, got.Data)
	require.Empty(t, cmp.Diff(sent.Header, got.Header))
	require.Equal(t, sequence, got.Sequence)
}

func TestWatchSeesEachOnceInOrderOverARestart(t *testing.T) {
	t.Parallel()
	server := testenv.Restartable(t)
	b := setupOn(t, &server.Server, bus.Topology{})
	const stored, fresh = 3000, 300
	for n := range stored {
		_, err := b.js.PublishAsync(events.RequestsSubject(acme), []byte(strconv.Itoa(n)))
		require.NoError(t, err)
	}
	<-b.js.PublishAsyncComplete()
	gone := uint64(17)
	require.NoError(t, b.bus.Requests().Remove(t.Context(), gone))
	seen := watch(t, b.bus)
	receive(t, seen.caughtUp, "the end of what is stored")
	require.Len(t, seen.requests, stored-1)

	server.Stop(t)
	server.Start(t)
	ctx := within(t)
	for range fresh {
		for {
			if _, err := b.bus.Requests().Publish(ctx, request(t, globex, "", "x")); err == nil {
				break
			}
			require.NoError(t, ctx.Err())
		}
	}
	end := b.last(t, events.StreamRequests)
	var last uint64
	for last < end {
		headline := receive(t, seen.requests, "a request")
		want := last + 1
		if want == gone {
			want++
		}
		require.Equal(t, want, headline.Sequence)
		last = headline.Sequence
	}
	require.Empty(t, seen.requests)
}

// What was waiting at the start may be gone before it is delivered; the watch
// must still come to an end of it.
func TestWatchCatchesUpWithWhatIsRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const count = 6000 // more than the watch has the broker send ahead
	for range count {
		_, err := b.js.PublishAsync(events.RequestsSubject(acme), nil, jetstream.WithStallWait(patience))
		require.NoError(t, err)
	}
	<-b.js.PublishAsyncComplete()
	seen, purged, first := 0, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(purged)
		<-first
		stream, err := b.js.Stream(t.Context(), events.StreamRequests)
		if err == nil {
			err = stream.Purge(t.Context())
		}
		if err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := b.bus.Requests().Watch(ctx, func(batch []events.Headline, caughtUp bool) error {
		if seen == 0 {
			close(first)
			<-purged
		}
		if seen += len(batch); caughtUp {
			return errBoom
		}
		return nil
	})
	require.ErrorIs(t, err, errBoom, "it came to an end")
	require.Less(t, seen, count)
}

func TestWatchEndsWithItsReceiver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	err := b.bus.Requests().Watch(t.Context(), func([]events.Headline, bool) error { return context.DeadlineExceeded })
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, b.js.DeleteStream(t.Context(), events.StreamRequests))
	err = b.bus.Requests().Watch(t.Context(), func([]events.Headline, bool) error { return nil })
	require.ErrorIs(t, err, bus.ErrMissing)
	require.ErrorContains(t, err, events.StreamRequests)
}
