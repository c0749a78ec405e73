package scheduling

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

func TestDesiredWorkers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ needed, slots, workers, usual, want int }{
		{needed: 0, slots: 64, workers: 1, usual: 64, want: 0},
		{needed: 0, slots: 0, workers: 0, usual: 64, want: 0},
		{needed: 1, slots: 0, workers: 0, usual: 64, want: 1},
		{needed: 64, slots: 0, workers: 0, usual: 64, want: 1},
		{needed: 65, slots: 0, workers: 0, usual: 64, want: 2},
		{needed: 8, slots: 16, workers: 2, usual: 64, want: 1},
		{needed: 9, slots: 16, workers: 2, usual: 64, want: 2},
		{needed: 16, slots: 16, workers: 2, usual: 64, want: 2},
		{needed: 17, slots: 16, workers: 2, usual: 64, want: 3},
		{needed: 3, slots: 4, workers: 3, usual: 64, want: 3}, // 4/3 slots a worker
	} {
		require.Equal(t, test.want, desiredWorkers(test.needed, test.slots, test.workers, test.usual), fmt.Sprint(test))
	}
}

// As many workers as are desired have slots enough, and one less has not.
func TestDesiredWorkersAreEnoughAndNoMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		needed := rapid.IntRange(0, 1_000_000).Draw(t, "needed")
		workers := rapid.IntRange(0, 10_000).Draw(t, "workers")
		slots := workers * rapid.IntRange(1, 1000).Draw(t, "slots")
		usual := rapid.IntRange(1, 1000).Draw(t, "usual")
		desired := desiredWorkers(needed, slots, workers, usual)
		if workers == 0 {
			slots, workers = usual, 1
		}
		require.GreaterOrEqual(t, desired*slots, needed*workers)
		require.True(t, desired == 0 && needed == 0 || (desired-1)*slots < needed*workers)
	})
}

// A survey lists those that a sort of all would put first, for each question as
// many as it asks for.
func TestSurveyListsWhoHasWaitedLongest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []fair.Standing
		var startable int
		for n := range rapid.IntRange(0, 60).Draw(t, "tenants") {
			s := fair.Standing{
				Tenant: events.TenantID(fmt.Sprintf("tenant_%02d", n)), Running: rapid.IntRange(0, 3).Draw(t, "running"),
				Startable: rapid.IntRange(0, 3).Draw(t, "startable"),
			}
			if s.Queued = rapid.IntRange(0, 2).Draw(t, "queued"); s.Queued > 0 {
				s.Oldest = rapid.Uint64Range(1, 1000).Draw(t, "oldest")*100 + uint64(n)
			}
			startable += s.Startable
			all = append(all, s)
		}
		limits := rapid.SliceOfN(rapid.IntRange(1, 20), 1, 3).Draw(t, "limits")
		questions := []question{{asked: events.QueueAsked{Tenant: "tenant_00", Limit: events.MaxQueueLimit}}}
		for _, limit := range limits {
			questions = append(questions, question{asked: events.QueueAsked{Limit: limit}})
		}
		s := newSurvey(questions)
		for _, standing := range all {
			s.see(standing)
		}
		s.end()
		require.LessOrEqual(t, len(s.listed), slices.Max(limits), "no more than is asked for")
		require.Equal(t, startable, s.startable)
		require.Equal(t, len(all), s.busy)
		slices.SortFunc(all, longer)
		if len(all) > 0 && all[0].Queued > 0 {
			require.Equal(t, all[0].Oldest, s.oldest)
		}
		for _, limit := range limits {
			var want []events.TenantID
			for _, standing := range all[:min(limit, len(all))] {
				want = append(want, standing.Tenant)
			}
			require.ElementsMatch(t, want, s.first(limit))
			if len(want) > 0 {
				require.Equal(t, want, s.first(limit))
			}
		}
	})
}

func TestSurveyForNobodyListsNobody(t *testing.T) {
	t.Parallel()
	s := newSurvey(nil)
	s.see(fair.Standing{Tenant: "a", Queued: 1, Oldest: 3})
	s.end()
	require.Empty(t, s.listed)
	require.EqualValues(t, 3, s.oldest)
}
