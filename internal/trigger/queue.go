package trigger

import (
	"container/heap"
	"errors"
	"time"

	"github.com/feira-dev/feira/events"
)

// Defaults of [QueueConfig].
const (
	DefaultSlots      = 256
	DefaultPerTrigger = 4
	DefaultDownAfter  = 5
	DefaultProbeEvery = time.Minute
)

// QueueConfig says how much is told at a time.
type QueueConfig struct {
	// Slots are how many deliveries are under way. Defaults to [DefaultSlots].
	Slots int
	// PerTenant are a tenant's at most. Defaults to an eighth of Slots.
	PerTenant int
	// PerTrigger are a trigger's. Defaults to [DefaultPerTrigger].
	PerTrigger int
	// Suspects are those of all triggers whose last delivery failed, so that dead
	// endpoints, which take their whole time to fail, leave slots to the living.
	// Defaults to a quarter of Slots.
	Suspects int
	// DownAfter is how many deliveries in a row have to fail for a trigger to be
	// taken for down, and ProbeEvery how often one is tried then. Default to
	// [DefaultDownAfter] and [DefaultProbeEvery].
	DownAfter  int
	ProbeEvery time.Duration
}

func (c QueueConfig) withDefaults() QueueConfig {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = max(value, 1)
		}
	}
	set(&c.Slots, DefaultSlots)
	set(&c.PerTenant, c.Slots/8)
	set(&c.PerTrigger, DefaultPerTrigger)
	set(&c.Suspects, c.Slots/4)
	set(&c.DownAfter, DefaultDownAfter)
	if c.ProbeEvery == 0 {
		c.ProbeEvery = DefaultProbeEvery
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c QueueConfig) Validate() error {
	if c.Slots < 0 || c.PerTenant < 0 || c.PerTrigger < 0 || c.Suspects < 0 || c.DownAfter < 0 || c.ProbeEvery < 0 {
		return errors.New("queue: slots, per_tenant, per_trigger, suspects, down_after or probe_every is negative")
	}
	return nil
}

// Key names a trigger.
type Key struct {
	Tenant  events.TenantID
	Trigger events.TriggerID
}

// Item is a delivery that waits: all that has to be remembered of it.
type Item struct {
	Key      Key
	Lane     events.Lane
	Sequence uint64
	Accepted time.Time
	// First is when it was first tried, as far as [Result] has told; zero before.
	First time.Time
}

// Result is what came of an item.
type Result struct {
	// Gone takes the item out: it was delivered, or is given up.
	Gone bool
	// Healthy is what it says of the endpoint, where Attempted.
	Attempted bool
	Healthy   bool
	// First is when the item was first tried; zero leaves what is known.
	First time.Time
	// Again is when the item may be tried again, unless it is gone.
	Again time.Time
	// Hold keeps everything from the trigger until then.
	Hold time.Time
}

// Queue decides which delivery is made next. Every operation takes O(log n). It
// belongs to one goroutine.
//
//	Add ─► lane of an object ─► ready ──Next──► under way ──Done──► out
//	            ▲                                    │
//	            └──────── waits until Again ◄────────┘
type Queue struct {
	config  QueueConfig
	lines   map[Key]*line
	tenants map[events.TenantID]*crowd
	wakes   wakes
	// healthy and suspect are lines that may have something to be told.
	healthy, suspect ring
	inflight         map[uint64]*lane // by sequence
	suspects         int
	pending          int
}

// crowd is what all triggers of a tenant share.
type crowd struct {
	inflight int
	parked   []*line
}

// NewQueue makes an empty queue.
func NewQueue(config QueueConfig) (*Queue, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Queue{
		config: config.withDefaults(), lines: map[Key]*line{}, tenants: map[events.TenantID]*crowd{}, inflight: map[uint64]*lane{},
	}, nil
}

// Pending is how many deliveries wait or are under way, those of a trigger
// where key is not zero.
func (q *Queue) Pending(key Key) int {
	if key == (Key{}) {
		return q.pending
	}
	if l := q.lines[key]; l != nil {
		return l.pending
	}
	return 0
}

// Inflight is how many deliveries are under way.
func (q *Queue) Inflight() int { return len(q.inflight) }

// Down is how many triggers are taken for down.
func (q *Queue) Down() int {
	down := 0
	for _, l := range q.lines {
		if q.down(l) {
			down++
		}
	}
	return down
}

// Oldest is when the oldest of all that waits was taken in; false when nothing
// does. It looks at every lane, and is for people to know.
func (q *Queue) Oldest() (time.Time, bool) {
	var oldest time.Time
	for _, l := range q.lines {
		for _, of := range l.lanes {
			if len(of.items) > 0 && (oldest.IsZero() || of.items[0].accepted.Before(oldest)) {
				oldest = of.items[0].accepted
			}
		}
	}
	return oldest, !oldest.IsZero()
}

// Add takes an item in, behind all others of its lane. Items come in the order
// of their sequences.
func (q *Queue) Add(item Item, now time.Time) {
	l := q.line(item.Key)
	of := l.lanes[item.Lane]
	if of == nil {
		of = &lane{line: l, name: item.Lane, place: nowhere}
		l.lanes[item.Lane] = of
	}
	of.items = append(of.items, waiting{sequence: item.Sequence, accepted: item.Accepted})
	l.pending++
	q.pending++
	switch {
	case len(of.items) == 1:
		l.ready = append(l.ready, of)
	case q.down(l):
		l.knock(of, now)
	default:
		return
	}
	q.refresh(l, now)
}

