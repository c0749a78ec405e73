package fair

import (
	"hash/maphash"
	"strings"

	"github.com/feira-dev/feira/events"
)

// session is a session with queued or running requests; others have no record.
//
// Its turns stand in a list in the order of their sequences, and only the first
// one can start, whatever the priorities. So that an urgent turn does not wait
// for ever behind a bulk turn of its own session, the turns ahead of it inherit
// its priority. A turn that was not due when it was pushed lends nothing: an
// interactive reminder for tomorrow makes nothing urgent today. Neither does it
// let others pass: while the first turn is not due, its session waits.
type session struct {
	id     events.SessionID
	tenant int32
	// head and tail are the turns queued.
	head, tail int32
	running    int32 // turns; more than one only by Restore
	refs       int32 // requests queued or running, of both kinds
	// twin is the next session with the same hash.
	twin int32
	// lent counts the queued turns that lend, by priority; bulk lends nothing.
	lent [2]uint32
}

// urgency is the rank of a turn of that priority at the head of the session.
func (s *session) urgency(own events.Priority) events.Priority {
	for priority, count := range s.lent {
		if count > 0 && events.Priority(priority) < own {
			return events.Priority(priority)
		}
	}
	return own
}

func (s *session) lend(it *item) {
	if it.lends() && int(it.priority) < len(s.lent) {
		s.lent[it.priority]++
	}
}

func (s *session) unlend(it *item) {
	if it.lends() && int(it.priority) < len(s.lent) {
		s.lent[it.priority]--
	}
}

// directory finds sessions by name. Its map is keyed by hash instead of name,
// which saves most of 50 bytes a session; the few of one hash are chained.
type directory struct {
	arena[session]
	byHash map[uint32]int32
	hash   func(tenant int32, id events.SessionID) uint32
}

func newDirectory() directory {
	seed := maphash.MakeSeed()
	return directory{
		byHash: make(map[uint32]int32),
		hash: func(tenant int32, id events.SessionID) uint32 {
			sum := maphash.String(seed, string(id))
			return uint32(sum) ^ uint32(tenant)*0x9e3779b9 //nolint:gosec // half of the hash is meant, and handles are not negative
		},
	}
}

// acquire returns the session, new if need be, with one more reference.
func (d *directory) acquire(tenant int32, id events.SessionID) int32 {
	hash := d.hash(tenant, id)
	first, found := d.byHash[hash]
	if !found {
		first = none
	}
	for handle := first; handle != none; handle = d.at(handle).twin {
		if s := d.at(handle); s.tenant == tenant && s.id == id {
			s.refs++
			return handle
		}
	}
	handle := d.take()
	*d.at(handle) = session{
		// A clone: the caller's string may be a corner of a whole message.
		id:     events.SessionID(strings.Clone(string(id))),
		tenant: tenant, head: none, tail: none, twin: first, refs: 1,
	}
	d.byHash[hash] = handle
	return handle
}

// release drops one reference, and the session with the last one.
func (d *directory) release(handle int32) {
	s := d.at(handle)
	s.refs--
	if s.refs > 0 {
		return
	}
	hash := d.hash(s.tenant, s.id)
	switch first := d.byHash[hash]; {
	case first != handle:
		before := first
		for d.at(before).twin != handle {
			before = d.at(before).twin
		}
		d.at(before).twin = s.twin
	case s.twin != none:
		d.byHash[hash] = s.twin
	default:
		delete(d.byHash, hash)
	}
	d.give(handle)
}
