package fair

import (
	"cmp"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
)

// Waiting is a queued request and why it has not started.
type Waiting struct {
	// Request has its NotBefore only while that lies ahead.
	Request

	Reason Reason
	// Place is its place among the queued of its tenant, from 1, as Reason gives it.
	Place int
}

// MaxLooked is how many steps Line may take: enough for the ten thousand
// requests that a tenant may have by default, whatever their sessions, and well
// under a millisecond.
const MaxLooked = 32_768

// Line lists the first of a tenant's queued requests in the order of their
// places, at most limit of them. It is whole unless the tenant has more queued
// than Line may look at: then it lists the first among those that it has looked
// at, which are its oldest, with places among them alone.
func (q *Queue) Line(id events.TenantID, limit int, now time.Time) (line []Waiting, whole bool) {
	q.advance(now)
	t, known := q.tenant(id)
	if !known || limit < 1 {
		return nil, true
	}
	var first heap[contender]
	whole = q.eachRanked(t, MaxLooked, func(c contender) {
		switch {
		case first.len() < limit:
			first.push(lastFirst{}, c)
		case c.compare(first.top()) < 0:
			first.list[0] = c
			first.fix(lastFirst{}, 0)
		}
	})
	slices.SortFunc(first.list, contender.compare)
	line = make([]Waiting, first.len())
	for i, c := range first.list {
		line[i] = Waiting{Request: q.describe(t, c.handle), Reason: q.reason(c.handle), Place: i + 1}
	}
	return line, whole
}

// contender is a queued request by what its place depends on.
type contender struct {
	sequence uint64
	handle   int32
	rank     events.Priority
}

func (c contender) compare(other contender) int {
	return cmp.Or(cmp.Compare(c.rank, other.rank), cmp.Compare(c.sequence, other.sequence))
}

// lastFirst keeps on top whoever a better one displaces.
type lastFirst struct{}

func (lastFirst) before(a, b contender) bool { return a.compare(b) > 0 }

func (lastFirst) moved(contender, int) {}

// eachRanked visits the queued of a tenant, the oldest calls and sessions
// first, each with the priority that it has or inherits. It reports whether so
// many steps were enough for all.
func (q *Queue) eachRanked(t *tenant, steps int, visit func(contender)) bool {
	for at := t.first; at != none; at = q.items.at(at).below {
		if steps--; steps < 0 {
			return false
		}
		switch it := q.items.at(at); {
		case it.call:
			visit(contender{sequence: it.sequence, handle: at, rank: it.priority})
		case it.ahead == none:
			// The first turn of a session stands for all of them.
			if steps = q.eachRankedTurn(at, steps, visit); steps < 0 {
				return false
			}
		}
	}
	return true
}

// eachRankedTurn visits the turns of a session from its head on and returns the
// steps that are left, less than none when they did not suffice. What is lent
// to a turn is what the session's turns lend but for those ahead of it.
func (q *Queue) eachRankedTurn(handle int32, steps int, visit func(contender)) int {
	behind := *q.sessions.at(q.items.at(handle).session)
	for ; handle != none; handle = q.items.at(handle).behind {
		if steps--; steps < 0 {
			break
		}
		it := q.items.at(handle)
		visit(contender{sequence: it.sequence, handle: handle, rank: behind.urgency(it.priority)})
		behind.unlend(it)
	}
	return steps
}

// describe is a queued request as its caller knows it.
func (q *Queue) describe(t *tenant, handle int32) Request {
	it := q.items.at(handle)
	r := Request{
		Tenant: t.id, Session: q.sessions.at(it.session).id, Kind: it.kind(), Priority: it.priority, Sequence: it.sequence,
	}
	if q.isEarly(it) {
		r.NotBefore = time.UnixMicro(q.epoch + it.moment).UTC()
	}
	return r
}