func (q *Queue) line(key Key) *line {
	l := q.lines[key]
	if l == nil {
		l = &line{key: key, lanes: map[events.Lane]*lane{}}
		q.lines[key] = l
	}
	return l
}

func (q *Queue) crowd(tenant events.TenantID) *crowd {
	c := q.tenants[tenant]
	if c == nil {
		c = &crowd{}
		q.tenants[tenant] = c
	}
	return c
}

// Next is a delivery to make now; it is under way until Done. False when there
// is none, or no slot.
func (q *Queue) Next(now time.Time) (Item, bool) {
	for len(q.wakes) > 0 && !q.wakes[0].at.After(now) {
		woken := heap.Pop(&q.wakes).(wake)
		if woken.at.Equal(woken.line.wake) {
			woken.line.wake = time.Time{}
		}
		q.refresh(woken.line, now)
	}
	if len(q.inflight) >= q.config.Slots {
		return Item{}, false
	}
	if item, ok := q.from(&q.healthy, now); ok {
		return item, true
	}
	if q.suspects >= q.config.Suspects {
		return Item{}, false
	}
	return q.from(&q.suspect, now)
}

// from takes the first line of a ring that may tell something, and puts it
// behind the others.
func (q *Queue) from(r *ring, now time.Time) (Item, bool) {
	for {
		l := r.pop()
		if l == nil {
			return Item{}, false
		}
		l.ringed = false
		if !q.runnable(l, now) {
			q.refresh(l, now)
			continue
		}
		if q.ringOf(l) != r {
			q.refresh(l, now)
			if r == &q.healthy {
				continue
			}
			return q.Next(now)
		}
		c := q.crowd(l.key.Tenant)
		if c.inflight >= q.config.PerTenant {
			if !l.parked {
				l.parked = true
				c.parked = append(c.parked, l)
			}
			continue
		}
		return q.start(l, now), true
	}
}

func (q *Queue) start(l *line, now time.Time) Item {
	of := l.ready[0]
	l.ready = l.ready[1:]
	of.busy, of.suspect = true, l.failures > 0
	if of.suspect {
		q.suspects++
	}
	if q.down(l) {
		l.probe = now.Add(q.config.ProbeEvery)
	}
	l.inflight++
	q.crowd(l.key.Tenant).inflight++
	head := of.items[0]
	q.inflight[head.sequence] = of
	q.refresh(l, now)
	return Item{Key: l.key, Lane: of.name, Sequence: head.sequence, Accepted: head.accepted, First: of.first}
}

// Done ends what Next began, and reports whether it is left over: its trigger was
// dropped meanwhile, and the delivery is not gone, so that nobody has it any more
// but the caller.
func (q *Queue) Done(sequence uint64, result Result, now time.Time) (left bool) {
	of := q.inflight[sequence]
	if of == nil {
		return false
	}
	delete(q.inflight, sequence)
	l, c := of.line, q.crowd(of.line.key.Tenant)
	of.busy = false
	l.inflight--
	c.inflight--
	if of.suspect {
		q.suspects--
	}
	if l.dropped {
		q.unpark(c, now)
		q.forget(l)
		return !result.Gone
	}
	if result.Attempted {
		q.learn(l, result.Healthy, now)
	}
	if result.Hold.After(l.held) {
		l.held = result.Hold
	}
	if !result.First.IsZero() {
		of.first = result.First
	}
	if result.Gone {
		of.first = time.Time{}
		of.items = of.items[1:]
		l.pending--
		q.pending--
	}
	switch {
	case len(of.items) == 0:
		delete(l.lanes, of.name)
	case !result.Gone && result.Again.After(now):
		of.due = result.Again
		heap.Push(&l.waiting, of)
	default:
		l.ready = append(l.ready, of)
	}
	q.refresh(l, now)
	q.unpark(c, now)
	q.forget(l)
	return false
}

// learn counts failures in a row. When an endpoint that was down is up again,
// all that waits for it is tried: it waited for the endpoint.
func (q *Queue) learn(l *line, healthy bool, now time.Time) {
	if !healthy {
		l.failures++
		if q.down(l) {
			l.probe = now.Add(q.config.ProbeEvery)
		}
		return
	}
	if q.down(l) {
		l.hurry()
	}
	l.failures, l.probe = 0, time.Time{}
}

func (q *Queue) down(l *line) bool { return l.failures >= q.config.DownAfter }

// unpark has the tenant's triggers look again: a slot is free.
func (q *Queue) unpark(c *crowd, now time.Time) {
	parked := c.parked
	c.parked = nil
	for _, l := range parked {
		l.parked = false
		q.refresh(l, now)
	}
}

// Due is when Next may have something that it has not now; false when only Add
// or Done can bring it.
func (q *Queue) Due() (time.Time, bool) {
	if len(q.wakes) == 0 {
		return time.Time{}, false
	}
	return q.wakes[0].at, true
}
