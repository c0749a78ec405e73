package trigger

import "time"

// offsets are when a delivery is tried, counted from its first attempt: waits of
// 0, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, as Standard Webhooks
// proposes. They follow from the time of that attempt, and not from how many
// there were, so that those which a courier makes when it takes over use up
// nothing of the table.
func offsets() []time.Duration {
	waits := []time.Duration{
		0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
		14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	for i := 1; i < len(waits); i++ {
		waits[i] += waits[i-1]
	}
	return waits
}

// slack is how soon after an attempt the next one may be: the attempt itself
// takes time.
const slack = time.Second

// Next is when a delivery that was taken in at a time, and first tried at
// another, is tried again after an attempt that ended now; false when that was
// the last one. However late the first one came, the last one is [KeptFor] after
// the delivery was taken in.
func Next(accepted, first, now time.Time) (time.Time, bool) {
	soonest, last := now.Add(slack), accepted.Add(KeptFor())
	if !last.After(soonest) {
		return time.Time{}, false
	}
	for _, offset := range offsets() {
		if at := first.Add(offset); at.After(soonest) && at.Before(last) {
			return at, true
		}
	}
	return last, true
}

// KeptFor is how long a delivery is tried: a little over three days.
func KeptFor() time.Duration {
	all := offsets()
	return all[len(all)-1]
}
