package app

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
)

// startPause is how long a start waits before it asks a silent broker again.
const startPause = 250 * time.Millisecond

// patiently does what a start needs of the broker, again for as long as a start
// may take while all that goes wrong is that no answer comes in time: a broker
// that has just lost a node, or is behind with its disk, is no reason to end. What
// it does must bear repetition.
func (k *kit) patiently(ctx context.Context, do func() error) error {
	policy := backoff.NewExponentialBackOff(backoff.WithInitialInterval(startPause), backoff.WithMaxElapsedTime(startTime))
	return backoff.RetryNotify(func() error {
		err := do()
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return backoff.Permanent(err)
		}
		return err
	}, backoff.WithContext(policy, ctx), func(err error, after time.Duration) {
		k.log.WarnContext(ctx, "the broker does not answer, and is asked again", "after", after, "error", err)
	})
}
