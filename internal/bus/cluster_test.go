package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/testenv"
)

// On three nodes any replica answers a direct get, and the broker words its
// refusals differently.
func TestCluster(t *testing.T) {
	t.Parallel()
	server := testenv.Cluster(t, 3)
	b := setupOn(t, &server.Server, bus.Topology{Replicas: 3, Backlog: 50})

	t.Run("rivals are granted each place once", func(t *testing.T) {
		const rivals, places = 8, 40
		var granted, outstanding, stale atomic.Int64
		var group errgroup.Group
		for range rivals {
			group.Go(func() error {
				for n := range uint64(places) {
					for {
						_, last, err := b.bus.Runs().Outstanding(t.Context())
						if err != nil {
							return err
						}
						answers := make(chan error, 1)
						run := turnRun(events.SessionID("s"+strconv.FormatUint(n, 10)), n+1)
						if err := b.bus.Runs().Grant(run, last, func(_ uint64, err error) { answers <- err }); err != nil {
							return err
						}
						err = <-answers
						switch {
						case err == nil:
							granted.Add(1)
						case errors.Is(err, events.ErrOutstanding):
							outstanding.Add(1)
						case errors.Is(err, events.ErrStaleGrant):
							stale.Add(1)
							continue
						default:
							return err
						}
						break
					}
				}
				return nil
			})
		}
		require.NoError(t, group.Wait())
		require.EqualValues(t, places, granted.Load())
		require.EqualValues(t, (rivals-1)*places, outstanding.Load())
		runs, _, err := b.bus.Runs().Outstanding(t.Context())
		require.NoError(t, err)
		require.Len(t, runs, places)
	})

	t.Run("the fence holds", func(t *testing.T) {
		first, err := b.bus.Log().Append(t.Context(), replied("s1", 1, 0))
		require.NoError(t, err)
		_, err = b.bus.Log().Append(t.Context(), replied("s1", 1, 0))
		require.ErrorIs(t, err, session.ErrConflict)
		_, err = b.bus.Log().Append(t.Context(), replied("s1", 2, first))
		require.NoError(t, err)
	})

	t.Run("what was just stored is never said to be gone", func(t *testing.T) {
		var group errgroup.Group
		for range 8 {
			group.Go(func() error {
				for range 100 {
					sequence, err := b.bus.Requests().Publish(t.Context(), request(t, acme, "", "hello"))
					if err != nil {
						return err
					}
					if _, found, err := b.bus.Requests().Read(t.Context(), sequence); err != nil || !found {
						return fmt.Errorf("request %d: found is %t: %w", sequence, found, err)
					}
					for range 2 {
						if err := b.bus.Requests().Remove(t.Context(), sequence); err != nil {
							return err
						}
					}
				}
				return nil
			})
		}
		require.NoError(t, group.Wait())
		require.Zero(t, b.count(t, events.StreamRequests))
	})

	t.Run("a full backlog is named as such", func(t *testing.T) {
		for range 50 {
			publish(t, b.bus, request(t, acme, "", "hello"))
		}
		_, err := b.bus.Requests().Publish(t.Context(), request(t, acme, "", "one too many"))
		require.ErrorIs(t, err, bus.ErrBacklogFull)
		publish(t, b.bus, request(t, globex, "", "hello"))
	})

	t.Run("what the cluster has no nodes for is asked for again until its asker has enough", func(t *testing.T) {
		require.NoError(t, b.js.DeleteStream(t.Context(), events.StreamDead))
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		log := &logBook{}
		rooms := connect(t, &server.Server, log)
		log.tell = func(line string) {
			if strings.Contains(line, "has no room for it yet") {
				cancel(enough)
			}
		}
		_, err := rooms.Provision(ctx, bus.Topology{Replicas: 5})
		require.ErrorIs(t, err, enough)
		require.ErrorContains(t, err, events.StreamDead)
		drifts, err := rooms.Provision(t.Context(), bus.Topology{Replicas: 3, Backlog: 50})
		require.NoError(t, err)
		require.Empty(t, drifts)
	})

	t.Run("work goes on when the leader of RUNS is gone", func(t *testing.T) {
		ends := b.ends(t)
		done := make(chan uint64, 100)
		pool, err := b.bus.NewRunPool(bus.RunPoolConfig{Slots: 4, PullExpiry: 200 * time.Millisecond, Handler: func(_ context.Context, run events.Run, _ int) error {
			done <- run.Sequence
			return nil
		}})
		require.NoError(t, err)
		leader := server.Node(t, b.info(t, events.StreamRuns).Cluster.Leader)
		server.StopNode(t, leader)
		require.NoError(t, pool.Start(context.WithoutCancel(t.Context())))
		t.Cleanup(func() { stop(t, pool) })
		for range 40 {
			receive(t, ends, "the end of a run")
		}
		server.StartNode(t, leader)
	})
}
