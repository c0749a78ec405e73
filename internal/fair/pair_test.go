package fair_test

import (
	"maps"
	"slices"
	"strconv"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// pair runs the queue beside its model and fails at the first difference.
type pair struct {
	t     require.TestingT
	queue *fair.Queue
	model *model
	now   time.Time
	last  uint64 // sequence
	// pick chooses a number below n.
	pick func(n int) int
}

func newPair(t require.TestingT, pick func(n int) int) *pair {
	return &pair{t: t, queue: fair.New(), model: newModel(), now: epoch, pick: pick}
}

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const operations = 14

// act carries out one of the operations.
func (p *pair) act(operation int) {
	switch operation {
	case 0, 1, 2, 3:
		p.push()
	case 4, 5, 6:
		p.next()
	case 7:
		p.done()
	case 8:
		p.giveBack()
	case 9:
		p.restore()
	case 10:
		p.remove()
	case 11:
		p.setTenant()
	case 12:
		p.expired()
	default:
		p.rarely()
	}
	p.pass()
	p.check()
}

func (p *pair) rarely() {
	switch p.pick(4) {
	case 0:
		p.dropTenant()
	case 1:
		p.model.slots = p.pick(12)
		p.queue.SetSlots(p.model.slots)
	case 2:
		p.now = p.now.Add(-time.Duration(p.pick(50)) * time.Millisecond) // the clock steps back
	default:
		p.drain()
	}
}

// pass lets time go on: often not at all, so that ties are common.
func (p *pair) pass() {
	if p.pick(2) == 0 {
		return
	}
	p.now = p.now.Add(time.Duration(p.pick(40)) * time.Millisecond).Add(time.Duration(p.pick(3)) * time.Microsecond)
}

func (p *pair) tenant() events.TenantID {
	return events.TenantID("tenant-" + strconv.Itoa(p.pick(5)))
}

// sequence is mostly a known one, of the running or the queued as asked.
func (p *pair) sequence(running bool) uint64 {
	var known []uint64
	for sequence, it := range p.model.items {
		if it.running == running {
			known = append(known, sequence)
		}
	}
	if len(known) == 0 || p.pick(10) == 0 {
		return uint64(p.pick(int(p.last) + 1))
	}
	slices.Sort(known)
	return known[p.pick(len(known))]
}

func (p *pair) request() fair.Request {
	p.last++
	r := fair.Request{
		Tenant: p.tenant(), Session: events.SessionID("session-" + strconv.Itoa(p.pick(4))),
		Kind: events.KindTurn, Priority: events.Priority(p.pick(3)), Sequence: p.last,
	}
	if p.pick(4) == 0 {
		r.Kind = events.KindCall
	}
	if p.pick(4) == 0 {
		r.NotBefore = p.now.Add(time.Duration(p.pick(100)-20) * time.Millisecond)
	}
	if p.pick(3) == 0 {
		r.Expires = p.now.Add(time.Duration(p.pick(100)-20) * time.Millisecond)
	}
	if p.pick(8) == 0 {
		r.Sequence = uint64(p.pick(int(p.last) + 1)) // out of order, or known
	}
	return r
}

func (p *pair) push() {
	r := p.request()
	want := p.model.push(r, p.now)
	require.ErrorIs(p.t, p.queue.Push(r, p.now), want)
}

func (p *pair) restore() {
	r := p.request()
	if p.pick(2) == 0 {
		r.Sequence = p.sequence(false)
	}
	want := p.model.restore(r, p.now)
	require.ErrorIs(p.t, p.queue.Restore(r, p.now), want)
}

// next checks the promises of a pick on their own, and then against the model.
func (p *pair) next() bool {
	p.model.advance(p.now)
	got, ok := p.queue.Next(p.now)
	total := p.model.count(func(it *modelItem) bool { return it.running })
	if ok {
		it := p.model.items[got.Sequence]
		require.NotNil(p.t, it)
		limits := p.model.tenants[got.Tenant].limits
		require.False(p.t, it.running)
		require.False(p.t, limits.Paused)
		require.False(p.t, p.model.tenants[got.Tenant].overRate(p.model.now), "rate")
		require.LessOrEqual(p.t, it.notBefore, p.model.now)
		require.Less(p.t, total, p.model.slots, "slots")
		require.Less(p.t, p.model.running(got.Tenant), limits.Concurrency, "cap")
		require.False(p.t, p.model.busySession(it), "session order")
	} else if total < p.model.slots {
		for _, t := range p.model.tenants {
			require.Nil(p.t, p.model.top(t), "a slot is free and %q may start", t.id)
		}
	}
	want, wanted := p.model.next(p.now)
	require.Equal(p.t, wanted, ok)
	require.Equal(p.t, want, got)
	return ok
}

func (p *pair) drain() {
	for p.next() {
	}
}

func (p *pair) done() {
	sequence := p.sequence(true)
	require.Equal(p.t, p.model.done(sequence, p.now), p.queue.Done(sequence, p.now))
}

func (p *pair) giveBack() {
	sequence := p.sequence(true)
	require.Equal(p.t, p.model.giveBack(sequence, p.now), p.queue.Return(sequence, p.now))
}

func (p *pair) expired() {
	for more := true; more; {
		got, ok := p.queue.Expired(p.now)
		want, wanted := p.model.expired(p.now)
		require.Equal(p.t, wanted, ok)
		require.Equal(p.t, want, got)
		more = ok
	}
}

func (p *pair) remove() {
	sequence := p.sequence(false)
	require.Equal(p.t, p.model.remove(sequence, p.now), p.queue.Remove(sequence, p.now))
}

func (p *pair) setTenant() {
	id := p.tenant()
	limits := fair.Limits{Concurrency: 1 + p.pick(5), Weight: 1 + p.pick(7), Paused: p.pick(6) == 0}
	if p.pick(2) == 0 {
		limits.Rate, limits.Burst = 1+p.pick(7), 1+p.pick(4)
		limits.Period = time.Duration(1+p.pick(3)*9999) * 7 * time.Microsecond
	}
	if p.pick(3) == 0 {
		limits.Backlog = 1 + p.pick(4)
	}
	p.model.setTenant(id, limits, p.now)
	require.NoError(p.t, p.queue.SetTenant(id, limits, p.now))
}

func (p *pair) dropTenant() {
	id := p.tenant()
	require.Equal(p.t, p.model.dropTenant(id, p.now), p.queue.DropTenant(id, p.now))
}

// check compares all that can be seen, and the queue with itself.
func (p *pair) check() {
	wake, waits := p.queue.Wake(p.now)
	wantWake, wantWaits := p.model.wake(p.now)
	require.Equal(p.t, wantWaits, waits)
	require.Equal(p.t, wantWake, wake)
	require.NoError(p.t, p.queue.Audit())
	for _, id := range slices.Sorted(maps.Keys(p.model.tenants)) {
		got, known := p.queue.Snapshot(id, p.now)
		want, wantKnown := p.model.snapshot(id, p.now)
		require.Equal(p.t, wantKnown, known)
		require.Empty(p.t, gocmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 1e-12), cmpopts.IgnoreFields(got, "Waits")))
	}
	sequence := p.sequence(false)
	reason, place, queued := p.queue.Reason(sequence, p.now)
	wantReason, wantPlace, wantQueued := p.model.reason(sequence, p.now)
	require.Equal(p.t, wantQueued, queued)
	require.Equal(p.t, wantQueued, p.queue.Queues(sequence))
	require.Equal(p.t, wantReason, reason, "request %d", sequence)
	require.Equal(p.t, wantPlace, place, "request %d", sequence)
	// The model takes its time over these.
	switch p.pick(16) {
	case 0:
		p.checkLine(p.tenant())
	case 1:
		p.checkSurvey()
	}
}

func (p *pair) checkLine(id events.TenantID) {
	snapshot, known := p.queue.Snapshot(id, p.now)
	if known {
		require.Equal(p.t, p.model.waits(p.model.tenants[id]), snapshot.Waits)
	}
	want := p.model.line(id, p.now)
	limit := 1 + p.pick(len(want)+2)
	got, whole := p.queue.Line(id, limit, p.now)
	require.True(p.t, whole)
	require.Empty(p.t, gocmp.Diff(want[:min(limit, len(want))], got, cmpopts.EquateEmpty()))
}

func (p *pair) checkSurvey() {
	got := make(map[events.TenantID]fair.Standing)
	most := 1 + p.pick(3)
	for from, steps := 0, 0; steps == 0 || from > 0; steps++ {
		seen := 0
		from = p.queue.Survey(from, most, p.now, func(s fair.Standing) {
			require.NotContains(p.t, got, s.Tenant, "seen twice")
			got[s.Tenant] = s
			seen++
		})
		require.LessOrEqual(p.t, seen, most)
	}
	require.Empty(p.t, gocmp.Diff(p.model.survey(p.now), got))
}
