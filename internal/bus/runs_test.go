package bus_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestGrantRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	run := turnRun("s1", 1)
	first, err := grantAfter(t, b.bus, run, 0)
	require.NoError(t, err)

	_, err = grantAfter(t, b.bus, turnRun("s2", 2), 0)
	require.ErrorIs(t, err, events.ErrStaleGrant)
	require.NotErrorIs(t, err, events.ErrUncertainGrant)
	_, err = grantAfter(t, b.bus, turnRun("s1", 3), first)
	require.ErrorIs(t, err, events.ErrOutstanding, "the session's place is taken")
	require.NotErrorIs(t, err, events.ErrUncertainGrant)
	second, err := grantAfter(t, b.bus, turnRun("s2", 2), first)
	require.NoError(t, err)
	require.Equal(t, first+1, second, "what was refused has left no trace")
}

func TestGrantsArePipelined(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const count = 2000
	answers := make(chan error, count)
	for n := range uint64(count) {
		run := turnRun(events.SessionID("s"+strconv.FormatUint(n, 10)), n+1)
		err := b.bus.Runs().Grant(run, n, func(sequence uint64, err error) {
			if err == nil && sequence != n+1 {
				err = fmt.Errorf("grant %d is at %d", n, sequence)
			}
			answers <- err
		})
		require.NoError(t, err)
	}
	for range count {
		require.NoError(t, receive(t, answers, "the answer to a grant"))
	}
	require.EqualValues(t, count, b.count(t, events.StreamRuns))

	runs, last, err := b.bus.Runs().Outstanding(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, count, last)
	require.Len(t, runs, count)
	require.Empty(t, cmp.Diff(turnRun("s0", 1), runs[0]))
	require.EqualValues(t, count, runs[count-1].Sequence)
}

func TestGrantAnswerMayGrant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answers := make(chan error, 1)
	require.NoError(t, b.bus.Runs().Grant(turnRun("s1", 1), 0, func(sequence uint64, _ error) {
		err := b.bus.Runs().Grant(turnRun("s2", 2), sequence, func(_ uint64, err error) { answers <- err })
		if err != nil {
			answers <- err
		}
	}))
	require.NoError(t, receive(t, answers, "the second grant"))
}

func TestOutstandingIsWhatIsGrantedAndNotEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	runs, last, err := b.bus.Runs().Outstanding(t.Context())
	require.NoError(t, err)
	require.Empty(t, runs)
	require.Zero(t, last)
	call := events.Run{Tenant: globex, Session: "s1", Kind: events.KindCall, Sequence: 9, Granted: turnRun("s1", 1).Granted}
	b.grant(t, turnRun("s1", 1))
	b.grant(t, call)
	b.raw(t, events.Message{Subject: events.RunsSubject(acme, "s-broken")})

	runs, last, err = b.bus.Runs().Outstanding(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, last)
	require.Empty(t, cmp.Diff([]events.Run{turnRun("s1", 1), call}, runs), "what cannot be read is left out")
	places, err := b.bus.Runs().Places(t.Context())
	require.NoError(t, err)
	want := map[events.Place]struct{}{
		turnRun("s1", 1).Place(): {}, call.Place(): {}, {Tenant: acme, Key: "s-broken"}: {},
	}
	require.Empty(t, cmp.Diff(want, places))
}
