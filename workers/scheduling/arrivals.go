package scheduling

import (
	"sort"
	"time"
)

const (
	// arrivalStep is how far apart arrivals must be to be told apart at all.
	arrivalStep = 100 * time.Microsecond
	// arrivalGrain is what part of its age an arrival may be off by.
	arrivalGrain = 256
	// maxArrivals bounds the table; after thinning a quarter of it covers months.
	maxArrivals = 16_384
)

// arrivals knows when the broker took requests in, from their sequences alone:
// in REQUESTS these are ordered in time, so a table of some of them tells of all.
// What is remembered grows coarser with age, by thinning: the error stays about
// a hundredth of the wait, for the price of a few hundred kilobytes in all
// instead of eight bytes for every request.
type arrivals struct {
	list []arrival
}

type arrival struct {
	sequence uint64
	at       int64 // microseconds
}

// note takes in a request, in the order of the stream. One that came with the
// one before it, or, by a clock that stepped back, before it, counts as having come then.
func (a *arrivals) note(sequence uint64, received time.Time) {
	at := received.UnixMicro()
	if n := len(a.list); n > 0 {
		if last := a.list[n-1]; sequence <= last.sequence || at < last.at+arrivalStep.Microseconds() {
			return
		}
	}
	if len(a.list) == maxArrivals {
		a.thin()
	}
	a.list = append(a.list, arrival{sequence: sequence, at: at})
}

// thin forgets what is too close to its elder for its age.
func (a *arrivals) thin() {
	newest := a.list[len(a.list)-1].at
	kept := a.list[:1]
	for _, next := range a.list[1:] {
		if next.at-kept[len(kept)-1].at >= (newest-next.at)/arrivalGrain {
			kept = append(kept, next)
		}
	}
	if len(kept) > maxArrivals/2 { // arrivals of centuries, or a clock gone mad
		kept = append(kept[:0], kept[len(kept)-maxArrivals/2:]...)
	}
	a.list = kept
}

// of is when the request came, or a little before: the time of the last one at
// or before it that is remembered. It is false when nothing is.
func (a *arrivals) of(sequence uint64) (time.Time, bool) {
	if len(a.list) == 0 {
		return time.Time{}, false
	}
	after := sort.Search(len(a.list), func(i int) bool { return a.list[i].sequence > sequence })
	return time.UnixMicro(a.list[max(after-1, 0)].at).UTC(), true
}

// waited is how long a request has been waiting. The broker's clock and this
// process's may differ; what comes from the future has not waited.
func (a *arrivals) waited(sequence uint64, now time.Time) time.Duration {
	at, known := a.of(sequence)
	if !known {
		return 0
	}
	return max(0, now.Sub(at))
}
