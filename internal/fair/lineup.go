package fair

// This file keeps requests in the lists and heaps of what is queued.

// readyOrder sorts a tenant's ready requests: by rank, then in stream order.
type readyOrder Queue

func (o *readyOrder) before(a, b int32) bool {
	x, y := o.items.at(a), o.items.at(b)
	if x.rank != y.rank {
		return x.rank < y.rank
	}
	return x.sequence < y.sequence
}

func (o *readyOrder) moved(handle int32, place int) { o.items.at(handle).move(place) }

// timedOrder sorts the requests that may not start yet by when they may.
type timedOrder Queue

func (o *timedOrder) before(a, b int32) bool {
	x, y := o.items.at(a), o.items.at(b)
	if x.moment != y.moment {
		return x.moment < y.moment
	}
	return x.sequence < y.sequence
}

func (o *timedOrder) moved(handle int32, place int) { o.items.at(handle).move(place) }

// enqueue puts an item in its place among the queued.
func (q *Queue) enqueue(handle int32) {
	it := q.items.at(handle)
	s := q.sessions.at(it.session)
	t := q.tenants[s.tenant]
	it.state = stateWaiting
	q.link(t, handle)
	q.arm(it)
	q.count(t, 1, 0)
	if it.call {
		q.show(handle)
		return
	}
	s.lend(it)
	first := s.head
	q.insert(s, handle)
	if first != none && s.head == handle {
		q.hide(first)
	}
	q.expose(s)
}

// dequeue takes an item from among the queued. The caller that starts a turn
// marks its session as running first, lest the next turn be exposed.
func (q *Queue) dequeue(handle int32) {
	it := q.items.at(handle)
	s := q.sessions.at(it.session)
	t := q.tenants[s.tenant]
	q.hide(handle)
	q.unlink(t, handle)
	q.disarm(it)
	q.count(t, -1, 0)
	if it.call {
		return
	}
	s.unlend(it)
	q.join(s, it.ahead, it.behind)
	q.expose(s)
}

// expose shows the first turn of a session unless one runs, or sorts it anew
// when it is shown already: what is lent to it may have changed.
func (q *Queue) expose(s *session) {
	if s.running > 0 || s.head == none {
		return
	}
	switch it := q.items.at(s.head); it.state {
	case stateWaiting:
		q.show(s.head)
	case stateReady:
		if rank := s.urgency(it.priority); rank != it.rank {
			it.rank = rank
			q.tenants[s.tenant].ready.fix((*readyOrder)(q), int(it.place))
		}
	case stateTimed, stateRunning:
	}
}

// show puts an item that no other request of its session holds back where it
// can be found: with its tenant, or with those that wait for their time.
func (q *Queue) show(handle int32) {
	it := q.items.at(handle)
	if it.moment > q.now {
		it.state = stateTimed
		q.timed.push((*timedOrder)(q), handle)
		return
	}
	s := q.sessions.at(it.session)
	it.state = stateReady
	it.rank = it.priority
	if !it.call {
		it.rank = s.urgency(it.priority)
	}
	q.tenants[s.tenant].ready.push((*readyOrder)(q), handle)
}

// hide undoes show; it does nothing to an item that is not shown.
func (q *Queue) hide(handle int32) {
	it := q.items.at(handle)
	switch it.state {
	case stateTimed:
		q.timed.remove((*timedOrder)(q), int(it.place))
	case stateReady:
		q.tenants[q.sessions.at(it.session).tenant].ready.remove((*readyOrder)(q), int(it.place))
	case stateWaiting, stateRunning:
		return
	}
	it.state = stateWaiting
}

// insert links a turn into its session. A pushed turn is nearly always the last
// one and a returned turn the first, so both ends are tried before a walk.
func (q *Queue) insert(s *session, handle int32) {
	it := q.items.at(handle)
	ahead := s.tail
	if s.head != none && it.sequence < q.items.at(s.head).sequence {
		ahead = none
	}
	for ahead != none && q.items.at(ahead).sequence > it.sequence {
		ahead = q.items.at(ahead).ahead
	}
	behind := s.head
	if ahead != none {
		behind = q.items.at(ahead).behind
	}
	it.ahead, it.behind = ahead, behind
	q.join(s, ahead, handle)
	q.join(s, handle, behind)
}

// join makes two turns neighbours; none stands for the end of the session.
func (q *Queue) join(s *session, ahead, behind int32) {
	if ahead == none {
		s.head = behind
	} else {
		q.items.at(ahead).behind = behind
	}
	if behind == none {
		s.tail = ahead
	} else {
		q.items.at(behind).ahead = ahead
	}
}

// link adds an item to the queued of its tenant, in the order of sequences, so
// that the first is the one that has waited longest. A pushed request is nearly
// always the last one and a returned one among the first, so its place is
// looked for from both ends at once.
func (q *Queue) link(t *tenant, handle int32) {
	it := q.items.at(handle)
	above, below := t.last, t.first
	for {
		if above == none {
			below = t.first
			break
		}
		if last := q.items.at(above); last.sequence < it.sequence {
			below = last.below
			break
		}
		if first := q.items.at(below); first.sequence > it.sequence {
			above = first.above
			break
		}
		above, below = q.items.at(above).above, q.items.at(below).below
	}
	it.above, it.below = above, below
	q.chain(t, above, handle)
	q.chain(t, handle, below)
}

func (q *Queue) unlink(t *tenant, handle int32) {
	it := q.items.at(handle)
	q.chain(t, it.above, it.below)
}

// chain makes two queued of a tenant neighbours; none stands for the end.
func (q *Queue) chain(t *tenant, above, below int32) {
	if above == none {
		t.first = below
	} else {
		q.items.at(above).below = below
	}
	if below == none {
		t.last = above
	} else {
		q.items.at(below).above = above
	}
}
