package natskv_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/internal/testenv"
)

// With three replicas of everything the broker words its refusals otherwise,
// and answers reads by replicas that lag; the promises are the same.
func TestPromisesHoldOnACluster(t *testing.T) {
	t.Parallel()
	b := furnishAs(t, &testenv.Cluster(t, 3).Server, 3)
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		keys, rings := b.keys(t), []*natskv.Keyring{b.ring(t, b.keys(t)), b.ring(t, b.keys(t))}
		for range 20 {
			key := mint(t, access.MintParams{})
			require.NoError(t, keys.Create(t.Context(), key))
			for _, ring := range rings {
				requireKnown(t, ring, key)
			}
			require.ErrorIs(t, keys.Create(t.Context(), key), natskv.ErrConflict)
			_, _, err := keys.Revoke(t.Context(), key.ID, noon())
			require.NoError(t, err)
			for _, ring := range rings {
				require.Less(t, obeys(t, ring, key), time.Second)
			}
		}
	})
	t.Run("replies", func(t *testing.T) {
		t.Parallel()
		gateways := []*natskv.Replies{b.replies(t, 0), b.replies(t, 0), b.replies(t, 0)}
		for range 20 {
			params := asked(string(mint(t, access.MintParams{}).ID), "body")
			var fresh, others atomic.Int64
			var racers sync.WaitGroup
			for _, replies := range gateways {
				racers.Go(func() {
					begun, err := replies.Begin(t.Context(), params)
					switch {
					case err != nil:
						t.Errorf("beginning: %v", err)
					case begun.State == natskv.ReplyFresh:
						fresh.Add(1)
						err = begun.Claim.Finish(t.Context(), natskv.Reply{Status: 201})
					default:
						others.Add(1)
					}
					if err != nil {
						t.Errorf("finishing: %v", err)
					}
				})
			}
			racers.Wait()
			require.EqualValues(t, 1, fresh.Load())
			require.EqualValues(t, 2, others.Load())
			begin(t, gateways[0], params, natskv.ReplyDone)
		}
	})
	t.Run("rates", func(t *testing.T) {
		t.Parallel()
		var allowed atomic.Int64
		var clients sync.WaitGroup
		began := time.Now()
		for range 3 {
			rates := b.rates(t)
			clients.Go(func() {
				for range 200 {
					decision, err := rates.Allow(t.Context(), "acme", perMinute(2, 100))
					if err != nil && !errors.Is(err, natskv.ErrUnmetered) { // which a busy cluster may be, and allows nothing
						t.Errorf("allowing: %v", err)
						return
					}
					if decision.Allowed {
						allowed.Add(1)
					}
				}
			})
		}
		clients.Wait()
		require.LessOrEqual(t, allowed.Load(), int64(101)+int64(2*time.Since(began)/time.Minute))
		require.Greater(t, allowed.Load(), int64(75))
	})
}
