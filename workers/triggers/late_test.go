package triggers_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// refusing is an endpoint that takes nothing, and when it was asked.
type refusing struct {
	mu    sync.Mutex
	asked []time.Time
}

func (r *refusing) answer(context.Context, string, []byte) (int, http.Header, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, time.Now())
	return http.StatusInternalServerError, nil, nil
}

// waits are the times between the attempts.
func (r *refusing) waits() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var waits []time.Duration
	for n := 1; n < len(r.asked); n++ {
		waits = append(waits, r.asked[n].Sub(r.asked[n-1]))
	}
	return waits
}

// A delivery that came while no courier was there waits as any other does behind
// its first attempt, and is given up when any other would be.
func TestADeliveryThatIsFirstTriedLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, endpoint := newStreet(t), &refusing{}
		s.answer = endpoint.answer
		s.happen(t, s.open(t, "acme", "shop"), "order", 1)
		pass(2 * time.Minute) // couriers are away
		defer start(t, s.config())()
		pass(time.Hour)
		require.Equal(t, []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute}, endpoint.waits())
		pass(3*24*time.Hour + 4*time.Hour)
		require.Len(t, s.letters(), 1)
		require.Equal(t, "gave_up", s.letters()[0].Reason)
		require.Len(t, endpoint.waits(), 9)
	})
}

// A courier that takes over tries at once, and then goes on where the one before
// was in the table: it reads when that one began.
func TestACourierThatTakesOverKnowsTheFirstAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, endpoint := newStreet(t), &refusing{}
		s.answer = endpoint.answer
		s.happen(t, s.open(t, "acme", "shop"), "order", 1)
		pass(2 * time.Minute)
		stop := start(t, s.config())
		pass(10 * time.Minute) // 0, 5 s, 5 m 5 s
		stop()
		defer start(t, s.config())()
		pass(time.Hour)
		require.Equal(t, []time.Duration{
			5 * time.Second, 5 * time.Minute, 4*time.Minute + 55*time.Second, 25*time.Minute + 5*time.Second,
		}, endpoint.waits())
	})
}
