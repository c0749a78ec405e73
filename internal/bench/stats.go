package bench

import (
	"math"
	"slices"
	"time"
)

// milliseconds is the quantile q of the waits, by nearest rank; 0 of none.
func milliseconds(waits []time.Duration, q float64) float64 {
	if len(waits) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(waits))
	rank := int(math.Ceil(q*float64(len(sorted)))) - 1
	return round(float64(sorted[min(max(rank, 0), len(sorted)-1)]) / float64(time.Millisecond))
}

// jain is Jain's fairness index: 1 when all are equal, 1/n when one has all.
func jain(shares []float64) float64 {
	var sum, squares float64
	for _, x := range shares {
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 0
	}
	return sum * sum / (float64(len(shares)) * squares)
}

// median is the middle one, of an even number the lower of the two in the
// middle: a value that was measured. It is 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[(len(values)-1)/2]
}

// perSecond is n over a time, 0 where there was none.
func perSecond(n int, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return round(float64(n) / took.Seconds())
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return round(a / b)
}

// round keeps what is worth reading.
func round(x float64) float64 { return math.Round(x*10_000) / 10_000 }
