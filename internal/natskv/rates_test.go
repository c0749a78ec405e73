package natskv_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gcra"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

func perMinute(rate, burst int) gcra.Limit {
	return gcra.Limit{Rate: rate, Burst: burst, Period: time.Minute}
}

func (b *bench) rates(t *testing.T) *natskv.Rates {
	t.Helper()
	rates, err := b.client(t, "").Rates(t.Context())
	require.NoError(t, err)
	return rates
}

func allow(t *testing.T, rates *natskv.Rates, id tenant.ID, limit gcra.Limit) gcra.Decision {
	t.Helper()
	decision, err := rates.Allow(t.Context(), id, limit)
	require.NoError(t, err)
	return decision
}

// Three processes that let all they can through, each from several goroutines,
// come to no more than one that asks alone would, and to hardly less.
func TestRatesAreShared(t *testing.T) {
	t.Parallel()
	b := setup(t)
	limit := perMinute(6_000, 50)
	stop, begun := make(chan struct{}), time.Now()
	var allowed, asked atomic.Int64
	var clients sync.WaitGroup
	for range 3 {
		rates := b.rates(t)
		for range 4 {
			clients.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					decision, err := rates.Allow(context.WithoutCancel(t.Context()), "acme", limit)
					if err != nil {
						t.Errorf("allowing: %v", err)
						return
					}
					asked.Add(1)
					if !decision.Allowed {
						continue
					}
					most := 50 + int64(time.Since(begun).Seconds()*100) + 1
					if n := allowed.Add(1); n > most {
						t.Errorf("%d were allowed, at most %d may be", n, most)
						return
					}
				}
			})
		}
	}
	require.Eventually(t, func() bool { return time.Since(begun) > 2*time.Second }, patience, poll)
	close(stop)
	clients.Wait()
	total := int(allowed.Load())
	fair := 50 + int(time.Since(begun).Seconds()*100)
	require.Greater(t, total, fair/2, "of %d", fair)
	stream, err := b.js.Stream(t.Context(), "KV_"+events.BucketRates)
	require.NoError(t, err)
	writes := stream.CachedInfo().State.LastSeq
	require.Less(t, writes, uint64(total), "a lease is of more than one")
	t.Logf("%d asked, %d allowed of %d, %d writes", asked.Load(), total, fair, writes)
}

func TestRatesOfTenantsAreApart(t *testing.T) {
	t.Parallel()
	rates := setup(t).rates(t)
	limit := perMinute(1, 3)
	for _, id := range []tenant.ID{"acme", "loja"} {
		for left := range 3 {
			decision := allow(t, rates, id, limit)
			require.True(t, decision.Allowed)
			require.Equal(t, 3, decision.Limit)
			require.Equal(t, 2-left, decision.Remaining)
			require.Zero(t, decision.RetryAfter)
			require.InDelta(t, float64(left+1)*60, decision.Reset.Seconds(), 20)
		}
		for range 3 {
			decision := allow(t, rates, id, limit)
			require.False(t, decision.Allowed)
			require.Zero(t, decision.Remaining)
			require.InDelta(t, 60, decision.RetryAfter.Seconds(), 20)
		}
	}
}

func TestRatesRefuseWhatIsInvalid(t *testing.T) {
	t.Parallel()
	rates := setup(t).rates(t)
	_, err := rates.Allow(t.Context(), "a.b", perMinute(1, 1))
	require.ErrorIs(t, err, events.ErrInvalidID)
	for want, limit := range map[string]gcra.Limit{
		"rate is 0":                     perMinute(0, 1),
		"burst is 0":                    perMinute(1, 0),
		"period is 1s":                  {Rate: 1, Burst: 1, Period: time.Second},
		"burst is 61, want at most 60 ": perMinute(1, 61),
	} {
		_, err := rates.Allow(t.Context(), "acme", limit)
		require.ErrorIs(t, err, gcra.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	require.True(t, allow(t, rates, "acme", perMinute(1, 60)).Allowed)
}

// What is in the bucket counts for a process that has just started, and garbage
// counts as nothing left.
func TestRatesOutliveAProcess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	limit := perMinute(1, 2)
	before := b.rates(t)
	require.True(t, allow(t, before, "acme", limit).Allowed)
	after := b.rates(t)
	require.True(t, allow(t, after, "acme", limit).Allowed)
	require.False(t, allow(t, after, "acme", limit).Allowed)
	require.False(t, allow(t, before, "acme", limit).Allowed)

	for id, value := range map[tenant.ID]string{
		"garbage": "garbage", "owes": `{"parts":-5,"since":1}`, "future": fmt.Sprintf(`{"parts":0,"since":%d}`, time.Now().Add(time.Hour).UnixMicro()),
	} {
		_, err := b.bucket(t, events.BucketRates).PutString(t.Context(), string(id), value)
		require.NoError(t, err)
		decision := allow(t, after, id, perMinute(2, 1))
		if id == "owes" {
			require.True(t, decision.Allowed, "since 1970 it has come back")
			continue
		}
		require.False(t, decision.Allowed, id)
		require.LessOrEqual(t, decision.RetryAfter, 30*time.Second, "%s: it fills from when it was written", id)
	}
	require.Contains(t, b.logs.String(), "rate entry passed over")
}

// While the broker says nothing, what was leased is spent and then nothing is
// allowed; a broker that comes back without its memory starts anew.
func TestRatesFailClosed(t *testing.T) {
	t.Parallel()
	server := testenv.Restartable(t)
	b := furnish(t, &server.Server)
	proxy := testenv.NewProxy(t, server.URL)
	rates, err := b.client(t, proxy.URL).Rates(t.Context())
	require.NoError(t, err)
	limit, leased := perMinute(10, 100), time.Now()
	for range 4 { // of leases of 1, 2 and 4
		require.True(t, allow(t, rates, "acme", limit).Allowed)
	}
	proxy.Freeze()
	for range 3 {
		decision, err := rates.Allow(t.Context(), "acme", limit)
		if time.Since(leased) < gcra.LeaseTime { // this machine may be slow
			require.NoError(t, err)
			require.True(t, decision.Allowed, "leased before")
		}
	}
	begun := time.Now()
	_, err = rates.Allow(t.Context(), "acme", limit)
	require.ErrorIs(t, err, natskv.ErrUnmetered)
	require.Less(t, time.Since(begun), 5*time.Second)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = rates.Allow(short, "acme", limit)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	server.Stop(t)
	_, err = rates.Allow(t.Context(), "acme", limit)
	require.ErrorIs(t, err, natskv.ErrUnmetered)
	server.Start(t)
	proxy.Thaw()
	require.Eventually(t, func() bool {
		decision, err := rates.Allow(t.Context(), "acme", limit)
		return err == nil && decision.Allowed
	}, patience, poll)
	require.Less(t, allow(t, rates, "acme", limit).Remaining, 100)
}
