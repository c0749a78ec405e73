package fair

import (
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
)

// Request is what the queue needs to know of a request.
type Request struct {
	Tenant   events.TenantID
	Session  events.SessionID
	Kind     events.Kind
	Priority events.Priority
	// Sequence is the request's place in REQUESTS and its name here.
	Sequence uint64
	// NotBefore is the earliest start, to the microsecond and never early; zero
	// means at once. It is zero in what Next returns: it has passed.
	NotBefore time.Time
	// Expires is the moment from which it is no longer to be started, to the
	// microsecond and never early; zero means never. It is zero in what Next
	// returns.
	Expires time.Time
}

func (r *Request) validate() error {
	var faults []error
	if r.Kind != events.KindTurn && r.Kind != events.KindCall {
		faults = append(faults, fmt.Errorf("%w: kind is %q", ErrInvalidRequest, r.Kind))
	}
	if r.Priority > events.PriorityBulk {
		faults = append(faults, fmt.Errorf("%w: priority is %d", ErrInvalidRequest, r.Priority))
	}
	if r.Session == "" {
		faults = append(faults, fmt.Errorf("%w: session is empty", ErrInvalidRequest))
	}
	return errors.Join(faults...)
}

// state is where a request stands.
//
//	          due           Next
//	timed ─────────► ready ──────► running ──Done──► gone
//	  ▲                ▲              │
//	  └──── waiting ───┘◄───Return────┘
type state uint8

const (
	// stateWaiting: an earlier turn of its session runs or stands before it.
	stateWaiting state = iota
	// stateTimed: in the heap of what may not start yet.
	stateTimed
	// stateReady: in its tenant's heap; only rules of the tenant hold it.
	stateReady
	// stateRunning: started, and counted.
	stateRunning
)

// item is a queued or running request. A million of them are expected, so it
// has no pointers and 48 bytes; its tenant is that of its session.
type item struct {
	sequence uint64
	// moment is, while queued, the not-before, zero for none; while running, the
	// start, or restored.
	moment  int64
	session int32
	// ahead and behind are neighbours among the turns of the session.
	ahead, behind int32
	// above and below are neighbours among the queued of the tenant.
	above, below int32
	// place is where the heap of its state has it.
	place int32
	// deadline is the handle of its deadline; none when it never expires.
	deadline int32
	priority events.Priority
	// rank is the priority that it was made ready with: its own, or one lent.
	rank  events.Priority
	call  bool
	state state
}

// restored is the start of a run that was started by somebody else.
const restored int64 = -1

// move says where in its heap the item is.
func (it *item) move(place int) {
	it.place = int32(place) //nolint:gosec // a heap has no more places than there are handles, which are int32
}

// kind is the request's.
func (it *item) kind() events.Kind {
	if it.call {
		return events.KindCall
	}
	return events.KindTurn
}

// lends reports whether a queued turn lends its priority to those ahead of it.
func (it *item) lends() bool { return !it.call && it.moment == 0 }
