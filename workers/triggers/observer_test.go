package triggers_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
	"github.com/feira-dev/feira/workers/triggers"
)

// witness remembers what an observer is told.
type witness struct {
	mu       sync.Mutex
	delivers []bool
	figures  triggers.Figures
	attempts map[events.DeliveryOutcome]int
	givenUp  map[string]int
}

func (w *witness) Delivers(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delivers = append(w.delivers, yes)
}

func (w *witness) Stands(figures triggers.Figures) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.figures = figures
}

func (w *witness) Attempted(outcome events.DeliveryOutcome, _ time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts[outcome]++
}

func (w *witness) GivenUp(reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.givenUp[reason]++
}

func (w *witness) Read(int, int) {}

// seen is all that it was told so far.
func (w *witness) seen() *witness {
	w.mu.Lock()
	defer w.mu.Unlock()
	return &witness{delivers: slices.Clone(w.delivers), figures: w.figures, attempts: maps.Clone(w.attempts), givenUp: maps.Clone(w.givenUp)}
}

func TestAnObserverSeesWhatWaitsAndWhatCame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStreet(t)
		s.answer = func(_ context.Context, host string, _ []byte) (int, http.Header, error) {
			if host == "dead.example" {
				return http.StatusInternalServerError, nil, nil
			}
			return http.StatusOK, nil, nil
		}
		w := &witness{attempts: map[events.DeliveryOutcome]int{}, givenUp: map[string]int{}}
		config := s.config()
		config.Observer = w
		stop := start(t, config)
		dead, alive := s.open(t, "acme", "dead"), s.open(t, "loja", "alive")
		for n := range 6 {
			s.happen(t, dead, fmt.Sprint("order-", n), 1)
			pass(time.Second)
		}
		s.happen(t, alive, "order", 1)
		pass(10 * time.Minute)
		seen := w.seen()
		require.Equal(t, []bool{true}, seen.delivers)
		require.Equal(t, uint64(2), s.tries()[0].Cause, "what it was about can be found again")
		require.Equal(t, 1, seen.figures.Down)
		require.Equal(t, 6, seen.figures.Queued)
		require.InDelta(t, 10*time.Minute, seen.figures.OldestWait, float64(time.Minute))
		require.Equal(t, 1, seen.attempts[events.DeliveryDone])
		require.Greater(t, seen.attempts[events.DeliveryFailed], 3)
		pass(trigger.KeptFor() + time.Hour)
		seen = w.seen()
		require.Equal(t, triggers.Figures{Down: 1}, seen.figures)
		require.Equal(t, 6, seen.givenUp["gave_up"]+seen.givenUp["expired"])
		stop()
		require.Equal(t, []bool{true, false}, w.seen().delivers)
	})
}
