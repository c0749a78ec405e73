package fair_test

import (
	"cmp"
	"math/big"
	"slices"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/fair"
)

// model states the rules of the queue in the plainest way: every question is
// answered by looking at everything, with fractions instead of arithmetic
// tricks and without a heap, a list or an index.
type model struct {
	slots    int
	now      int64 // microseconds
	began    bool
	floor    int64
	expected int64
	// Not-befores up to here have been noticed, ties by sequence.
	noticed         int64
	noticedSequence uint64

	tenants map[events.TenantID]*modelTenant
	items   map[uint64]*modelItem
}

type modelTenant struct {
	id       events.TenantID
	limits   fair.Limits
	dropped  bool
	contends bool
	service  *big.Rat
	used     int64
	grace    int64
	longest  int64
	expected int64
	learnt   bool
	// tokens is what it had in hand of its rate at metered.
	tokens  *big.Rat
	metered int64
}

type modelItem struct {
	fair.Request

	notBefore int64 // 0: due when it was pushed
	expiry    int64 // 0: never
	running   bool
	start     int64 // -1: restored
}

func newModel() *model {
	return &model{
		expected: fair.FirstExpected,
		tenants:  make(map[events.TenantID]*modelTenant),
		items:    make(map[uint64]*modelItem),
	}
}

func (m *model) advance(now time.Time) {
	if !m.began {
		m.began, m.now = true, now.UnixMicro()
	}
	passed := max(0, now.UnixMicro()-m.now)
	m.now += passed
	for _, t := range m.tenants {
		slotTime := int64(m.running(t.id)) * passed
		t.used += slotTime
		t.service.Add(t.service, big.NewRat(slotTime, int64(t.limits.Weight)))
	}
	var due []*modelItem
	for _, it := range m.items {
		if m.exposed(it) && it.notBefore <= m.now && !m.ripe(it) {
			due = append(due, it)
		}
	}
	slices.SortFunc(due, func(a, b *modelItem) int {
		return cmp.Or(cmp.Compare(a.notBefore, b.notBefore), cmp.Compare(a.Sequence, b.Sequence))
	})
	for _, it := range due {
		m.noticed, m.noticedSequence = it.notBefore, it.Sequence
		m.refresh(m.tenants[it.Tenant])
	}
	m.noticed, m.noticedSequence = m.now, ^uint64(0)
	var freed []*modelTenant
	for _, t := range m.tenants {
		if !t.contends && m.top(t) != nil {
			freed = append(freed, t) // by its rate: nothing else ends of itself
		}
	}
	slices.SortFunc(freed, func(a, b *modelTenant) int {
		return cmp.Or(cmp.Compare(a.due(), b.due()), cmp.Compare(a.id, b.id))
	})
	for _, t := range freed {
		m.refresh(t)
	}
}

func (m *model) ripe(it *modelItem) bool {
	return it.notBefore < m.noticed || it.notBefore == m.noticed && it.Sequence <= m.noticedSequence
}

func (m *model) running(id events.TenantID) int {
	return m.count(func(it *modelItem) bool { return it.running && it.Tenant == id })
}

func (m *model) queued(id events.TenantID) int {
	return m.count(func(it *modelItem) bool { return !it.running && it.Tenant == id })
}

func (m *model) count(holds func(*modelItem) bool) int {
	n := 0
	for _, it := range m.items {
		if holds(it) {
			n++
		}
	}
	return n
}

func sameSession(a, b *modelItem) bool {
	return a.Kind == events.KindTurn && b.Kind == events.KindTurn && a.Tenant == b.Tenant && a.Session == b.Session
}

func (m *model) busySession(it *modelItem) bool {
	return m.count(func(other *modelItem) bool {
		return sameSession(it, other) && (other.running || other.Sequence < it.Sequence)
	}) > 0
}

func (m *model) exposed(it *modelItem) bool { return !it.running && !m.busySession(it) }

func (m *model) rank(it *modelItem) events.Priority {
	rank := it.Priority
	for _, other := range m.items {
		if sameSession(it, other) && !other.running && other.Sequence > it.Sequence && other.notBefore == 0 {
			rank = min(rank, other.Priority)
		}
	}
	return rank
}

func (m *model) before(a, b *modelItem) bool {
	if x, y := m.rank(a), m.rank(b); x != y {
		return x < y
	}
	return a.Sequence < b.Sequence
}

// top is the request that the tenant would start next; nil when none may start.
func (m *model) top(t *modelTenant) *modelItem {
	if t.limits.Paused || m.running(t.id) >= t.limits.Concurrency || t.overRate(m.now) {
		return nil
	}
	return m.ready(t)
}

// ready is the first of the requests that only the tenant's rules hold back.
func (m *model) ready(t *modelTenant) *modelItem {
	var best *modelItem
	for _, it := range m.items {
		if it.Tenant == t.id && m.exposed(it) && m.ripe(it) && (best == nil || m.before(it, best)) {
			best = it
		}
	}
	return best
}

func (m *model) standing(t *modelTenant) *big.Rat {
	forecast := big.NewRat(int64(m.running(t.id))*t.expected, int64(t.limits.Weight))
	return forecast.Add(forecast, t.service)
}

// first is the tenant that would go next; nil when nobody contends.
func (m *model) first() *modelTenant {
	var best *modelTenant
	for _, t := range m.tenants {
		if !t.contends {
			continue
		}
		if best == nil {
			best = t
			continue
		}
		order := m.standing(t).Cmp(m.standing(best))
		if order < 0 || order == 0 && m.top(t).Sequence < m.top(best).Sequence {
			best = t
		}
	}
	return best
}

func ceil(x *big.Rat) int64 {
	whole, part := new(big.Int).DivMod(x.Num(), x.Denom(), new(big.Int))
	if part.Sign() > 0 {
		return whole.Int64() + 1
	}
	return whole.Int64()
}

func (m *model) refresh(t *modelTenant) {
	contends := m.top(t) != nil
	if contends && !t.contends {
		level := m.floor
		if first := m.first(); first != nil {
			level = ceil(first.service)
			m.floor = max(m.floor, level)
		}
		least := big.NewRat(min(level, m.floor-t.grace), 1)
		if t.service.Cmp(least) < 0 {
			t.service = least
		}
		if !t.learnt {
			t.expected = m.expected
		}
	}
	if t.contends && !contends {
		t.grace = fair.Graces * int64(m.running(t.id)) * t.longest / int64(t.limits.Weight)
	}
	if m.queued(t.id)+m.running(t.id) == 0 {
		t.grace = 0
	}
	t.contends = contends
	if t.dropped && m.running(t.id) == 0 {
		delete(m.tenants, t.id)
	}
}

func (m *model) setTenant(id events.TenantID, limits fair.Limits, now time.Time) {
	m.advance(now)
	t := m.tenants[id]
	if t == nil {
		t = &modelTenant{id: id, limits: limits, service: new(big.Rat), tokens: big.NewRat(int64(limits.Burst), 1), metered: m.now}
		m.tenants[id] = t
	}
	if t.limits.Weight != limits.Weight {
		t.service = big.NewRat(ceil(t.service), 1)
	}
	t.remeter(limits, m.now)
	t.limits, t.dropped = limits, false
	m.refresh(t)
}

func (m *model) dropTenant(id events.TenantID, now time.Time) []uint64 {
	m.advance(now)
	t := m.tenants[id]
	if t == nil || t.dropped {
		return nil
	}
	sequences := []uint64{}
	for sequence, it := range m.items {
		if it.Tenant == id && !it.running {
			sequences = append(sequences, sequence)
			delete(m.items, sequence)
		}
	}
	t.dropped = true
	m.refresh(t)
	slices.Sort(sequences)
	return sequences
}

func (m *model) push(r fair.Request, now time.Time) error {
	m.advance(now)
	t := m.tenants[r.Tenant]
	switch {
	case m.items[r.Sequence] != nil:
		return fair.ErrDuplicate
	case t == nil || t.dropped:
		return fair.ErrUnknownTenant
	case t.limits.Backlog > 0 && m.queued(t.id) >= t.limits.Backlog:
		return fair.ErrBacklogFull
	}
	it := &modelItem{Request: r}
	if !r.NotBefore.IsZero() && r.NotBefore.UnixMicro() > m.now {
		it.notBefore = r.NotBefore.UnixMicro()
	}
	if !r.Expires.IsZero() {
		it.expiry = r.Expires.UnixMicro()
	}
	it.NotBefore, it.Expires = time.Time{}, time.Time{}
	m.items[r.Sequence] = it
	m.refresh(t)
	return nil
}

// expiring is the queued request that expires first; nil when none does.
func (m *model) expiring() *modelItem {
	var first *modelItem
	for _, it := range m.items {
		if it.running || it.expiry == 0 {
			continue
		}
		if first == nil || it.expiry < first.expiry || it.expiry == first.expiry && it.Sequence < first.Sequence {
			first = it
		}
	}
	return first
}

func (m *model) expired(now time.Time) (fair.Request, bool) {
	m.advance(now)
	it := m.expiring()
	if it == nil || it.expiry > m.now {
		return fair.Request{}, false
	}
	delete(m.items, it.Sequence)
	m.refresh(m.tenants[it.Tenant])
	ended := m.told(it)
	ended.Expires = time.UnixMicro(it.expiry).UTC()
	return ended, true
}

// told is a queued request as the caller is told of it.
func (m *model) told(it *modelItem) fair.Request {
	request := it.Request
	request.NotBefore = time.Time{}
	if it.notBefore > m.now {
		request.NotBefore = time.UnixMicro(it.notBefore).UTC()
	}
	return request
}

func (m *model) next(now time.Time) (fair.Request, bool) {
	m.advance(now)
	if m.count(func(it *modelItem) bool { return it.running }) >= m.slots {
		return fair.Request{}, false
	}
	t := m.first()
	if t == nil {
		return fair.Request{}, false
	}
	m.floor = max(m.floor, ceil(t.service))
	it := m.top(t)
	it.running, it.start = true, m.now
	t.spend(1, m.now)
	m.refresh(t)
	return it.Request, true
}

