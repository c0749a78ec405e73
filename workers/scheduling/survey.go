package scheduling

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// survey is one walk over the busy tenants.
type survey struct {
	questions []question
	most      int  // tenants that the longest of the answers lists
	from      int  // where the walk goes on
	seen      bool // all tenants are

	busy      int
	startable int
	queued    bool
	oldest    uint64 // sequence, when anything is queued
	listed    crowd
}

func newSurvey(questions []question) *survey {
	s := &survey{questions: questions}
	for _, q := range questions {
		if q.asked.Tenant == "" {
			s.most = max(s.most, q.asked.Most())
		}
	}
	return s
}

// see takes a tenant in.
func (s *survey) see(standing fair.Standing) {
	s.busy++
	s.startable += standing.Startable
	if standing.Queued > 0 && (!s.queued || standing.Oldest < s.oldest) {
		s.queued, s.oldest = true, standing.Oldest
	}
	switch {
	case len(s.listed) < s.most:
		heap.Push(&s.listed, standing)
	case s.most > 0 && longer(standing, s.listed[0]) < 0:
		s.listed[0] = standing
		heap.Fix(&s.listed, 0)
	}
}

// end sorts what was seen.
func (s *survey) end() {
	s.seen = true
	slices.SortFunc(s.listed, longer)
}

// first are the tenants to list, the longest waiting first.
func (s *survey) first(n int) []events.TenantID {
	ids := make([]events.TenantID, 0, min(n, len(s.listed)))
	for _, standing := range s.listed[:cap(ids)] {
		ids = append(ids, standing.Tenant)
	}
	return ids
}

// longer sorts whoever has waited longest first, then whoever waits for nothing,
// by how much it runs.
func longer(a, b fair.Standing) int {
	switch {
	case a.Queued > 0 && b.Queued > 0:
		return cmp.Compare(a.Oldest, b.Oldest)
	case a.Queued > 0:
		return -1
	case b.Queued > 0:
		return 1
	default:
		return cmp.Or(cmp.Compare(b.Running, a.Running), cmp.Compare(a.Tenant, b.Tenant))
	}
}

// crowd keeps on top whoever a longer waiting one displaces.
type crowd []fair.Standing

func (c crowd) Len() int           { return len(c) }
func (c crowd) Less(i, j int) bool { return longer(c[i], c[j]) > 0 }
func (c crowd) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }

// Push implements [heap.Interface].
func (c *crowd) Push(x any) { *c = append(*c, x.(fair.Standing)) }

// Pop implements [heap.Interface]; nothing is ever popped.
func (c *crowd) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}
