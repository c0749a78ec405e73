package fair

import "time"

// Service is what a tenant has had: slot time divided by weight, in exact
// virtual microseconds. Whoever has had least goes first.
//
// Slot time alone is blind to what has just been granted: a run of age zero
// weighs nothing, so in one instant a burst would take every free slot. Hence a
// tenant stands in the contest at
//
//	(slot time + running × expected) / weight
//
// where expected is the typical length of its runs, learnt from those that
// ended. The second term is a forecast, never a charge: it goes when the run
// ends, and only true slot time stays. So the forecast may be wrong without
// making the shares wrong: between two tenants that both keep wanting slots,
// service differs at most by what their runs in flight weigh, however long this
// goes on. Charging a forecast and correcting it later would do the same in
// the long run, but would have to watch each run outlive its forecast; here one
// product covers all runs of a tenant, and time moves it along a straight line.
//
// A tenant that begins to contend is lifted level with the tenant that goes
// next, forecast left out, or with the floor, the highest such level so far,
// when nobody else wants a slot. Having nothing in flight it goes before
// everybody who has, and takes every slot that falls free until it has as much
// in flight for its weight: a newcomer waits for one slot to fall free, not for
// its turn after a flood. (A forecast that was far too long can cost it more: as
// such runs end early their tenant's standing falls back, and it may pass the
// newcomer for as long as the error weighed.)
//
// A tenant that was held (by its cap, its rate, a pause, a busy session) and not idle gets
// a grace: it may come back below the floor by a few times what the longest of
// its runs in flight weigh. With none, a tenant whose cap is little above its
// fair share would lose what it is owed each time it touches the cap, a quarter
// of its share where run lengths are very uneven; with no bound, one that its
// cap keeps below its share would hoard credit for the day the cap is raised.

const (
	// tick is the unit of time. Runs shorter than it are free in expectation:
	// start and end are cut off alike.
	tick = time.Microsecond
	// firstExpected is how long a run is taken to be before any has ended.
	firstExpected = int64(time.Second / tick)
	// graces is how many of its longest runs in flight a held tenant may lag by.
	// Measured with caps at and above the fair share and one run in twenty 180
	// times as long as the others: 1 costs up to 8 % of the share, 4 about 2.
	graces = 4
	// fading is the inverse of what the longest run fades by at each ending.
	fading = 64
	// learning is the inverse weight of the latest run in what is expected.
	learning = 8
)

// slope is how fast service grows: running / weight.
type slope struct {
	running, weight int64
}

// account is the service of one tenant. Service is whole + part/weight, which is
// exact: rounding it at every change of slope would rob large weights.
type account struct {
	whole, part int64
	// since is the time up to which service and used are settled.
	since int64
	// used is slot time in ticks, never lifted and never divided.
	used int64
	// grace is how far below the floor a held tenant may come back.
	grace int64
	// expected is the typical length of its runs; learnt says that it is from
	// its own runs and not the pool's.
	expected int64
	learnt   bool
	// longest is the longest of its runs, fading.
	longest int64
}

// settle books the slot time since the last settling. It comes before every
// change of the slope.
func (a *account) settle(now int64, s slope) {
	slotTime := s.running * (now - a.since)
	a.used += slotTime
	a.part += slotTime
	a.whole += a.part / s.weight
	a.part %= s.weight
	a.since = now
}

// roundUp makes service whole, so that it means the same under any weight.
func (a *account) roundUp() {
	if a.part > 0 {
		a.whole, a.part = a.whole+1, 0
	}
}

// origin is where the line of the tenant's standing in the contest was at time
// zero, as whole + part/weight with part in [0, weight). It is the same
// however often the account is settled, as long as nothing changes.
func (a *account) origin(s slope) (whole, part int64) {
	part = a.part + s.running*(a.expected-a.since)
	whole = a.whole + part/s.weight
	part %= s.weight
	if part < 0 {
		whole, part = whole-1, part+s.weight
	}
	return whole, part
}

// learn takes the length of a run that ended into what is expected.
func (a *account) learn(length int64) {
	a.longest = max(length, a.longest-a.longest/fading)
	if !a.learnt {
		a.expected, a.learnt = max(length, 1), true
		return
	}
	a.expected = blend(a.expected, length)
}

func blend(expected, length int64) int64 {
	return max(expected+(length-expected)/learning, 1)
}

// lift brings a tenant that begins to contend up to where the others are. Until
// a run of its own has ended, it is expected to run as long as the pool's do.
func (q *Queue) lift(t *tenant) {
	level := q.floor
	if first := q.contest.first(q.now); first != nil {
		level = q.raise(first)
	}
	level = min(level, q.floor-t.grace)
	t.settle(q.now, t.slope())
	if t.whole < level {
		t.whole, t.part = level, 0
	}
	if !t.learnt {
		t.expected = q.expected
	}
}

// hold gives a tenant that has stopped contending its grace.
func hold(t *tenant) {
	t.grace = graces * int64(t.running) * t.longest / int64(t.limits.Weight)
}

// raise brings the floor up to the level of the tenant that goes next, which it
// returns.
func (q *Queue) raise(first *tenant) int64 {
	first.settle(q.now, first.slope())
	level := first.whole
	if first.part > 0 {
		level++
	}
	q.floor = max(q.floor, level)
	return level
}
