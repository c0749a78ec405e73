package waits

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	// readTime bounds one read of the log, whose answer may be lost.
	readTime = 2 * time.Second
	// A read that failed is tried again after pauses between these.
	shortPause = 100 * time.Millisecond
	longPause  = 2 * time.Second
)

// ask reads the log, again and again until it answers, ctx ends or the hub is
// closed. Of all the hub's readers only so many read at one time.
func (h *Hub) ask(ctx context.Context, read func(ctx context.Context) error) error {
	pauses := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(shortPause), backoff.WithMaxInterval(longPause), backoff.WithMaxElapsedTime(0))
	for {
		err := h.try(ctx, read)
		if err == nil || ctx.Err() != nil || h.isClosing() {
			return verdict(ctx, err)
		}
		h.report(ctx, err)
		pause := time.NewTimer(pauses.NextBackOff())
		select {
		case <-pause.C:
		case <-ctx.Done():
		case <-h.closing:
		}
		pause.Stop()
	}
}

func (h *Hub) try(ctx context.Context, read func(ctx context.Context) error) error {
	select {
	case h.reads <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-h.closing:
		return ErrClosed
	}
	defer func() { <-h.reads }()
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	err := read(ctx)
	if err == nil {
		h.report(ctx, nil)
	}
	return err
}

// verdict is why asking has ended.
func verdict(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		return ErrClosed
	}
}

func (h *Hub) isClosing() bool {
	select {
	case <-h.closing:
		return true
	default:
		return false
	}
}

// report tells of the first failure and of the first success after it:
// thousands of waits fail together.
func (h *Hub) report(ctx context.Context, err error) {
	switch {
	case err != nil && h.ill.CompareAndSwap(false, true):
		h.cfg.Logger.WarnContext(ctx, "the log of sessions cannot be read; waits go on asking", slog.Any("error", err))
	case err == nil && h.ill.CompareAndSwap(true, false):
		h.cfg.Logger.InfoContext(ctx, "the log of sessions can be read again")
	}
}
