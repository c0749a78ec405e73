package fair

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// A tenant's rate is GCRA, the generic cell rate algorithm, in the form of a
// bucket: it holds up to Burst tokens, each start takes one, and Rate of them
// come back in a Period, evenly. To be exact without fractions, a token is as
// many parts as its period has ticks; then Rate parts come back in every tick,
// whatever the two are.
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
	MaxRate   = 1_000_000
	MaxBurst  = 1_000_000
	MaxPeriod = 24 * time.Hour
)

// bucket is what a tenant has in hand of its rate.
type bucket struct {
	// parts of tokens, as of since.
	parts, since int64
	// place is where the heap of held tenants has it; none while it does not.
	place int32
}

// validateRate joins the faults of the rate; one of 0 says nothing about the rest.
func (l Limits) validateRate() error {
	if l.Rate == 0 {
		return nil
	}
	var faults []error
	if l.Rate < 0 || l.Rate > MaxRate {
		faults = append(faults, fmt.Errorf("%w: rate is %d, want 0 to %d", ErrInvalidLimits, l.Rate, MaxRate))
	}
	if l.Burst < 1 || l.Burst > MaxBurst {
		faults = append(faults, fmt.Errorf("%w: burst is %d, want 1 to %d", ErrInvalidLimits, l.Burst, MaxBurst))
	}
	if l.Period < tick || l.Period > MaxPeriod || l.Period%tick != 0 {
		faults = append(faults, fmt.Errorf("%w: period is %s, want whole microseconds up to %s", ErrInvalidLimits, l.Period, MaxPeriod))
	}
	return errors.Join(faults...)
}

// token is how many parts a token has.
func (l *Limits) token() int64 { return int64(l.Period / tick) }

// full is how many parts the bucket holds.
func (l *Limits) full() int64 { return int64(l.Burst) * l.token() }

// refill puts into the bucket what has come back by now. It is the same however
// often it is done.
func (b *bucket) refill(now int64, l *Limits) {
	rate, missing := int64(l.Rate), l.full()-b.parts
	// The product of a long time and the rate would not fit.
	if passed := now - b.since; passed > missing/rate {
		b.parts = l.full()
	} else {
		b.parts += passed * rate
	}
	b.since = now
}

// due is when the bucket holds a token again, rounded up lest a start be early.
func (b *bucket) due(l *Limits) int64 {
	rate := int64(l.Rate)
	return b.since + (l.token()-b.parts+rate-1)/rate
}

// spend takes a token for a start, or what there is of one.
func (t *tenant) spend(now int64) {
	if t.limits.Rate == 0 {
		return
	}
	t.bucket.refill(now, &t.limits)
	t.bucket.parts = max(0, t.bucket.parts-t.limits.token())
}

// refund puts the token of a run back.
func (t *tenant) refund(now int64) {
	if t.limits.Rate == 0 {
		return
	}
	t.bucket.refill(now, &t.limits)
	t.bucket.parts = min(t.limits.full(), t.bucket.parts+t.limits.token())
}

// meter takes the tokens in hand from the tenant's limits over to new ones.
func (t *tenant) meter(limits *Limits, now int64) {
	switch before := &t.limits; {
	case limits.Rate == 0:
		return
	case before.Rate == 0:
		t.bucket.parts = limits.full()
	default:
		t.bucket.refill(now, before)
		// The product needs more than 64 bits, the quotient does not: it is at
		// most the old burst in new parts.
		high, low := bits.Mul64(uint64(t.bucket.parts), uint64(limits.token())) //nolint:gosec // neither is negative
		parts, _ := bits.Div64(high, low, uint64(before.token()))               //nolint:gosec // likewise
		t.bucket.parts = min(int64(parts), limits.full())                       //nolint:gosec // the product of two bounds, see above
	}
	t.bucket.since = now
}

// isOverRate reports whether the tenant lacks a token for its next start.
func (q *Queue) isOverRate(t *tenant) bool {
	if t.limits.Rate == 0 {
		return false
	}
	t.bucket.refill(q.now, &t.limits)
	return t.bucket.parts < t.limits.token()
}

// heldOrder sorts the tenants that only their rate holds by when it lets go.
type heldOrder struct{}

func (heldOrder) before(a, b *tenant) bool {
	return cmp.Or(cmp.Compare(a.bucket.due(&a.limits), b.bucket.due(&b.limits)), cmp.Compare(a.id, b.id)) < 0
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
