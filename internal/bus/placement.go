package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// placePatience bounds how long a cluster may take to have room for what is
	// made on it. Each node says once in at most ten seconds what room it has,
	// and the first time it says so may be missed; what has no room after two of
	// them has none.
	placePatience = 20 * time.Second
	placePause    = 100 * time.Millisecond
	placePauseMax = time.Second
)

// UntilPlaced does what makes a stream, a consumer or a bucket, again while a
// cluster that has just begun, or has just lost its leader, has nowhere to put
// it. Every other error is returned at once. What it does must bear repetition.
func (b *Bus) UntilPlaced(ctx context.Context, do func() error) error {
	policy := backoff.NewExponentialBackOff(backoff.WithInitialInterval(placePause),
		backoff.WithMaxInterval(placePauseMax), backoff.WithMaxElapsedTime(placePatience))
	var last error
	err := backoff.RetryNotify(func() error {
		last = do()
		if last != nil && !isUnsettled(last) {
			return backoff.Permanent(last)
		}
		return last
	}, backoff.WithContext(policy, ctx), func(err error, after time.Duration) {
		b.config.Logger.WarnContext(ctx, "the cluster has no room for it yet, and is asked again",
			slog.Duration("after", after), slog.Any("error", err))
	})
	if err != nil && ctx.Err() != nil && isUnsettled(last) {
		return fmt.Errorf("%w: %w", context.Cause(ctx), last) // the pause ended early, and what it was for is told too
	}
	return err
}

// isUnsettled reports whether a cluster refused for what passes by itself: its
// leader has not heard from enough nodes, or there is no leader.
func isUnsettled(err error) bool {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (refusal.ErrorCode == codeNoPeers || refusal.ErrorCode == codeNoLeader)
}
