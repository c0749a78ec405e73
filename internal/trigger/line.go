package trigger

import (
	"container/heap"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
)

// line is all that a trigger is to be told.
type line struct {
	key     Key
	lanes   map[events.Lane]*lane
	ready   []*lane // whose first item may be told now
	waiting lanes   // whose first item failed, by when it may be told again

	pending  int
	inflight int
	failures int       // in a row
	held     time.Time // before which nothing is told
	probe    time.Time // before which nothing is tried, while it is down
	wake     time.Time // the earliest in the queue's heap; zero for none

	paused  bool
	dropped bool // it is told nothing more
	ringed  bool // it is in a ring
	parked  bool // it waits for a slot of its tenant
}

// lane is the events of one object, in order.
type lane struct {
	line    *line
	name    events.Lane
	items   []waiting
	first   time.Time // when the first item was first tried; zero where it was not, or nobody remembers
	due     time.Time
	place   int  // in waiting, or nowhere
	busy    bool // the first item is under way
	suspect bool // and takes a slot of the suspects
}

type waiting struct {
	sequence uint64
	accepted time.Time
}

func (q *Queue) runnable(l *line, now time.Time) bool {
	if l.paused || l.dropped || len(l.ready) == 0 || l.held.After(now) {
		return false
	}
	if q.down(l) {
		return l.inflight == 0 && !l.probe.After(now)
	}
	return l.inflight < q.config.PerTrigger
}

// refresh moves lanes that are due, and puts the line where Next finds it: into
// a ring, or among those that are woken later.
func (q *Queue) refresh(l *line, now time.Time) {
	for len(l.waiting) > 0 && !l.waiting[0].due.After(now) {
		l.ready = append(l.ready, heap.Pop(&l.waiting).(*lane))
	}
	if q.runnable(l, now) {
		if !l.ringed && !l.parked {
			l.ringed = true
			q.ringOf(l).push(l)
		}
		return
	}
	if l.paused || l.dropped {
		return
	}
	var at time.Time
	switch {
	case len(l.ready) > 0:
		at = l.held
		if q.down(l) && l.probe.After(at) {
			at = l.probe
		}
	case len(l.waiting) > 0:
		at = l.waiting[0].due
	}
	if at.After(now) && (l.wake.IsZero() || at.Before(l.wake)) {
		l.wake = at
		heap.Push(&q.wakes, wake{at: at, line: l})
	}
}

// hurry has all that waits tried now.
func (l *line) hurry() {
	for _, of := range l.waiting {
		of.place = nowhere
	}
	l.ready = append(l.ready, l.waiting...)
	l.waiting = nil
}

// knock has a lane of a trigger that is down tried at its next probe: something
// new has come, so somebody is there who may have mended it.
func (l *line) knock(of *lane, now time.Time) {
	if of.place != nowhere && of.due.After(now) {
		of.due = now
		heap.Fix(&l.waiting, of.place)
	}
}

func (q *Queue) ringOf(l *line) *ring {
	if l.failures > 0 {
		return &q.suspect
	}
	return &q.healthy
}

// Pause holds what a trigger is to be told, or lets it go on. One that is let go
// on is taken for well.
func (q *Queue) Pause(key Key, paused bool, now time.Time) {
	l := q.lines[key]
	if l == nil && !paused {
		return
	}
	if l == nil {
		l = q.line(key)
	}
	if l.paused && !paused {
		l.failures, l.held, l.probe = 0, time.Time{}, time.Time{}
		l.hurry()
	}
	l.paused = paused
	q.refresh(l, now)
	q.forget(l)
}

// Drop takes out all that waits for a trigger, in the order in which it came.
// What is under way ends as it ends.
func (q *Queue) Drop(key Key) []Item {
	l := q.lines[key]
	if l == nil {
		return nil
	}
	var items []Item
	for _, of := range l.lanes {
		from := 0
		if of.busy {
			from = 1
		}
		for _, item := range of.items[from:] {
			items = append(items, Item{Key: key, Lane: of.name, Sequence: item.sequence, Accepted: item.accepted})
		}
	}
	slices.SortFunc(items, bySequence)
	q.pending -= l.pending
	l.pending, l.ready, l.waiting, l.dropped = 0, nil, nil, true
	delete(q.lines, key)
	return items
}

func bySequence(a, b Item) int {
	switch {
	case a.Sequence < b.Sequence:
		return -1
	case a.Sequence > b.Sequence:
		return 1
	}
	return 0
}

// Expired takes out what was taken in before a time and has no prospect: its
// trigger is down or paused. Of what could be tried at once nothing is taken.
func (q *Queue) Expired(before time.Time) []Item {
	var items []Item
	for _, l := range q.lines {
		if !l.paused && !q.down(l) {
			continue
		}
		for _, of := range l.lanes {
			items = append(items, q.cut(l, of, before)...)
		}
		l.ready = slices.DeleteFunc(l.ready, (*lane).empty)
		l.waiting = slices.DeleteFunc(l.waiting, (*lane).empty)
		for i, of := range l.waiting {
			of.place = i
		}
		heap.Init(&l.waiting)
		q.forget(l)
	}
	slices.SortFunc(items, bySequence)
	return items
}

func (of *lane) empty() bool { return len(of.items) == 0 }

func (q *Queue) cut(l *line, of *lane, before time.Time) []Item {
	var items []Item
	for !of.busy && len(of.items) > 0 && of.items[0].accepted.Before(before) {
		items = append(items, Item{Key: l.key, Lane: of.name, Sequence: of.items[0].sequence, Accepted: of.items[0].accepted})
		of.items, of.first = of.items[1:], time.Time{}
		l.pending--
		q.pending--
	}
	if len(of.items) == 0 {
		delete(l.lanes, of.name)
	}
	return items
}

// forget lets go of a line that has nothing to say and nothing to remember.
func (q *Queue) forget(l *line) {
	if c := q.tenants[l.key.Tenant]; c != nil && c.inflight == 0 && len(c.parked) == 0 {
		delete(q.tenants, l.key.Tenant)
	}
	if q.lines[l.key] == l && l.pending == 0 && l.inflight == 0 && !l.paused && l.failures == 0 && l.held.IsZero() && !l.ringed && !l.parked {
		delete(q.lines, l.key)
	}
}
