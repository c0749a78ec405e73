package trigger

import "time"

const (
	// leastWait and mostWait bound how long a delivery waits for its next attempt.
	leastWait = 5 * time.Second
	mostWait  = 12 * time.Hour
	// keptFor is how long one is tried.
	keptFor = 72 * time.Hour
)

// Next is when a delivery that was taken in at a time is tried again after an
// attempt that ended now; false when that was the last one.
//
// It waits for as long again as it has been on its way, so that the waits double:
// 5 s, 5 s, 10 s, 20 s ... 12 h, 12 h. They follow from the delivery's own time:
// nobody has to remember how often it was tried, and one whose first attempt came
// late, behind others, is not made to wait for a place in a table that it missed.
func Next(accepted, now time.Time) (time.Time, bool) {
	last := accepted.Add(keptFor)
	if !now.Before(last) {
		return time.Time{}, false
	}
	at := now.Add(min(max(now.Sub(accepted), leastWait), mostWait))
	if at.After(last) {
		at = last
	}
	return at, true
}

// KeptFor is how long a delivery is tried: three days.
func KeptFor() time.Duration { return keptFor }
