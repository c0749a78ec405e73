package scheduling

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// However requests come, each is known to have come when it did, or earlier by
// at most a hundredth of its wait, and the table stays small.
func TestArrivalsAreKnownToAHundredthOfTheWait(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var a arrivals
		at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
		var truth []time.Time // by sequence, the first of which is 1
		for range rapid.IntRange(1, 12).Draw(t, "phases") {
			requests := rapid.IntRange(1, 20_000).Draw(t, "requests")
			gap := rapid.SampledFrom([]time.Duration{0, 10 * time.Microsecond, time.Millisecond, time.Second, time.Hour}).Draw(t, "gap")
			for range requests {
				at = at.Add(gap)
				truth = append(truth, at)
				a.note(uint64(len(truth)), at)
			}
		}
		require.LessOrEqual(t, len(a.list), maxArrivals)
		for range 1000 {
			sequence := rapid.IntRange(1, len(truth)).Draw(t, "sequence")
			came := truth[sequence-1]
			got, known := a.of(uint64(sequence))
			require.True(t, known)
			require.False(t, got.After(came), "request %d", sequence)
			require.LessOrEqual(t, came.Sub(got), max(2*arrivalStep, at.Sub(came)/100), "request %d", sequence)
		}
	})
}

func TestArrivalsBearAClockThatStepsBack(t *testing.T) {
	t.Parallel()
	var a arrivals
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	require.Zero(t, a.waited(1, noon), "nothing is known yet")
	a.note(5, noon)
	a.note(6, noon.Add(-time.Minute))
	a.note(6, noon.Add(time.Minute))
	a.note(4, noon.Add(time.Hour))
	for sequence, want := range map[uint64]time.Time{4: noon, 5: noon, 6: noon.Add(time.Minute), 7: noon.Add(time.Minute)} {
		got, known := a.of(sequence)
		require.True(t, known)
		require.Equal(t, want, got, sequence)
	}
	require.Zero(t, a.waited(6, noon), "what comes from the future has not waited")
	require.Equal(t, time.Minute, a.waited(5, noon.Add(time.Minute)))
}
