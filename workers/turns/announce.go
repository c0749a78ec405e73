package turns

import (
	"context"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
)

// Crier tells the schedulers of a worker's slots.
type Crier interface {
	Announce(announced events.WorkerAnnounced) error
}

// AnnouncerConfig is what an announcer is made of.
type AnnouncerConfig struct {
	ID    string
	Slots int
	// Busy is how many slots are taken now.
	Busy   func() int
	Crier  Crier
	Logger *slog.Logger
}

// NewAnnouncer makes the part that says every second how many slots a worker
// has, and once, when it stops, that it has none: the scheduler then stops
// granting to it at once instead of after three missed announcements.
func NewAnnouncer(cfg AnnouncerConfig) lifecycle.Part {
	say := func(ctx context.Context, slots int) {
		err := cfg.Crier.Announce(events.WorkerAnnounced{ID: cfg.ID, Slots: slots, Busy: cfg.Busy()})
		if err != nil {
			cfg.Logger.WarnContext(ctx, "announcing slots", "error", err)
		}
	}
	return lifecycle.NewRunner("worker announcer", func(fetch, work context.Context, ready func()) error {
		tick := time.NewTicker(events.WorkerAnnounce)
		defer tick.Stop()
		say(work, cfg.Slots)
		ready()
		for {
			select {
			case <-fetch.Done():
				say(work, 0)
				return nil
			case <-tick.C:
				say(work, cfg.Slots)
			}
		}
	})
}
