package llm

import (
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// patience decides on the tries of one call: exponential waits with jitter,
// never shorter than what the operator asks for, and no wait that would end
// beyond the bound.
type patience struct {
	exponential *backoff.ExponentialBackOff
	most        time.Duration
	now         func() time.Time
	begun       time.Time
	asked       time.Duration // by the operator, with the last failure
}

type clock func() time.Time

// Now implements backoff's Clock.
func (c clock) Now() time.Time { return c() }

func newPatience(most time.Duration, now func() time.Time) *patience {
	return &patience{
		exponential: backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(500*time.Millisecond),
			backoff.WithMultiplier(2),
			backoff.WithRandomizationFactor(0.5),
			backoff.WithMaxInterval(15*time.Second),
			backoff.WithMaxElapsedTime(most),
			backoff.WithClockProvider(clock(now)),
		),
		most: most, now: now, begun: now(),
	}
}

// Reset implements [backoff.BackOff].
func (p *patience) Reset() { p.exponential.Reset() }

// NextBackOff implements [backoff.BackOff].
func (p *patience) NextBackOff() time.Duration {
	wait := p.exponential.NextBackOff()
	if wait == backoff.Stop {
		return backoff.Stop
	}
	wait = max(wait, p.asked)
	if wait >= p.left() {
		return backoff.Stop
	}
	return wait
}

func (p *patience) left() time.Duration { return p.most - p.now().Sub(p.begun) }

// judge takes note of what the operator asks for, and marks what no other try
// changes.
func (p *patience) judge(err error) error {
	p.asked = 0
	var failed *failure
	if !errors.As(err, &failed) {
		return err
	}
	if failed.class != classPassing {
		return backoff.Permanent(err)
	}
	p.asked = failed.wait
	return err
}
