package bus_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

func TestRequestsListOneTenantInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	heads, err := b.bus.Requests().List(t.Context(), acme)
	require.NoError(t, err)
	require.Empty(t, heads)
	var want []uint64
	for n := range 2000 { // more than one batch
		sequence := publish(t, b.bus, request(t, acme, events.SessionID("s"+strconv.Itoa(n)), "hello"))
		want = append(want, sequence)
		if n%100 == 0 {
			publish(t, b.bus, request(t, globex, "s", "hello"))
		}
	}
	require.NoError(t, b.bus.Requests().Remove(t.Context(), want[7]))
	want = append(want[:7], want[8:]...)
	heads, err = b.bus.Requests().List(t.Context(), acme)
	require.NoError(t, err)
	var got []uint64
	for _, head := range heads {
		require.Equal(t, acme, head.Tenant)
		got = append(got, head.Sequence)
	}
	require.Equal(t, want, got)
	require.Equal(t, events.SessionID("s0"), heads[0].Session)
}

func TestRequestsHaveRoomBelowTheLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	requests := b.bus.Requests()
	require.NoError(t, requests.Room(t.Context(), acme, 1))
	first := publish(t, b.bus, request(t, acme, "s1", "hello"))
	publish(t, b.bus, request(t, acme, "s2", "hello"))
	publish(t, b.bus, request(t, globex, "s", "hello"))
	require.NoError(t, requests.Room(t.Context(), acme, 0), "no limit")
	require.NoError(t, requests.Room(t.Context(), acme, 3), "below")
	for _, limit := range []int{1, 2} {
		err := requests.Room(t.Context(), acme, limit)
		require.ErrorIs(t, err, bus.ErrBacklogFull)
		require.ErrorContains(t, err, "tenant acme has 2 requests queued, its limit is "+strconv.Itoa(limit))
	}
	granted := make(chan error, 1)
	run := events.Run{Tenant: acme, Session: "s1", Kind: events.KindTurn, Sequence: first}
	require.NoError(t, b.bus.Runs().Grant(run, 0, func(_ uint64, err error) { granted <- err }))
	require.NoError(t, <-granted)
	require.NoError(t, requests.Room(t.Context(), acme, 2), "what runs is not queued")
}