func (m *model) done(sequence uint64, now time.Time) bool {
	m.advance(now)
	it := m.items[sequence]
	if it == nil || !it.running {
		return false
	}
	t := m.tenants[it.Tenant]
	if it.start >= 0 {
		length := m.now - it.start
		t.longest = max(length, t.longest-t.longest/fair.Fading)
		if t.learnt {
			t.expected = max(1, t.expected+(length-t.expected)/fair.Learning)
		} else {
			t.expected, t.learnt = max(1, length), true
		}
		m.expected = max(1, m.expected+(length-m.expected)/fair.Learning)
	}
	delete(m.items, sequence)
	m.refresh(t)
	return true
}

func (m *model) giveBack(sequence uint64, now time.Time) bool {
	m.advance(now)
	it := m.items[sequence]
	if it == nil || !it.running {
		return false
	}
	t := m.tenants[it.Tenant]
	it.running, it.notBefore = false, 0
	t.spend(-1, m.now)
	if t.dropped {
		delete(m.items, sequence)
	}
	m.refresh(t)
	return !t.dropped
}

func (m *model) restore(r fair.Request, now time.Time) error {
	m.advance(now)
	it := m.items[r.Sequence]
	if it != nil && it.running {
		return fair.ErrDuplicate
	}
	if it == nil {
		it = &modelItem{Request: r}
		it.NotBefore, it.Expires = time.Time{}, time.Time{}
		m.items[r.Sequence] = it
	}
	if m.tenants[it.Tenant] == nil {
		m.tenants[it.Tenant] = &modelTenant{
			id: it.Tenant, limits: fair.Limits{Concurrency: 1, Weight: 1},
			service: new(big.Rat), dropped: true,
		}
	}
	it.running, it.start = true, -1
	m.tenants[it.Tenant].spend(1, m.now)
	m.refresh(m.tenants[it.Tenant])
	return nil
}

func (m *model) remove(sequence uint64, now time.Time) bool {
	m.advance(now)
	it := m.items[sequence]
	if it == nil || it.running {
		return false
	}
	delete(m.items, sequence)
	m.refresh(m.tenants[it.Tenant])
	return true
}

func (m *model) wake(now time.Time) (time.Time, bool) {
	m.advance(now)
	var at int64
	if it := m.expiring(); it != nil {
		at = it.expiry
	}
	for _, it := range m.items {
		if m.exposed(it) && it.notBefore > m.now && (at == 0 || it.notBefore < at) {
			at = it.notBefore
		}
	}
	for _, t := range m.tenants {
		held := !t.limits.Paused && m.running(t.id) < t.limits.Concurrency && t.overRate(m.now) && m.ready(t) != nil
		if held && (at == 0 || t.due() < at) {
			at = t.due()
		}
	}
	if at == 0 {
		return time.Time{}, false
	}
	return time.UnixMicro(at).UTC(), true
}

func (m *model) reason(sequence uint64, now time.Time) (fair.Reason, int, bool) {
	m.advance(now)
	it := m.items[sequence]
	if it == nil || it.running {
		return "", 0, false
	}
	place := 1 + m.count(func(other *modelItem) bool {
		return !other.running && other.Tenant == it.Tenant && m.before(other, it)
	})
	return m.why(it), place, true
}

// why is the reason for which a queued request has not started.
func (m *model) why(it *modelItem) fair.Reason {
	t := m.tenants[it.Tenant]
	switch {
	case t.limits.Paused:
		return fair.ReasonPaused
	case it.notBefore > m.now:
		return fair.ReasonNotBefore
	case m.busySession(it):
		return fair.ReasonSession
	case m.running(t.id) >= t.limits.Concurrency:
		return fair.ReasonCap
	case t.overRate(m.now):
		return fair.ReasonRate
	case m.count(func(it *modelItem) bool { return it.running }) >= m.slots:
		return fair.ReasonSlots
	default:
		return fair.ReasonOthers
	}
}

func (m *model) snapshot(id events.TenantID, now time.Time) (fair.Snapshot, bool) {
	m.advance(now)
	t := m.tenants[id]
	if t == nil || t.dropped {
		return fair.Snapshot{}, false
	}
	snapshot := fair.Snapshot{
		Tenant: id, Limits: t.limits, Queued: m.queued(id), Running: m.running(id),
		SlotSeconds: float64(t.used) / 1e6, Oldest: m.oldest(id),
	}
	snapshot.Service, _ = new(big.Rat).Mul(t.service, big.NewRat(1, 1_000_000)).Float64()
	busy := 0
	for _, other := range m.tenants {
		if m.queued(other.id)+m.running(other.id) > 0 {
			busy += other.limits.Weight
		}
	}
	if snapshot.Queued+snapshot.Running > 0 {
		snapshot.Share = float64(t.limits.Weight) / float64(busy)
	}
	return snapshot, true
}
