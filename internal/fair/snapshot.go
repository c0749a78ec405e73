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
		SlotSeconds: float64(t.used) / second,
		Service:     (float64(t.whole) + float64(t.part)/float64(t.limits.Weight)) / second,
	}
	if t.busy() {
		snapshot.Share = float64(t.limits.Weight) / float64(q.busyWeight)
	}
	return snapshot, true
}
