package bus_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

// stages notes what was staged and what was worked on, by sequences.
type stages struct {
	mu      sync.Mutex
	staged  int
	handled []uint64
	more    chan struct{} // gets one for each batch that is staged
}

func newStages() *stages { return &stages{more: make(chan struct{}, 100)} }

func (s *stages) stage(handle func(ctx context.Context, number int, batch []events.Message) error) bus.BatchStage {
	return func(batch []events.Message) func(context.Context) error {
		s.mu.Lock()
		s.staged++
		number := s.staged
		s.mu.Unlock()
		s.more <- struct{}{}
		return func(ctx context.Context) error {
			if err := handle(ctx, number, batch); err != nil {
				return err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, message := range batch {
				s.handled = append(s.handled, message.Sequence)
			}
			return nil
		}
	}
}

func (s *stages) all() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.handled)
}

func (s *stages) await(ctx context.Context, batches int) error {
	for range batches {
		select {
		case <-s.more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// fill publishes usage.
func (b *bundle) fill(t *testing.T, count int) {
	t.Helper()
	all := make([]events.Message, count)
	for n := range all {
		all[n] = usageOf(t, acme, n)
	}
	require.NoError(t, b.bus.Usage().Publish(t.Context(), all))
}

func sequences(count int) []uint64 {
	all := make([]uint64, count)
	for i := range all {
		all[i] = uint64(i + 1)
	}
	return all
}

// A batch is not done before the next one is staged: the two overlap. They are
// worked on in their order all the same, also past one that fails at first.
func TestBatchesAreStagedAhead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const count, size = 40, 10
	b.fill(t, count)
	s := newStages()
	failures := 3
	b.batches(t, bus.BatchConfig{Max: size, Stage: s.stage(func(ctx context.Context, number int, _ []events.Message) error {
		if number == 1 {
			if err := s.await(ctx, 2); err != nil {
				return err
			}
		}
		if number == 2 && failures > 0 {
			failures--
			return errBoom
		}
		return nil
	})})
	require.Eventually(t, func() bool { return len(s.all()) == count }, 20*time.Second, 5*time.Millisecond)
	require.Equal(t, sequences(count), s.all())
	require.Zero(t, failures)
	require.Eventually(t, func() bool {
		unread, open := b.pending(t, events.StreamUsage, events.DurableLedger)
		return unread == 0 && open == 0
	}, 20*time.Second, 10*time.Millisecond)
}

// What is behind a batch that was given back is given back too, and whoever comes
// next has all of it at once and in order.
func TestAStopGivesBackWhatIsStaged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const count, size = 20, 10
	b.fill(t, count)
	s := newStages()
	begun := make(chan struct{})
	first := b.batches(t, bus.BatchConfig{Max: size, Stage: s.stage(func(ctx context.Context, number int, _ []events.Message) error {
		if number > 1 {
			return nil
		}
		if err := s.await(ctx, 2); err != nil {
			return err
		}
		close(begun)
		<-ctx.Done() // a hard stop
		return context.Cause(ctx)
	})})
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, first.Stop(ctx), "it is stopped hard")
	<-first.Done()
	require.Empty(t, s.all())

	again := newStages()
	b.batches(t, bus.BatchConfig{Max: size, Stage: again.stage(func(context.Context, int, []events.Message) error { return nil })})
	require.Eventually(t, func() bool { return len(again.all()) == count }, 20*time.Second, 5*time.Millisecond)
	require.ElementsMatch(t, sequences(count), again.all())
}

// A stage that panics is begun again.
func TestAStageThatPanicsIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fill(t, 3)
	s := newStages()
	calm := s.stage(func(context.Context, int, []events.Message) error { return nil })
	panics := 2
	b.batches(t, bus.BatchConfig{Stage: func(batch []events.Message) func(context.Context) error {
		if panics > 0 {
			panics--
			panic(errors.New("boom"))
		}
		return calm(batch)
	}})
	require.Eventually(t, func() bool { return len(s.all()) == 3 }, 20*time.Second, 5*time.Millisecond)
	require.Zero(t, panics)
}
