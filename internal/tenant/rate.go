package tenant

import (
	"errors"
	"fmt"
	"time"
)

// Period is what a rate counts in.
type Period string

// Periods.
const (
	PeriodSecond Period = "second"
	PeriodMinute Period = "minute"
)

// Duration is how long the period is; 0 for one that is not known.
func (p Period) Duration() time.Duration {
	switch p {
	case PeriodSecond:
		return time.Second
	case PeriodMinute:
		return time.Minute
	default:
		return 0
	}
}

// validateRate joins the faults of the rate. A period and a burst without a rate
// mean nothing, but are held to their rules: a rate may be taken away for a
// while by its own line alone.
func (t Tenant) validateRate() error {
	var faults []error
	if t.Rate < 0 || t.Rate > MaxRate {
		faults = append(faults, fmt.Errorf("%w: rate is %d, want 0 to %d", ErrInvalid, t.Rate, MaxRate))
	}
	needed := 0
	if t.Rate > 0 {
		needed = 1
	}
	if t.Burst < needed || t.Burst > MaxBurst {
		faults = append(faults, fmt.Errorf("%w: burst is %d, want %d to %d", ErrInvalid, t.Burst, needed, MaxBurst))
	}
	if t.RatePeriod.Duration() == 0 && (t.RatePeriod != "" || t.Rate > 0) {
		faults = append(faults, fmt.Errorf("%w: rate_period is %q, want second or minute", ErrInvalid, t.RatePeriod))
	}
	return errors.Join(faults...)
}
