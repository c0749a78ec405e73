package egress

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

func TestLanesDoNotGrowForEver(t *testing.T) {
	t.Parallel()
	held, err := NewLanes(LaneConfig{Concurrency: 1, BreakerFailures: 10, BreakerOpen: time.Minute, Now: time.Now})
	require.NoError(t, err)
	used, leaveUsed := held.Enter(LaneKey{Tenant: "in use"})
	_, _ = used.breaker.Execute(func() (struct{}, error) { return struct{}{}, ErrTrouble })
	for i := range 100_000 {
		passed, leave := held.Enter(LaneKey{Tenant: events.TenantID(strconv.Itoa(i))})
		if i%2 == 0 {
			_, _ = passed.breaker.Execute(func() (struct{}, error) { return struct{}{}, ErrTrouble })
		}
		leave()
	}
	busy, idle := held.Size()
	require.Equal(t, 1, busy)
	require.Equal(t, maxIdleLanes, idle)

	again, leaveAgain := held.Enter(LaneKey{Tenant: "in use"})
	require.Same(t, used, again, "a lane in use was given up")
	leaveUsed()
	leaveAgain()
	kept, leave := held.Enter(LaneKey{Tenant: "in use"})
	require.Same(t, used, kept, "a failure was forgotten")
	_, _ = kept.breaker.Execute(func() (struct{}, error) { return struct{}{}, nil })
	leave()
	busy, idle = held.Size()
	require.Zero(t, busy)
	require.Equal(t, maxIdleLanes-1, idle)
}

// TestALimitedProbeLetsTheNextOnePass holds a half open breaker to its word: a
// try that says nothing of the server leaves it as it was.
func TestALimitedProbeLetsTheNextOnePass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		made := newLane(LaneConfig{Concurrency: 1, BreakerFailures: 1, BreakerOpen: time.Minute})
		try := func(says error) error {
			_, err := made.breaker.Execute(func() (struct{}, error) { return struct{}{}, says })
			return err
		}
		require.ErrorIs(t, try(ErrTrouble), ErrTrouble)
		require.ErrorIs(t, try(nil), gobreaker.ErrOpenState)
		require.Equal(t, time.Minute, made.opensIn())
		<-time.After(time.Minute)
		require.ErrorIs(t, try(nil), gobreaker.ErrOpenState, "it opens after the minute, not with it")
		<-time.After(time.Millisecond)
		for range 3 {
			require.ErrorIs(t, try(ErrNoWord), ErrNoWord)
		}
		require.Equal(t, gobreaker.StateHalfOpen, made.breaker.State())
		require.NoError(t, try(nil))
		require.Equal(t, gobreaker.StateClosed, made.breaker.State())
		require.False(t, made.remembers(time.Now()))
	})
}
