package fair

// contest holds the tenants that contend for a slot and finds the one that goes
// first.
//
// A tenant's standing grows while it runs, each at its own slope, so one heap
// of all would go stale with every tick. But tenants of one slope keep their
// order for ever: their lines are parallel. So there is a lane for each pair of
// running count and weight, a heap sorted by where the lines started, and a
// tenant changes lanes only when a run of its own starts or ends.
//
// The lanes in turn are sorted by where their first tenants stood when last
// looked at. Standings never fall by themselves, so that is a lower bound, and
// the first lane is looked at again until its bound is of now: then no other
// can be less. Lanes are few, whatever the number of tenants: running counts
// that differ add up to the slots in use, and weights come in tiers.
type contest struct {
	bySlope map[slope]*lane
	lanes   heap[*lane]
	spare   []*lane
}

// lane holds the contending tenants of one slope.
type lane struct {
	slope

	tenants heap[entry]
	// bound is the first tenant's standing at the time of looked.
	bound  entry
	looked int64
	place  int // among the lanes; none when it is not there
}

// entry is a tenant's line, by its origin; ties go to whoever's next request
// came first.
type entry struct {
	whole, part int64
	sequence    uint64
	tenant      *tenant
}

func (l *lane) before(a, b entry) bool {
	if a.whole != b.whole {
		return a.whole < b.whole
	}
	if a.part != b.part {
		return a.part < b.part
	}
	return a.sequence < b.sequence
}

func (l *lane) moved(e entry, place int) { e.tenant.place = place }

func (c *contest) before(a, b *lane) bool {
	return precedes(a.bound, a.weight, b.bound, b.weight)
}

func (c *contest) moved(l *lane, place int) { l.place = place }

// first is the tenant with the least standing now; nil when nobody contends.
func (c *contest) first(now int64) *tenant {
	for c.lanes.len() > 0 {
		l := c.lanes.top()
		if l.looked == now || l.running == 0 {
			return l.bound.tenant
		}
		l.look(now)
		c.lanes.fix(c, 0)
	}
	return nil
}

// look brings the bound up to now: the first tenant's line is followed there
// from its origin.
func (l *lane) look(now int64) {
	l.bound = l.tenants.top()
	part := l.bound.part + l.running*now
	l.bound.whole += part / l.weight
	l.bound.part = part % l.weight
	l.looked = now
}

// precedes compares standings in lanes of two weights, exactly.
func precedes(a entry, aWeight int64, b entry, bWeight int64) bool {
	if a.whole != b.whole {
		return a.whole < b.whole
	}
	if x, y := a.part*bWeight, b.part*aWeight; x != y {
		return x < y
	}
	return a.sequence < b.sequence
}

// enter puts a tenant whose next request is this one into its lane, or to its
// new place.
func (c *contest) enter(t *tenant, sequence uint64, now int64) {
	s := t.slope()
	whole, part := t.origin(s)
	e := entry{whole: whole, part: part, sequence: sequence, tenant: t}
	if t.lane != nil && t.lane.slope == s {
		at := &t.lane.tenants.list[t.place]
		if *at == e {
			return
		}
		*at = e
		t.lane.tenants.fix(t.lane, t.place)
		c.changed(t.lane, now)
		return
	}
	if t.lane != nil {
		c.leave(t, now)
	}
	t.lane = c.open(s)
	t.lane.tenants.push(t.lane, e)
	c.changed(t.lane, now)
}

// leave takes a tenant out of the contest, in which it must be.
func (c *contest) leave(t *tenant, now int64) {
	l := t.lane
	t.lane = nil
	l.tenants.remove(l, t.place)
	c.changed(l, now)
}

func (c *contest) open(s slope) *lane {
	if l, open := c.bySlope[s]; open {
		return l
	}
	l := &lane{}
	if last := len(c.spare) - 1; last >= 0 {
		l = c.spare[last]
		c.spare = c.spare[:last]
	}
	l.slope, l.place = s, int(none)
	c.bySlope[s] = l
	return l
}

// changed puts a lane where it belongs after its tenants have changed, and
// closes an empty one.
func (c *contest) changed(l *lane, now int64) {
	switch {
	case l.tenants.len() == 0:
		c.lanes.remove(c, l.place)
		delete(c.bySlope, l.slope)
		l.bound = entry{}
		c.spare = append(c.spare, l)
	case l.place == int(none):
		l.look(now)
		c.lanes.push(c, l)
	default:
		l.look(now)
		c.lanes.fix(c, l.place)
	}
}
