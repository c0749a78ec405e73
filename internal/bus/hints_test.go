package bus_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestHintsAreHeardFromTheMomentOfTheWatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hints := b.bus.Hints()
	ctx, cancel := context.WithCancel(t.Context())

	workers := make(chan events.WorkerAnnounced, 2)
	require.NoError(t, hints.WatchWorkers(ctx, func(w events.WorkerAnnounced) { workers <- w }))
	want := events.WorkerAnnounced{ID: "w1", Slots: 8, Busy: 3}
	require.NoError(t, b.nc.Publish(events.WorkerSubject("w0"), []byte("{")))
	require.NoError(t, b.nc.Flush())
	require.NoError(t, hints.Announce(want))
	require.Equal(t, want, receive(t, workers, "a worker"), "what cannot be read is passed over")

	ends := make(chan events.RunEnded, 2)
	require.NoError(t, hints.WatchRunEnded(ctx, func(e events.RunEnded) { ends <- e }))
	ended := events.RunEnded{Tenant: acme, Sequence: 7, Released: true}
	require.NoError(t, hints.RunEnded(ended))
	require.Equal(t, ended, receive(t, ends, "an ended run"))

	type ordered struct {
		Tenant  events.TenantID
		Session events.SessionID
		Order   events.Control
	}
	orders := make(chan ordered, 2)
	require.NoError(t, hints.WatchControl(ctx, func(id events.TenantID, s events.SessionID, c events.Control) { orders <- ordered{id, s, c} }))
	order := events.Control{Action: events.ActionCancel, Request: "r1"}
	require.NoError(t, hints.Control(acme, "s1", order))
	require.Empty(t, cmp.Diff(ordered{acme, "s1", order}, receive(t, orders, "an order")))

	type told struct {
		Tenant  events.TenantID
		Session events.SessionID
		Delta   events.ModelDelta
	}
	deltas := make(chan told, 2)
	require.NoError(t, hints.WatchDeltas(ctx, acme, "s1", func(d events.ModelDelta) { deltas <- told{acme, "s1", d} }))
	delta := events.ModelDelta{Request: "r1", Iteration: 2, Text: "good "}
	require.NoError(t, b.nc.Publish(events.DeltaSubject(acme, "s1"), []byte("{")))
	require.NoError(t, b.nc.Flush())
	require.NoError(t, hints.Delta(globex, "s1", delta))
	require.NoError(t, hints.Delta(acme, "s2", delta))
	require.NoError(t, hints.Delta(acme, "s1", delta))
	require.Empty(t, cmp.Diff(told{acme, "s1", delta}, receive(t, deltas, "a delta")), "nothing of another tenant or session is heard")

	cancel()
	require.Eventually(t, func() bool {
		require.NoError(t, hints.Announce(want))
		require.NoError(t, b.nc.Flush())
		select {
		case <-workers:
			return false
		default:
			return true
		}
	}, patience, 1)
}

func TestFeedTellsStoredEventsWithTheirPlace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, all, foreign := make(chan events.Record, 8), make(chan events.Record, 8), make(chan events.Record, 8)
	require.NoError(t, b.bus.Feed().Subscribe(t.Context(), acme, "s1", func(r events.Record) { one <- r }))
	require.NoError(t, b.bus.Feed().Subscribe(t.Context(), acme, "", func(r events.Record) { all <- r }))
	require.NoError(t, b.bus.Feed().Subscribe(t.Context(), globex, "", func(r events.Record) { foreign <- r }))
	_, err := b.bus.Log().Append(t.Context(), replied("s2", 1, 0))
	require.NoError(t, err)
	entry := replied("s1", 1, 0)
	sequence, err := b.bus.Log().Append(t.Context(), entry)
	require.NoError(t, err)
	_, err = b.bus.Log().Append(t.Context(), replied("s1", 2, 0))
	require.Error(t, err, "what is refused is not told")

	want := events.Record{Envelope: entry.Envelope, Event: entry.Event, Sequence: sequence}
	require.Empty(t, cmp.Diff(want, receive(t, one, "an event of the session")))
	require.EqualValues(t, "s2", receive(t, all, "an event of the tenant").Session)
	require.Empty(t, cmp.Diff(want, receive(t, all, "an event of the tenant")))
	require.Empty(t, one)
	require.Empty(t, foreign)
}
