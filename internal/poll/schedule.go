package poll

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// Hold is what is written down of a lane: who looks after it, and from when on
// it may be looked after again.
type Hold struct {
	// Holder looks after it until Until, unless it says sooner that it is done.
	Holder string    `json:"holder,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	// NotBefore keeps everybody from it: the provider asked for a pause, or fails.
	NotBefore time.Time `json:"not_before,omitzero"`
	// Failures is how often in a row nothing could be asked.
	Failures int `json:"failures,omitempty"`
}

// Free is from when on somebody may take the lane.
func (h Hold) Free() time.Time {
	if h.Until.After(h.NotBefore) {
		return h.Until
	}
	return h.NotBefore
}

// Backoffs of lanes in which nothing can be asked.
const (
	firstBackoff   = 5 * time.Second
	longestBackoff = time.Hour
)

// Failed is the hold after nothing could be asked; after is what the provider
// wishes, 0 for nothing.
func (h Hold) Failed(lane Lane, now time.Time, after time.Duration) Hold {
	failures := h.Failures + 1
	pause := min(firstBackoff<<min(failures-1, 10), longestBackoff)
	// All tenants' lanes to a server that was down do not come back at one time.
	pause += time.Duration(Watch{Tenant: lane.Tenant, Server: lane.Server, Environment: lane.Environment}.fraction(now) * float64(pause) / spread)
	return Hold{NotBefore: now.UTC().Add(max(pause, after)), Failures: failures}
}

// Held is a watch with the revision of its record.
type Held struct {
	Watch

	Revision uint64
	at       int // in the heap of its lane
}

// lane is a lane's watches that have not ended, the one that is due first on top.
type lane struct {
	id       Lane
	hold     Hold
	revision uint64
	busy     bool
	watches  []*Held
}

// Schedule is every watch by lane. It is a plain structure: one goroutine's, or
// under its caller's lock.
type Schedule struct {
	pauses  Pauses
	lanes   map[Lane]*lane
	watches map[string]*Held // by key; those that ended are left out
}

// NewSchedule returns an empty one, of watches with such pauses.
func NewSchedule(pauses Pauses) *Schedule {
	return &Schedule{pauses: pauses, lanes: map[Lane]*lane{}, watches: map[string]*Held{}}
}

// Len is how many objects are watched.
func (s *Schedule) Len() int { return len(s.watches) }

func (s *Schedule) lane(id Lane) *lane {
	found, ok := s.lanes[id]
	if !ok {
		found = &lane{id: id}
		s.lanes[id] = found
	}
	return found
}

// Put takes in a watch as it is at a revision. An older one than what is known
// is passed over.
func (s *Schedule) Put(watch Watch, revision uint64) {
	key := watch.Key()
	known, ok := s.watches[key]
	switch {
	case ok && known.Revision >= revision:
	case watch.Ended != "":
		s.Drop(key, revision)
	case ok:
		known.Watch, known.Revision = watch, revision
		heap.Fix(s.lane(watch.Lane()), known.at)
	default:
		made := &Held{Watch: watch, Revision: revision}
		s.watches[key] = made
		heap.Push(s.lane(watch.Lane()), made)
	}
}

// Drop forgets a watch, unless a newer one than the revision is known.
func (s *Schedule) Drop(key string, revision uint64) {
	known, ok := s.watches[key]
	if !ok || known.Revision > revision {
		return
	}
	heap.Remove(s.lane(known.Lane()), known.at)
	delete(s.watches, key)
}

// PutHold takes in a lane's hold as it is at a revision.
func (s *Schedule) PutHold(id Lane, hold Hold, revision uint64) {
	if found := s.lane(id); revision > found.revision {
		found.hold, found.revision = hold, revision
	}
}

// ResetHold forgets the hold of a lane whose record is no more.
func (s *Schedule) ResetHold(id Lane) {
	found := s.lane(id)
	found.hold, found.revision = Hold{}, 0
}

// Hold is what is known of a lane, 0 being the revision of nothing.
func (s *Schedule) Hold(id Lane) (Hold, uint64) {
	found := s.lane(id)
	return found.hold, found.revision
}

// Busy marks a lane that this process looks after, which is not due meanwhile.
func (s *Schedule) Busy(id Lane, busy bool) { s.lane(id).busy = busy }

// Due are the lanes that somebody may take now and in which something is due,
// the one that has waited longest first.
func (s *Schedule) Due(now time.Time) []Lane {
	var due []*lane
	for _, one := range s.lanes {
		if len(one.watches) > 0 && !one.busy && !one.hold.Free().After(now) && !one.watches[0].Due.After(now) {
			due = append(due, one)
		}
	}
	slices.SortFunc(due, func(a, b *lane) int {
		return cmp.Or(a.watches[0].Due.Compare(b.watches[0].Due), cmp.Compare(a.id.Key(), b.id.Key()))
	})
	ids := make([]Lane, len(due))
	for i, one := range due {
		ids[i] = one.id
	}
	return ids
}

// Batch is the next objects of a lane to be asked for together: those that are
// due, the oldest first, and where they leave room, those that are due soon, for
// they cost nothing. It is empty when nothing is due.
func (s *Schedule) Batch(id Lane, now time.Time) []Held {
	found := s.lane(id)
	if len(found.watches) == 0 || found.watches[0].Due.After(now) {
		return nil
	}
	first := found.watches[0]
	plan, known := first.Kind.Plan()
	if !known {
		return []Held{*first}
	}
	var taken []*Held
	var batch []Held
	for len(found.watches) > 0 && len(batch) < first.limit(plan) {
		next := found.watches[0]
		if next.Due.After(now.Add(s.pauses.slack(first.Watch, plan))) {
			break
		}
		taken = append(taken, heap.Pop(found).(*Held)) //nolint:forcetypeassert // the heap's own
		if next.Kind == first.Kind && next.limit(plan) == first.limit(plan) {
			batch = append(batch, *next)
		}
	}
	for _, one := range taken {
		heap.Push(found, one)
	}
	return batch
}

// slack is by how much an object may be asked for early, in company: what the
// spread of two pauses comes to, and a bit. A pause that follows from the time
// since the last news is a seventh of what that time is at its end.
func (p Pauses) slack(watch Watch, plan Plan) time.Duration {
	return min(max(p.first(plan), watch.Due.Sub(watch.last())/7), plan.Longest) * 3 / spread
}

// Next is when the next lane may be due: never before now, zero where nothing is
// watched. Lanes that this process looks after are left out.
func (s *Schedule) Next(now time.Time) time.Time {
	var next time.Time
	for _, one := range s.lanes {
		if len(one.watches) == 0 || one.busy {
			continue
		}
		at := one.watches[0].Due
		if free := one.hold.Free(); free.After(at) {
			at = free
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if !next.IsZero() && next.Before(now) {
		return now
	}
	return next
}

// Len implements [heap.Interface].
func (l *lane) Len() int { return len(l.watches) }

// Less implements [heap.Interface].
func (l *lane) Less(i, j int) bool {
	return cmp.Or(l.watches[i].Due.Compare(l.watches[j].Due), cmp.Compare(l.watches[i].Object, l.watches[j].Object)) < 0
}

// Swap implements [heap.Interface].
func (l *lane) Swap(i, j int) {
	l.watches[i], l.watches[j] = l.watches[j], l.watches[i]
	l.watches[i].at, l.watches[j].at = i, j
}

// Push implements [heap.Interface].
func (l *lane) Push(one any) {
	held := one.(*Held) //nolint:forcetypeassert // only ours come here
	held.at = len(l.watches)
	l.watches = append(l.watches, held)
}

// Pop implements [heap.Interface].
func (l *lane) Pop() any {
	last := l.watches[len(l.watches)-1]
	l.watches = l.watches[:len(l.watches)-1]
	return last
}
