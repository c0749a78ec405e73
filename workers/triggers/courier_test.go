package triggers_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
	"github.com/feira-dev/feira/workers/triggers"
)

// start runs a courier until the test ends. It is for the inside of a bubble.
func start(t *testing.T, config triggers.Config) (stop func()) {
	t.Helper()
	courier, err := triggers.NewCourier(config)
	require.NoError(t, err)
	require.NoError(t, courier.Start(t.Context()))
	return func() { require.NoError(t, courier.Stop(t.Context())) }
}

// TestADayOfSilence is the promise to tenants: an endpoint that was down for a
// day is told all of it in order afterwards, and meanwhile the other tenants'
// are told as fast as ever, although the dead one hangs.
func TestADayOfSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		begun := time.Now()
		down := func() bool { return time.Since(begun) < 24*time.Hour }
		s.answer = func(ctx context.Context, host string, _ []byte) (int, http.Header, error) {
			if host == "dead.example" && down() {
				<-ctx.Done() // it hangs
				return 0, nil, ctx.Err()
			}
			<-time.After(20 * time.Millisecond)
			return http.StatusNoContent, nil, nil
		}
		config := s.config()
		config.Queue.Slots = 16
		stop := start(t, config)
		defer stop()
		dead := s.open(t, "acme", "dead")
		var others []trigger.Trigger
		for n := range 5 {
			others = append(others, s.open(t, fmt.Sprint("tenant", n), fmt.Sprint("alive", n)))
		}
		slowest := time.Duration(0)
		for minute := range 24 * 60 {
			s.happen(t, dead, fmt.Sprint("order-", minute%7), minute)
			for _, other := range others {
				s.happen(t, other, "order", minute)
			}
			sent := time.Now()
			pass(59 * time.Second)
			s.mu.Lock()
			for _, one := range s.told {
				if !one.at.Before(sent) && one.host != "dead.example" {
					slowest = max(slowest, one.at.Sub(sent))
				}
			}
			s.mu.Unlock()
			pass(time.Second)
		}
		require.Empty(t, s.tales("dead.example"))
		require.LessOrEqual(t, slowest, 25*time.Millisecond, "the others wait for the dead")
		for n := range others {
			require.Len(t, s.tales(fmt.Sprint("alive", n, ".example"))["order"], 24*60)
		}
		// One more, so that somebody knocks; and then a minute, which a probe takes.
		s.happen(t, dead, "order-0", 24*60)
		pass(3 * time.Minute)
		tales, count := s.tales("dead.example"), 0
		for object, numbers := range tales {
			count += len(numbers)
			require.IsIncreasing(t, numbers, object)
		}
		require.Equal(t, 24*60+1, count, "all of the day is told")
		require.Zero(t, s.pending())
		require.Empty(t, s.letters())
	})
}

// TestAFailingEventHoldsItsObjectAlone: later events of the same object wait
// behind it, those of others do not; and after three days it is given up aloud.
func TestAFailingEventHoldsItsObjectAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		var poison atomic.Bool
		var tries atomic.Int64
		poison.Store(true)
		s.answer = func(_ context.Context, _ string, body []byte) (int, http.Header, error) {
			if poison.Load() && events.LaneOf("bad") == events.LaneOf(objectOf(body)) {
				tries.Add(1)
				return http.StatusInternalServerError, nil, nil
			}
			return http.StatusOK, nil, nil
		}
		defer start(t, s.config())()
		to := s.open(t, "acme", "shop")
		for n := range 3 {
			s.happen(t, to, "bad", n)
			s.happen(t, to, "good", n)
		}
		pass(time.Hour)
		require.Equal(t, map[string][]int{"good": {0, 1, 2}}, s.tales("shop.example"))
		require.EqualValues(t, 4, tries.Load())
		pass(trigger.KeptFor() - time.Hour + time.Minute)
		require.Len(t, s.letters(), 3, "each is given up three days after it came")
		require.Equal(t, "gave_up", s.letters()[0].Reason)
		require.GreaterOrEqual(t, tries.Load(), int64(10))
		require.Zero(t, s.pending())

		// The letter holds all that is needed to tell it again, under its old id.
		poison.Store(false)
		letter := s.letters()[0]
		require.NoError(t, s.Publish(t.Context(), []events.Message{{Subject: letter.Subject, Header: letter.Header, Data: letter.Data}}))
		pass(time.Second)
		require.Equal(t, []int{0}, s.tales("shop.example")["bad"])
	})
}

func TestAnEndpointThatIsGoneStopsItsTrigger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		s.answer = func(context.Context, string, []byte) (int, http.Header, error) { return http.StatusGone, nil, nil }
		defer start(t, s.config())()
		to := s.open(t, "acme", "shop")
		for n := range 10 {
			s.happen(t, to, "order", n)
		}
		pass(time.Minute)
		found, ok := s.Lookup(trigger.Key{Tenant: "acme", Trigger: to.ID})
		require.True(t, ok)
		require.Equal(t, trigger.StatusStopped, found.Status)
		require.Contains(t, found.Reason, "410")
		require.Len(t, s.tries(), 1)
		require.Len(t, s.letters(), 10)
		require.Zero(t, s.pending())

		s.happen(t, to, "order", 10) // stored before the fan heard of it
		pass(time.Minute)
		require.Len(t, s.tries(), 1)
		require.Len(t, s.letters(), 11)
	})
}

func TestEndpointsSayHowLongToWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		begun := time.Now()
		s.answer = func(context.Context, string, []byte) (int, http.Header, error) {
			if time.Since(begun) < time.Minute {
				return http.StatusTooManyRequests, http.Header{"Retry-After": {"90"}}, nil
			}
			return http.StatusOK, nil, nil
		}
		defer start(t, s.config())()
		to := s.open(t, "acme", "shop")
		s.happen(t, to, "a", 1)
		pass(time.Second)
		s.happen(t, to, "b", 1)
		pass(88 * time.Second)
		require.Empty(t, s.everybody(), "the endpoint has asked for 90 s")
		require.Len(t, s.tries(), 1)
		pass(2 * time.Second)
		require.Len(t, s.everybody(), 2)
	})
}

func TestPausedTriggersKeepWhatTheyHear(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		s.answer = func(context.Context, string, []byte) (int, http.Header, error) { return http.StatusOK, nil, nil }
		defer start(t, s.config())()
		to := s.open(t, "acme", "shop")
		to.Status = trigger.StatusPaused
		s.put(to)
		for n := range 5 {
			s.happen(t, to, "order", n)
		}
		pass(time.Hour)
		require.Empty(t, s.everybody())
		to.Status = trigger.StatusActive
		s.put(to)
		pass(time.Second)
		require.Equal(t, []int{0, 1, 2, 3, 4}, s.tales("shop.example")["order"])

		to.Status = trigger.StatusPaused
		s.put(to)
		s.happen(t, to, "order", 5)
		pass(trigger.KeptFor() + 2*time.Minute)
		require.Len(t, s.letters(), 1)
		require.Equal(t, "expired", s.letters()[0].Reason)

		s.happen(t, to, "order", 6)
		s.drop(trigger.Key{Tenant: "acme", Trigger: to.ID})
		pass(time.Minute)
		require.Zero(t, s.pending())
		require.Len(t, s.letters(), 1, "whoever deletes a trigger wants no letters of it")
	})
}

// TestABrokerThatFailsHasItToldAgain under the same id: at least once.
func TestABrokerThatFailsHasItToldAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		s.answer = func(context.Context, string, []byte) (int, http.Header, error) { return http.StatusOK, nil, nil }
		s.broken = errors.New("the broker is away")
		defer start(t, s.config())()
		to := s.open(t, "acme", "shop")
		s.happen(t, to, "order", 1)
		s.happen(t, to, "order", 2)
		pass(1500 * time.Millisecond)
		s.mu.Lock()
		s.broken = nil
		s.mu.Unlock()
		pass(5 * time.Second)
		require.Equal(t, []int{1, 1, 1, 2}, s.tales("shop.example")["order"])
		require.Equal(t, s.everybody()[0].id, s.everybody()[2].id)
		require.Zero(t, s.pending())
	})
}

// TestAStopLosesNothing: what is cut off by a hard stop is told by the next.
func TestAStopLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		var hangs atomic.Bool
		hangs.Store(true)
		s.answer = func(ctx context.Context, _ string, _ []byte) (int, http.Header, error) {
			if hangs.Load() {
				<-ctx.Done()
				return 0, nil, ctx.Err()
			}
			return http.StatusOK, nil, nil
		}
		courier, err := triggers.NewCourier(s.config())
		require.NoError(t, err)
		require.NoError(t, courier.Start(t.Context()))
		to := s.open(t, "acme", "shop")
		s.happen(t, to, "order", 1)
		pass(time.Second)
		hard, cancel := context.WithCancel(t.Context())
		cancel()
		_ = courier.Stop(hard)
		<-courier.Done()
		require.Empty(t, s.tries(), "a stop is no fault of the endpoint's")
		require.Equal(t, 1, s.pending())
		hangs.Store(false)
		defer start(t, s.config())()
		pass(time.Second)
		require.Equal(t, []int{1}, s.tales("shop.example")["order"])
	})
}

func TestCouriersAndFansAreChecked(t *testing.T) {
	t.Parallel()
	_, err := triggers.NewCourier(triggers.Config{Backlog: -1, Timeout: -1, Sweep: -1, Retry: -1, Show: -1, Queue: trigger.QueueConfig{Slots: -1}})
	for _, field := range []string{"ID", "Lease", "Book", "Pending", "Journal", "Attempts", "Cemetery", "Registry", "Safe", "Transport"} {
		require.ErrorContains(t, err, "triggers: "+field+" is missing")
	}
	for _, field := range []string{"Backlog", "Timeout", "Sweep", "Retry", "Show"} {
		require.ErrorContains(t, err, "triggers: "+field+" is negative")
	}
	require.ErrorContains(t, err, "slots")
	_, err = triggers.NewFan(triggers.FanConfig{Save: -1, Timeout: -1, Retry: -1})
	for _, field := range []string{"ID", "Lease", "Book", "Facts", "Cursor", "Publisher"} {
		require.ErrorContains(t, err, "triggers: fan: "+field+" is missing")
	}
	for _, field := range []string{"Save", "Timeout", "Retry"} {
		require.ErrorContains(t, err, "triggers: fan: "+field+" is negative")
	}
}
