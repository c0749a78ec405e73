package fair

import (
	"cmp"
	"fmt"

	"github.com/feira-dev/feira/internal/gcra"
)

// A tenant's rate is GCRA, in the form of a bucket of tokens: each start takes
// one. The arithmetic is internal/gcra's.
//
// A tenant without a whole token contends no more, like one at its cap: its
// requests wait, it gets the same grace, and it hoards no service. Unlike a
// cap, a rate lets go by itself, at a moment that is known: such tenants stand
// in a heap by that moment, which advance empties and Wake looks at.
//
//   - Return gives the token back, as far as the bucket has room: a run that is
//     given up and started again costs one token, not two.
//   - Restore takes a token, but owes none: runs that another leader has started
//     leave at worst an empty bucket. A new leader knows no more than that, so a
//     change of leaders may hand out up to a burst beyond the rate.
//   - A change of the rate takes the tokens in hand along, at most the new burst
//     of them. It makes none: whoever raises the burst waits for the rate to
//     fill it. A tenant that was unlimited starts with its burst.

// Bounds of a rate, within which its arithmetic is exact.
const (
	MaxRate   = gcra.MaxRate
	MaxBurst  = gcra.MaxBurst
	MaxPeriod = gcra.MaxPeriod
)

// bucket is what a tenant has in hand of its rate.
type bucket struct {
	gcra.Bucket

	// place is where the heap of held tenants has it; none while it does not.
	place int32
}

// gcra is the limits' part that is about the rate.
func (l *Limits) gcra() gcra.Limit {
	return gcra.Limit{Rate: l.Rate, Burst: l.Burst, Period: l.Period}
}

// validateRate joins the faults of the rate; one of 0 says nothing about the rest.
func (l Limits) validateRate() error {
	if l.Rate == 0 {
		return nil
	}
	if err := l.gcra().Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidLimits, err)
	}
	return nil
}

// due is when the tenant has a token again.
func (t *tenant) due() int64 { return t.bucket.Due(t.limits.gcra()) }

// spend takes a token for a start, or what there is of one.
func (t *tenant) spend(now int64) {
	if t.limits.Rate == 0 {
		return
	}
	limit := t.limits.gcra()
	t.bucket.Refill(now, limit)
	t.bucket.Take(1, limit)
}

// refund puts the token of a run back.
func (t *tenant) refund(now int64) {
	if t.limits.Rate == 0 {
		return
	}
	limit := t.limits.gcra()
	t.bucket.Refill(now, limit)
	t.bucket.Return(1, limit)
}

// meter takes the tokens in hand from the tenant's limits over to new ones.
func (t *tenant) meter(limits *Limits, now int64) {
	after, before := limits.gcra(), t.limits.gcra()
	switch {
	case after.Rate == 0:
		return
	case before.Rate == 0:
		t.bucket.Bucket = gcra.NewBucket(now, after)
	default:
		t.bucket.Refill(now, before)
		t.bucket.Convert(before, after)
	}
	t.bucket.Since = now
}

// isOverRate reports whether the tenant lacks a token for its next start.
func (q *Queue) isOverRate(t *tenant) bool {
	if t.limits.Rate == 0 {
		return false
	}
	limit := t.limits.gcra()
	t.bucket.Refill(q.now, limit)
	return t.bucket.Parts < limit.Token()
}

// heldOrder sorts the tenants that only their rate holds by when it lets go.
type heldOrder struct{}

func (heldOrder) before(a, b *tenant) bool {
	return cmp.Or(cmp.Compare(a.due(), b.due()), cmp.Compare(a.id, b.id)) < 0
}

func (heldOrder) moved(t *tenant, place int) {
	t.bucket.place = int32(place) //nolint:gosec // so many tenants do not fit in memory
}

// await puts a tenant where Wake finds it when its rate alone keeps it from
// contending, to its new place when it is there, and away from there otherwise.
func (q *Queue) await(t *tenant) {
	held := t.ready.len() > 0 && q.holdTenant(t) == ReasonRate
	switch at := int(t.bucket.place); {
	case held && at < 0:
		q.held.push(heldOrder{}, t)
	case held:
		q.held.fix(heldOrder{}, at)
	case at >= 0:
		q.held.remove(heldOrder{}, at)
		t.bucket.place = none
	}
}
