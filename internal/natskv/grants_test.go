package natskv_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
)

func (b *bench) grants(t *testing.T) *natskv.Grants {
	t.Helper()
	grants, err := b.client(t, "").Grants(t.Context())
	require.NoError(t, err)
	return grants
}

func TestGrantsAreTakenOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	here, there := b.grants(t), b.grants(t)
	_, found, err := there.Take(t.Context(), "id")
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, here.Put(t.Context(), "id", []byte("who")))
	require.Error(t, there.Put(t.Context(), "id", []byte("somebody else")), "an id is used once")
	value, found, err := there.Take(t.Context(), "id")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "who", string(value))
	_, found, err = here.Take(t.Context(), "id")
	require.NoError(t, err)
	require.False(t, found)
	stream, err := b.js.Stream(t.Context(), "KV_"+events.BucketGrants)
	require.NoError(t, err)
	require.Equal(t, events.GrantsAge, stream.CachedInfo().Config.MaxAge)
}

func TestOneOfManyTakesAGrant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	all := []*natskv.Grants{b.grants(t), b.grants(t), b.grants(t)}
	require.NoError(t, all[0].Put(t.Context(), "id", []byte("who")))
	var taking sync.WaitGroup
	var taken atomic.Int64
	for n := range 24 {
		taking.Go(func() {
			if _, found, err := all[n%len(all)].Take(t.Context(), "id"); err == nil && found {
				taken.Add(1)
			}
		})
	}
	taking.Wait()
	require.Equal(t, int64(1), taken.Load())
}
