package poll

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
)

// Ending is why an object is polled no more.
type Ending string

// Endings.
const (
	EndingStatus Ending = "status" // it is in a status that it never leaves
	EndingAge    Ending = "age"    // it has been watched for as long as its kind may be
	EndingTenant Ending = "tenant" // its tenant is no more
)

// Watch is what is known of an object that is polled.
type Watch struct {
	Tenant      events.TenantID    `json:"tenant"`
	Environment events.Environment `json:"environment"`
	Server      string             `json:"server"`
	Kind        Kind               `json:"kind"`
	Object      string             `json:"object"`
	// Made is when the call returned that made it.
	Made time.Time `json:"made"`
	// Changed is when the last news was found; zero before the first.
	Changed time.Time `json:"changed,omitzero"`
	// Due is from when on it is asked for.
	Due time.Time `json:"due"`
	// Seen are the ids of the news that were told.
	Seen []string `json:"seen,omitempty"`
	// Misses is how often in a row the provider had no answer for it.
	Misses int `json:"misses,omitempty"`
	// Ended is set once it is polled no more.
	Ended Ending `json:"ended,omitempty"`
}

// Key is the watch's in the bucket.
func (w Watch) Key() string {
	return events.KeyPoll(w.Tenant, w.Server, w.Environment, w.Object)
}

// Lane is whose the watch is.
func (w Watch) Lane() Lane {
	return Lane{Tenant: w.Tenant, Server: w.Server, Environment: w.Environment}
}

// Lane is all objects of a tenant's at a server, which one process looks after
// at a time.
type Lane struct {
	Tenant      events.TenantID
	Server      string
	Environment events.Environment
}

// Key is the lane's in the bucket.
func (l Lane) Key() string { return events.KeyPollLane(l.Tenant, l.Server, l.Environment) }

// Pauses begin as a kind's plan says, or as an operator does.
type Pauses struct {
	// First replaces the plan's first pause; 0 leaves it.
	First time.Duration
}

// New is the watch of an object that a call made.
func (p Pauses) New(lane Lane, found Found, made time.Time) Watch {
	watch := Watch{Tenant: lane.Tenant, Environment: lane.Environment, Server: found.Server, Kind: found.Kind, Object: found.Object, Made: made.UTC()}
	watch.Due = p.next(watch, made)
	return watch
}

// maxSeen is how many news of an object are remembered.
const maxSeen = 128

// After is the watch when the provider has answered, all news of which were told.
func (p Pauses) After(watch Watch, now time.Time, reading Reading) Watch {
	for _, one := range reading.Unseen(watch) {
		watch.Seen = append(slices.Clone(watch.Seen), one.short(watch))
		watch.Changed = now.UTC()
	}
	watch.Seen = watch.Seen[max(len(watch.Seen)-maxSeen, 0):]
	watch.Misses = 0
	if reading.Ended {
		watch.Ended = EndingStatus
	}
	return p.postponed(watch, now)
}

// Missed is the watch when the provider would not answer for it.
func (p Pauses) Missed(watch Watch, now time.Time) Watch {
	watch.Misses++
	return p.postponed(watch, now)
}

func (p Pauses) postponed(watch Watch, now time.Time) Watch {
	plan, known := watch.Kind.Plan()
	if watch.Ended == "" && (!known || now.Sub(watch.Made) >= plan.Age) {
		watch.Ended = EndingAge
	}
	watch.Due = p.next(watch, now)
	return watch
}

// next is when the object is asked for again: after a sixth of the time since
// the last news, within the bounds of its kind, and a tenth more or less, lest
// all that was made in one minute be asked for in one minute for ever.
func (p Pauses) next(watch Watch, now time.Time) time.Time {
	plan, _ := watch.Kind.Plan()
	first := p.first(plan)
	pause := min(max(first, now.Sub(watch.last())/6, watch.miss()), max(plan.Longest, first))
	return now.UTC().Add(pause - pause/spread + time.Duration(watch.fraction(now)*float64(2*pause/spread)))
}

func (p Pauses) first(plan Plan) time.Duration { return cmp.Or(p.First, plan.First) }

// last is when the last news were found, or else the object was made.
func (w Watch) last() time.Time {
	if w.Changed.After(w.Made) {
		return w.Changed
	}
	return w.Made
}

// miss is the least pause after misses, which doubles with each.
func (w Watch) miss() time.Duration {
	const first, doublings = time.Minute, 8
	if w.Misses == 0 {
		return 0
	}
	return first << min(w.Misses-1, doublings)
}

// spread is the part of a pause by which it may be longer or shorter.
const spread = 10

// fraction is in [0, 1), and follows from the object and the time.
func (w Watch) fraction(now time.Time) float64 {
	sum := sha256.Sum256([]byte(w.Key() + "/" + strconv.FormatInt(now.Unix(), 10)))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

// limit is how many objects may be in one request with this one. A request that
// the provider refuses is halved, until it is known whose fault it was.
func (w Watch) limit(plan Plan) int { return max(plan.Batch>>w.Misses, 1) }
