package fair_test

import (
	"cmp"
	"math/big"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// oldest is the least sequence that the tenant has queued; 0 when none is.
func (m *model) oldest(id events.TenantID) uint64 {
	var oldest uint64
	found := false
	for sequence, it := range m.items {
		if it.Tenant == id && !it.running && (!found || sequence < oldest) {
			oldest, found = sequence, true
		}
	}
	return oldest
}

// waits is why the request that the tenant would start first has not started.
func (m *model) waits(t *modelTenant) fair.Reason {
	first := m.ready(t)
	if first == nil {
		first = m.items[m.oldest(t.id)]
	}
	if m.queued(t.id) == 0 {
		return ""
	}
	return m.why(first)
}

// line is all that a tenant has queued, by place.
func (m *model) line(id events.TenantID, now time.Time) []fair.Waiting {
	m.advance(now)
	var line []fair.Waiting
	ranks := make(map[uint64]events.Priority)
	for sequence, it := range m.items {
		if it.Tenant != id || it.running {
			continue
		}
		ranks[sequence] = m.rank(it)
		line = append(line, fair.Waiting{Request: m.told(it), Reason: m.why(it)})
	}
	slices.SortFunc(line, func(a, b fair.Waiting) int {
		return cmp.Or(cmp.Compare(ranks[a.Sequence], ranks[b.Sequence]), cmp.Compare(a.Sequence, b.Sequence))
	})
	for i := range line {
		line[i].Place = i + 1
	}
	return line
}

// survey is where every busy tenant stands.
func (m *model) survey(now time.Time) map[events.TenantID]fair.Standing {
	m.advance(now)
	standings := make(map[events.TenantID]fair.Standing)
	for id, t := range m.tenants {
		s := fair.Standing{Tenant: id, Queued: m.queued(id), Running: m.running(id), Oldest: m.oldest(id)}
		if s.Queued+s.Running == 0 {
			continue
		}
		if m.top(t) != nil {
			ready := m.count(func(it *modelItem) bool { return it.Tenant == id && m.exposed(it) && m.ripe(it) })
			s.Startable = min(ready, t.limits.Concurrency-s.Running)
			if t.limits.Rate > 0 {
				tokens := t.inHand(m.now)
				whole := new(big.Int).Div(tokens.Num(), tokens.Denom())
				s.Startable = min(s.Startable, int(whole.Int64()))
			}
		}
		standings[id] = s
	}
	return standings
}
