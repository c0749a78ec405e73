package bus_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/testenv"
)

// write appends n events to a session, with one of another between each two,
// and returns their sequences.
func write(t *testing.T, b *bus.Bus, id events.SessionID, n int) []uint64 {
	t.Helper()
	var sequences []uint64
	var last, other uint64
	for i := range n {
		var err error
		last, err = b.Log().Append(within(t), replied(id, i+1, last))
		require.NoError(t, err)
		sequences = append(sequences, last)
		other, err = b.Log().Append(within(t), replied(id+"-other", i+1, other))
		require.NoError(t, err)
	}
	return sequences
}

func sequencesOf(records []events.Record) []uint64 {
	var sequences []uint64
	for _, record := range records {
		sequences = append(sequences, record.Sequence)
	}
	return sequences
}

func TestLogIsReadByPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := b.bus.Log()
	written := write(t, b.bus, "s1", 5)
	for _, page := range []struct {
		after uint64
		limit int
		want  []uint64
		more  bool
	}{
		{0, 4, written[:4], true},
		{0, 5, written, false},
		{0, 6, written, false},
		{0, 1, written[:1], true},
		{written[1], 2, written[2:4], true},
		{written[1] + 1, 2, written[2:4], true},
		{written[3], 1, written[4:], true},
		{written[4], 1, nil, false},
		{written[4], 2, nil, false},
		{written[4] + 100, 1, nil, false},
	} {
		records, more, err := log.Page(within(t), acme, "s1", page.after, page.limit)
		require.NoError(t, err)
		require.Equal(t, page.want, sequencesOf(records), "%+v", page)
		require.Equal(t, page.more, more, "%+v", page)
	}
	records, more, err := log.Page(within(t), acme, "none", 0, 1)
	require.NoError(t, err)
	require.Empty(t, records)
	require.False(t, more)
}

func TestEndOfTheLog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	log := b.bus.Log()
	last, err := log.Last(within(t), acme, "s1")
	require.NoError(t, err)
	require.Zero(t, last, "a session without a log")
	_, found, err := log.Next(within(t), acme, "s1", 0)
	require.NoError(t, err)
	require.False(t, found)

	written := write(t, b.bus, "s1", 3)
	last, err = log.Last(within(t), acme, "s1")
	require.NoError(t, err)
	require.Equal(t, written[2], last)
	for i, after := range []uint64{0, written[0], written[1]} {
		record, found, err := log.Next(within(t), acme, "s1", after)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, written[i], record.Sequence)
		require.NotNil(t, record.Event)
	}
	_, found, err = log.Next(within(t), acme, "s1", last)
	require.NoError(t, err)
	require.False(t, found)
}

func TestFeedTellsWhatCameBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	heard := make(chan events.Record, 8)
	require.NoError(t, b.bus.Feed().Subscribe(t.Context(), acme, "s1", func(r events.Record) { heard <- r }))
	written := write(t, b.bus, "s1", 3)
	var previous uint64
	for _, sequence := range written {
		record := receive(t, heard, "an event")
		require.Equal(t, sequence, record.Sequence)
		require.Equal(t, previous, record.Previous, "events of other sessions lie between")
		previous = sequence
	}

	// What the producer writes in the broker's name does not count.
	message, err := events.Encode(events.SessionSubject(acme, "s1"), replied("s1", 4, 0).Envelope, replied("s1", 4, 0).Event)
	require.NoError(t, err)
	message.Header["Nats-Last-Sequence"] = []string{"7777"}
	sequence := b.raw(t, message)
	record := receive(t, heard, "an event with a forged place")
	require.Equal(t, sequence, record.Sequence)
	require.Equal(t, previous, record.Previous)

	// What tells no predecessor may have any.
	forged := &nats.Msg{Subject: events.FeedSubject(acme, "s1"), Header: nats.Header(message.Header), Data: message.Data}
	forged.Header.Del("Nats-Last-Sequence")
	forged.Header.Set("Nats-Sequence", "99")
	forged.Header.Set("Nats-Subject", events.SessionSubject(acme, "s1"))
	forged.Header.Set("Nats-Time-Stamp", "2026-01-02T03:04:05Z")
	require.NoError(t, b.nc.PublishMsg(forged))
	require.EqualValues(t, 98, receive(t, heard, "an event without its place").Previous)
}

// One goroutine hears all feeds, and one that ends leaves the others alone.
func TestFeedsEndOnTheirOwn(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	b := setupOn(t, server, bus.Topology{})
	one, cancel := context.WithCancel(t.Context())
	first, second := make(chan events.Record, 8), make(chan events.Record, 8)
	require.NoError(t, b.bus.Feed().Subscribe(one, acme, "s1", func(r events.Record) { first <- r }))
	require.NoError(t, b.bus.Feed().Subscribe(t.Context(), acme, "s1", func(r events.Record) { second <- r }))
	sequence, err := b.bus.Log().Append(within(t), replied("s1", 1, 0))
	require.NoError(t, err)
	require.Equal(t, sequence, receive(t, first, "an event").Sequence)
	require.Equal(t, sequence, receive(t, second, "an event").Sequence)
	cancel()
	n := 1
	require.Eventually(t, func() bool { // until an event comes to the second alone
		n++
		sequence, err = b.bus.Log().Append(within(t), replied("s1", n, sequence))
		require.NoError(t, err)
		require.Equal(t, sequence, receive(t, second, "an event").Sequence)
		select {
		case <-first:
			return false
		default:
			return true
		}
	}, patience, 1)
}
