package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/testenv"
)

func replied(id events.SessionID, n int, last uint64) session.Entry {
	return session.Entry{
		Last: last,
		Envelope: events.Envelope{
			ID: strconv.Itoa(n), Source: events.SessionSource(acme, id), Type: events.TypeModelReplied,
			Time: time.Unix(1_700_000_000, int64(n)).UTC(), Tenant: acme, Session: id, Request: "r1",
		},
		Event: &events.ModelReplied{Iteration: n, Model: "m", Text: "text " + strconv.Itoa(n), FinishReason: "stop"},
	}
}

func appended(t *testing.T, b *bus.Bus, id events.SessionID, count int) uint64 {
	t.Helper()
	var last uint64
	for n := 1; n <= count; n++ {
		var err error
		last, err = b.Log().Append(within(t), replied(id, n, last))
		require.NoError(t, err)
	}
	return last
}

func TestLogReadsBackWhatWasAppended(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, err := b.bus.Log().Append(t.Context(), replied("s1", 1, 0))
	require.NoError(t, err)
	_, err = b.bus.Log().Append(t.Context(), replied("other", 1, 0))
	require.NoError(t, err)
	second, err := b.bus.Log().Append(t.Context(), replied("s1", 2, first))
	require.NoError(t, err)

	entry := replied("s1", 2, first)
	want := []events.Record{{Envelope: entry.Envelope, Event: entry.Event, Sequence: second}}
	records, err := b.bus.Log().Read(t.Context(), acme, "s1", first)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, records))
	records, err = b.bus.Log().Load(t.Context(), acme, "s1")
	require.NoError(t, err)
	require.Len(t, records, 2)
	records, err = b.bus.Log().Read(t.Context(), acme, "s1", second)
	require.NoError(t, err)
	require.Empty(t, records)
	records, err = b.bus.Log().Read(t.Context(), globex, "s1", 0)
	require.NoError(t, err)
	require.Empty(t, records, "another tenant's session of the same name")
	sessions, err := b.bus.Log().Sessions(t.Context(), acme)
	require.NoError(t, err)
	require.Equal(t, []events.SessionID{"other", "s1"}, sessions)
}

func TestLogFenceLetsOneOfRivalsWin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const rivals, rounds = 16, 20
	var group errgroup.Group
	for range rivals {
		group.Go(func() error {
			var last uint64
			for n := 1; n <= rounds; n++ {
				_, err := b.bus.Log().Append(t.Context(), replied("s1", n, last))
				if err != nil && !errors.Is(err, session.ErrConflict) {
					return err
				}
				// Won or lost, the place is taken now.
				records, err := b.bus.Log().Read(t.Context(), acme, "s1", last)
				if err != nil || len(records) == 0 {
					return fmt.Errorf("nobody won round %d: %w", n, err)
				}
				last = records[0].Sequence
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	records, err := b.bus.Log().Load(t.Context(), acme, "s1")
	require.NoError(t, err)
	require.Len(t, records, rounds, "one winner for each place")
	for i, record := range records {
		require.Equal(t, strconv.Itoa(i+1), record.ID)
	}
}

func TestLogPagesThroughLongSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const count = 1300 // more than two pages
	appended(t, b.bus, "s1", count)
	records, err := b.bus.Log().Load(t.Context(), acme, "s1")
	require.NoError(t, err)
	require.Len(t, records, count)
	for i, record := range records {
		require.Equal(t, strconv.Itoa(i+1), record.ID)
	}
}

func TestLogPassesOverWhatItCannotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	last := appended(t, b.bus, "s1", 1)
	message, err := events.Encode(events.SessionSubject(acme, "s1"), replied("s1", 2, last).Envelope, replied("s1", 2, last).Event)
	require.NoError(t, err)
	message.Header.Set(events.HeaderType, "feira.future.happened.v9")
	b.raw(t, message)
	message.Header.Set(events.HeaderType, string(events.TypeModelReplied))
	message.Data = []byte("{")
	b.raw(t, message)
	records, err := b.bus.Log().Load(t.Context(), acme, "s1")
	require.NoError(t, err)
	require.Len(t, records, 3)
	require.NotNil(t, records[0].Event)
	require.Nil(t, records[1].Event)
	require.EqualValues(t, "feira.future.happened.v9", records[1].Type)
	require.Nil(t, records[2].Event)
	require.Equal(t, "2", records[2].ID)
	require.EqualValues(t, 3, records[2].Sequence)
	require.Contains(t, strings.Join(b.log.all(), "\n"), "event cannot be read")
}

func TestLogRefusesWhatIsInvalidOrTooLarge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	entry := replied("s1", 0, 0)
	_, err := b.bus.Log().Append(t.Context(), entry)
	require.ErrorIs(t, err, events.ErrInvalidEvent)
	entry = replied("s1", 1, 0)
	entry.Event = &events.ModelReplied{Iteration: 1, Text: strings.Repeat("x", events.MaxEventBytes)}
	_, err = b.bus.Log().Append(t.Context(), entry)
	require.ErrorIs(t, err, events.ErrTooLarge)
	require.Zero(t, b.last(t, events.StreamSessions))
}

// The broker stores the event, but its answer never comes: the error must leave
// it open, and the tail must hold the event.
func TestLogLostAnswerIsUncertain(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	b := setupOn(t, server, bus.Topology{})
	proxy := testenv.NewProxy(t, server.URL)
	far := connect(t, &testenv.Server{URL: proxy.URL, User: server.User, Password: server.Password}, &logBook{})
	first, err := far.Log().Append(t.Context(), replied("s1", 1, 0))
	require.NoError(t, err)

	proxy.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = far.Log().Append(ctx, replied("s1", 2, first))
	require.ErrorIs(t, err, session.ErrUncertain)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, session.ErrConflict)
	proxy.Thaw()

	require.Eventually(t, func() bool {
		records, err := far.Log().Read(t.Context(), acme, "s1", first)
		require.NoError(t, err)
		return len(records) == 1 && records[0].ID == "2"
	}, patience, 5*time.Millisecond)
	_, err = b.bus.Log().Append(t.Context(), replied("s1", 2, first))
	require.ErrorIs(t, err, session.ErrConflict)
}

func TestFollowSeesStoredAndNewOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	last := appended(t, b.bus, "s1", 3)
	ctx, cancel := context.WithCancel(t.Context())
	all, fresh := make(chan events.Record, 10), make(chan events.Record, 10)
	var following sync.WaitGroup
	following.Go(func() {
		require.NoError(t, b.bus.Log().Follow(ctx, bus.FollowParams{Tenant: acme}, func(r events.Record) { all <- r }))
	})
	for n := 1; n <= 3; n++ {
		require.Equal(t, strconv.Itoa(n), receive(t, all, "a stored event").ID)
	}
	following.Go(func() {
		require.NoError(t, b.bus.Log().Follow(ctx, bus.FollowParams{Tenant: acme, Session: "s2", New: true}, func(r events.Record) { fresh <- r }))
	})
	_, err := b.bus.Log().Append(t.Context(), replied("s1", 4, last))
	require.NoError(t, err)
	require.Equal(t, "4", receive(t, all, "a new event").ID)
	// The second follower may still be on its way: events of s2 come until it hears one.
	last = 0
	for n := 1; ; n++ {
		last, err = b.bus.Log().Append(t.Context(), replied("s2", n, last))
		require.NoError(t, err)
		require.EqualValues(t, "s2", receive(t, all, "an event of another session").Session)
		select {
		case record := <-fresh:
			require.EqualValues(t, "s2", record.Session)
			cancel()
			following.Wait()
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}
