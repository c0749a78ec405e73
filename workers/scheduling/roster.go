package scheduling

import (
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
)

// roster knows the live workers by their announcements. Standbys keep it too,
// so that a new leader knows the slots at once.
type roster struct {
	mu      sync.Mutex
	workers map[string]presence
	changed chan struct{} // holds one signal that the slots may have changed
}

type presence struct {
	slots int
	heard time.Time
}

func newRoster() *roster {
	return &roster{workers: make(map[string]presence), changed: make(chan struct{}, 1)}
}

// hear takes in an announcement.
func (r *roster) hear(announced events.WorkerAnnounced, now time.Time) {
	r.mu.Lock()
	before, known := r.workers[announced.ID]
	if announced.Slots > 0 {
		r.workers[announced.ID] = presence{slots: announced.Slots, heard: now}
	} else {
		delete(r.workers, announced.ID)
	}
	r.mu.Unlock()
	if !known || before.slots != announced.Slots {
		r.signal()
	}
}

// slots counts the slots of workers heard of lately.
func (r *roster) slots(now time.Time) int {
	total, _ := r.count(now)
	return total
}

// count counts the slots of workers heard of lately, and the workers.
func (r *roster) count(now time.Time) (total, workers int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, worker := range r.workers {
		if now.Sub(worker.heard) >= events.WorkerGone {
			delete(r.workers, id)
			continue
		}
		total += worker.slots
	}
	return total, len(r.workers)
}

func (r *roster) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}
