package gcra_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/gcra"
)

func perMinute(rate, burst int) gcra.Limit {
	return gcra.Limit{Rate: rate, Burst: burst, Period: time.Minute}
}

func ticks(d time.Duration) int64 { return int64(d / gcra.Tick) }

// anyLimit draws from the whole range, the ends of it often.
func anyLimit(t *rapid.T) gcra.Limit {
	return gcra.Limit{
		Rate: rapid.IntRange(1, gcra.MaxRate).Draw(t, "rate"), Burst: rapid.IntRange(1, gcra.MaxBurst).Draw(t, "burst"),
		Period: time.Duration(rapid.Int64Range(1, ticks(gcra.MaxPeriod)).Draw(t, "period")) * gcra.Tick,
	}
}

// A bucket agrees with fractions, to the tick, at the ends of all ranges.
func TestBucketIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := anyLimit(t)
		bucket := gcra.NewBucket(0, limit)
		tokens, burst, now := big.NewRat(int64(limit.Burst), 1), big.NewRat(int64(limit.Burst), 1), int64(0)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			passed := rapid.Int64Range(0, ticks(48*time.Hour)).Draw(t, "passed")
			now += passed
			if tokens.Add(tokens, big.NewRat(passed, 1).Mul(big.NewRat(passed, 1), big.NewRat(int64(limit.Rate), limit.Token()))); tokens.Cmp(burst) > 0 {
				tokens.Set(burst)
			}
			bucket.Refill(now, limit)
			require.Zero(t, tokens.Cmp(big.NewRat(bucket.Parts, limit.Token())), "want %s tokens", tokens)
			take := rapid.Int64Range(0, bucket.Whole(limit)).Draw(t, "take")
			bucket.Take(take, limit)
			tokens.Sub(tokens, big.NewRat(take, 1))

			if due := bucket.Due(limit); bucket.Whole(limit) == 0 {
				early, late := bucket, bucket
				early.Refill(due-1, limit)
				late.Refill(due, limit)
				require.Zero(t, early.Whole(limit))
				require.Positive(t, late.Whole(limit))
			}
		}
	})
}

func TestBucketKeepsItsTimeWhenAClockIsBehind(t *testing.T) {
	t.Parallel()
	limit := perMinute(60, 1)
	bucket := gcra.NewBucket(ticks(time.Hour), limit)
	bucket.Take(1, limit)
	bucket.Refill(0, limit)
	require.Equal(t, gcra.Bucket{Parts: 0, Since: ticks(time.Hour)}, bucket)
}

func TestLimitsHoldToTheirRules(t *testing.T) {
	t.Parallel()
	good := gcra.Limit{Rate: 1, Burst: 1, Period: gcra.Tick}
	require.NoError(t, good.Validate())
	require.NoError(t, gcra.Limit{Rate: gcra.MaxRate, Burst: gcra.MaxBurst, Period: gcra.MaxPeriod}.Validate())
	for want, limit := range map[string]gcra.Limit{
		"rate is 0":        {Burst: 1, Period: time.Second},
		"rate is 1000001":  {Rate: gcra.MaxRate + 1, Burst: 1, Period: time.Second},
		"burst is 0":       {Rate: 1, Period: time.Second},
		"burst is 1000001": {Rate: 1, Burst: gcra.MaxBurst + 1, Period: time.Second},
		"period is 0s":     {Rate: 1, Burst: 1},
		"period is 1ns":    {Rate: 1, Burst: 1, Period: 1},
		"period is 24h":    {Rate: 1, Burst: 1, Period: gcra.MaxPeriod + gcra.Tick},
	} {
		err := limit.Validate()
		require.ErrorIs(t, err, gcra.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}
