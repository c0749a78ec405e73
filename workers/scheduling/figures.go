package scheduling

import "time"

// Figures are how the whole queue stands.
type Figures struct {
	Queued  int
	Running int
	// Slots are those of the live workers.
	Slots   int
	Workers int
	// DesiredWorkers is how many workers have slots enough for what runs and for
	// what would start at once if slots were free: what waits for its tenant's
	// cap, rate or pause, for its session or its time asks for no worker. It is 0
	// when there is nothing of either.
	DesiredWorkers int
	// OldestWait is how long the oldest queued request has been waiting.
	OldestWait time.Duration
	// Busy is how many tenants have requests queued or running.
	Busy int
}

// desiredWorkers is how many workers of the mean size of the live ones have so
// many slots in all; without a live one, of the size that is usual.
func desiredWorkers(needed, slots, workers, usual int) int {
	if slots < 1 || workers < 1 {
		slots, workers = usual, 1
	}
	return (needed*workers + slots - 1) / slots
}

// nobody observes nothing.
type nobody struct{}

func (nobody) Leads(bool)                   {}
func (nobody) Stands(Figures)               {}
func (nobody) Granted(time.Duration, error) {}
