package fair

import (
	"time"

	"github.com/feira-dev/feira/events"
)

// Snapshot is how a tenant stands.
type Snapshot struct {
	Tenant  events.TenantID
	Limits  Limits
	Queued  int
	Running int
	// Oldest is the least sequence that is queued, that of the request that has
	// waited longest; 0 when none is.
	Oldest uint64
	// Waits says why the request that would go first of its own has not started;
	// empty when none is queued.
	Waits Reason
	// SlotSeconds is the slot time that its runs have had, those that run now
	// included.
	SlotSeconds float64
	// Service is where it stands beside others: slot-seconds by weight, counted
	// from where it was last lifted to. Only differences mean anything.
	Service float64
	// Share is the part of the pool that its weight entitles it to beside the
	// tenants that now have requests queued or running; 0 when it has none.
	Share float64
}

// Snapshot tells how a tenant stands; false when it is not known.
func (q *Queue) Snapshot(id events.TenantID, now time.Time) (Snapshot, bool) {
	q.advance(now)
	t, known := q.tenant(id)
	if !known || t.dropped {
		return Snapshot{}, false
	}
	t.settle(q.now, t.slope())
	second := float64(time.Second / tick)
	snapshot := Snapshot{
		Tenant: t.id, Limits: t.limits, Queued: int(t.queued), Running: int(t.running),
		Oldest: q.oldest(t), Waits: q.waits(t),
		SlotSeconds: float64(t.used) / second,
		Service:     (float64(t.whole) + float64(t.part)/float64(t.limits.Weight)) / second,
	}
	if t.busy() {
		snapshot.Share = float64(t.limits.Weight) / float64(q.busyWeight)
	}
	return snapshot, true
}

// Standing is the little of a tenant that a walk over all of them can afford.
type Standing struct {
	Tenant  events.TenantID
	Queued  int
	Running int
	// Startable is how many of the queued would start at once if slots were
	// free, up to the tenant's cap and rate.
	Startable int
	// Oldest is as in [Snapshot].
	Oldest uint64
}

// Survey looks at the next tenants, at most so many, and visits those that have
// requests queued or running. It returns where to go on, which is 0 when all
// have been looked at, and 0 is also where to begin. A tenant that comes or
// goes in between is seen or not; every other one is seen once.
func (q *Queue) Survey(from, most int, now time.Time, visit func(Standing)) (next int) {
	q.advance(now)
	end := min(from+most, len(q.tenants))
	for _, t := range q.tenants[min(from, end):end] {
		if t == nil || !t.busy() {
			continue
		}
		visit(Standing{
			Tenant: t.id, Queued: int(t.queued), Running: int(t.running), Startable: q.startable(t), Oldest: q.oldest(t),
		})
	}
	if end == len(q.tenants) {
		return 0
	}
	return end
}

func (q *Queue) oldest(t *tenant) uint64 {
	if t.first == none {
		return 0
	}
	return q.items.at(t.first).sequence
}

func (q *Queue) waits(t *tenant) Reason {
	switch {
	case t.ready.len() > 0:
		return q.reason(t.ready.top())
	case t.first != none:
		return q.reason(t.first)
	default:
		return ""
	}
}

// startable counts what the tenant's own rules let start, whatever the slots.
func (q *Queue) startable(t *tenant) int {
	if !q.contends(t) {
		return 0
	}
	n := min(t.ready.len(), t.limits.Concurrency-int(t.running))
	if t.limits.Rate > 0 {
		n = min(n, int(t.bucket.Whole(t.limits.gcra())))
	}
	return n
}
