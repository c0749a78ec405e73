package gcra

import (
	"errors"
	"fmt"
	"time"
)

// Tick is the unit of time.
const Tick = time.Microsecond

// Bounds of a limit, within which its arithmetic is exact.
const (
	MaxRate   = 1_000_000
	MaxBurst  = 1_000_000
	MaxPeriod = 24 * time.Hour
)

// Limit is how often something may be done.
type Limit struct {
	// Rate is how often in a Period, in the long run.
	Rate int
	// Burst is how often at once, after a quiet time.
	Burst int
	// Period is what Rate counts in: whole ticks.
	Period time.Duration
}

// Validate joins every fault, each naming its field.
func (l Limit) Validate() error {
	var faults []error
	if l.Rate < 1 || l.Rate > MaxRate {
		faults = append(faults, fmt.Errorf("%w: rate is %d, want 1 to %d", ErrInvalid, l.Rate, MaxRate))
	}
	if l.Burst < 1 || l.Burst > MaxBurst {
		faults = append(faults, fmt.Errorf("%w: burst is %d, want 1 to %d", ErrInvalid, l.Burst, MaxBurst))
	}
	if l.Period < Tick || l.Period > MaxPeriod || l.Period%Tick != 0 {
		faults = append(faults, fmt.Errorf("%w: period is %s, want whole microseconds up to %s", ErrInvalid, l.Period, MaxPeriod))
	}
	return errors.Join(faults...)
}

// Token is how many parts a token has: as many as its period has ticks. Then
// Rate parts come back in every tick, whatever the two are, and nothing is lost
// to rounding.
func (l Limit) Token() int64 { return int64(l.Period / Tick) }

// Full is how many parts a bucket holds.
func (l Limit) Full() int64 { return int64(l.Burst) * l.Token() }
