package bench

import (
	"context"
	"log/slog"
	"time"
)

// roundsTime is how long a bench may have taken and still begin another round.
const roundsTime = 20 * time.Second

// rounds measures several times, because what else a machine does comes and
// goes, and the median of three is not that of the worst. A machine that is
// slow gets fewer.
func (w *world) rounds(measure func() error) error {
	begun := time.Now()
	for round := range w.config.Rounds {
		if round > 0 && time.Since(begun) > roundsTime {
			w.say("%d of %d rounds: these took long enough", round, w.config.Rounds)
			return nil
		}
		if err := measure(); err != nil {
			return err
		}
	}
	return nil
}

// aside measures in a further empty world, which is gone when it returns.
// Nothing may be left to serve in this one, which on an outer broker is the same.
func (w *world) aside(ctx context.Context, measure func(ctx context.Context, inner *world) error) error {
	inner, err := open(ctx, w.config)
	if err != nil {
		return err
	}
	defer inner.close(ctx)
	return measure(ctx, inner)
}

// ofCPU runs measure and returns the microseconds of processor time that each
// of n cost in it: the publisher's and, where it is embedded, the broker's too.
func ofCPU(n int, measure func() error) (float64, error) {
	before, err := cpu()
	if err != nil {
		return 0, err
	}
	if err := measure(); err != nil {
		return 0, err
	}
	after, err := cpu()
	return round(float64((after - before).Microseconds()) / float64(n)), err
}

// calm keeps what the parts say of their normal doings out of the progress,
// unless somebody wants to hear every detail.
func calm(ctx context.Context, logger *slog.Logger) *slog.Logger {
	if logger.Enabled(ctx, slog.LevelDebug) {
		return logger
	}
	return slog.New(warnings{logger.Handler()})
}

// mute keeps quiet what is bound to be said when the parts that are created are cut off.
func (w *world) mute(create func() error) error {
	heard := w.config.Logger
	defer func() { w.config.Logger = heard }()
	w.config.Logger = slog.New(slog.DiscardHandler)
	return create()
}

type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// WithAttrs and WithGroup implement slog.Handler.
func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}

func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }
