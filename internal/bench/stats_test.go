package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuantilesAreOfTheNearestRank(t *testing.T) {
	t.Parallel()
	waits := make([]time.Duration, 100)
	for i := range waits {
		waits[len(waits)-1-i] = time.Duration(i+1) * time.Millisecond
	}
	require.InDelta(t, 50.0, milliseconds(waits, 0.5), 1e-9)
	require.InDelta(t, 99.0, milliseconds(waits, 0.99), 1e-9)
	require.InDelta(t, 100.0, milliseconds(waits, 0.999), 1e-9)
	require.InDelta(t, 100*time.Millisecond, waits[0], 1e-9, "the caller's order is kept")
	require.Zero(t, milliseconds(nil, 0.5))
}

func TestMedianIsAValueThatWasMeasured(t *testing.T) {
	t.Parallel()
	values := []float64{9, 1, 5}
	require.InDelta(t, 5.0, median(values), 1e-9)
	require.InDelta(t, 1.0, median([]float64{9, 1}), 1e-9)
	require.InDelta(t, 9.0, values[0], 1e-9, "the caller's order is kept")
	require.Zero(t, median(nil))
}

func TestJainsIndexIsOneForEqualsAndLeastForOneThatHasAll(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 1.0, jain([]float64{3, 3, 3}), 1e-9)
	require.InDelta(t, 0.25, jain([]float64{8, 0, 0, 0}), 1e-9)
	require.Zero(t, jain(nil))
}
