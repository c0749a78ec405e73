package bench

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

// tally counts up to a number and says when it is reached. It is safe for
// concurrent use.
type tally struct {
	begun time.Time
	want  int64
	n     atomic.Int64
	done  chan time.Duration // of one place: how long it took
}

func newTally(want int) *tally {
	return &tally{begun: time.Now(), want: int64(want), done: make(chan time.Duration, 1)}
}

func (t *tally) add(n int) {
	now := t.n.Add(int64(n))
	if now >= t.want && now-int64(n) < t.want {
		t.done <- time.Since(t.begun)
	}
}

// again counts from nothing, once the number is reached and has been heard of.
func (t *tally) again() {
	t.begun = time.Now()
	t.n.Store(0)
}

func (t *tally) count() int { return int(t.n.Load()) }

// wait returns how long it took from the tally's making to the number.
func (w *world) wait(ctx context.Context, t *tally) (time.Duration, error) {
	limit := time.NewTimer(w.config.Patience)
	defer limit.Stop()
	select {
	case took := <-t.done:
		return took, nil
	case <-limit.C:
		return 0, fmt.Errorf("%w: %d of %d within %s", ErrUnserved, t.count(), t.want, w.config.Patience)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// heard waits until everything that the pulse has sent is started.
func (w *world) heard(ctx context.Context, p *pulse) error {
	limit := time.NewTimer(w.config.Patience)
	defer limit.Stop()
	for int(p.starts.Load()) < p.beats {
		select {
		case <-p.start:
		case <-limit.C:
			return fmt.Errorf("%w: %d of %d started within %s", ErrUnserved, p.starts.Load(), p.beats, w.config.Patience)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// overhear passes a scheduler's lines on and tells when its index is built,
// which it says in its log alone.
func overhear(to *slog.Logger) (*slog.Logger, <-chan struct{}) {
	built := make(chan struct{}, 1)
	return slog.New(ear{Handler: to.Handler(), built: built}), built
}

type ear struct {
	slog.Handler

	built chan struct{}
}

// Enabled lets the line through to Handle that is waited for.
func (e ear) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (e ear) Handle(ctx context.Context, record slog.Record) error {
	if record.Message == "index is built" {
		select {
		case e.built <- struct{}{}:
		default:
		}
	}
	if !e.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return e.Handler.Handle(ctx, record)
}

// WithAttrs and WithGroup implement slog.Handler.
func (e ear) WithAttrs(attrs []slog.Attr) slog.Handler {
	return ear{Handler: e.Handler.WithAttrs(attrs), built: e.built}
}

func (e ear) WithGroup(name string) slog.Handler {
	return ear{Handler: e.Handler.WithGroup(name), built: e.built}
}

// await waits for a signal.
func (w *world) await(ctx context.Context, signal <-chan struct{}, what string) error {
	limit := time.NewTimer(w.config.Patience)
	defer limit.Stop()
	select {
	case <-signal:
		return nil
	case <-limit.C:
		return fmt.Errorf("%w: %s within %s", ErrUnserved, what, w.config.Patience)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// counting counts what a handler has done, too.
func counting(next bus.RunHandler, also *tally) bus.RunHandler {
	return func(ctx context.Context, run events.Run, deliveries int) error {
		err := next(ctx, run, deliveries)
		if err == nil {
			also.add(1)
		}
		return err
	}
}
