package triggers

import (
	"context"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

// mostRemembered is of how many triggers a tenure keeps what was noted before it.
const mostRemembered = 512

// memory tells when a delivery was first tried where that was in an earlier
// tenure, from what was noted of attempts. It is safe for concurrent use.
type memory struct {
	config Config
	began  time.Time

	mu    sync.Mutex // guards what follows
	known map[trigger.Key]noted
}

// noted is what is remembered of a trigger's attempts.
type noted struct {
	attempts map[string][]time.Time // by webhook-id, the newest first
	// since is from when on none is missing; zero where all are there.
	since time.Time
}

func newMemory(config Config) *memory {
	return &memory{config: config, began: config.Now(), known: map[trigger.Key]noted{}}
}

// first is when a delivery was first tried that has failed for the first time in
// this tenure. What came within the tenure, and what would be noted and is not,
// was never tried before, however old it is: nobody was there. Where nobody knows,
// it is taken for tried since it came, as most are.
func (m *memory) first(ctx context.Context, a attempt) time.Time {
	if a.item.Accepted.After(m.began) {
		return a.began
	}
	of, err := m.of(ctx, a.item.Key)
	if err != nil {
		return a.item.Accepted
	}
	first := time.Time{}
	for _, at := range of.attempts[a.queued.ID] {
		if at.Before(a.item.Accepted) {
			break // of the time before it was replayed
		}
		first = at
	}
	switch {
	case !first.IsZero():
		return first
	case a.item.Accepted.Before(of.since):
		return a.item.Accepted
	}
	return a.began
}

func (m *memory) of(ctx context.Context, key trigger.Key) (noted, error) {
	m.mu.Lock()
	known, ok := m.known[key]
	m.mu.Unlock()
	if ok {
		return known, nil
	}
	records, err := m.config.Attempts.Attempts(ctx, key.Tenant, key.Trigger, events.MaxDeliveriesKept)
	if err != nil {
		return noted{}, err
	}
	read := noted{attempts: map[string][]time.Time{}}
	for _, record := range records {
		if attempted, ok := record.Event.(*events.DeliveryAttempted); ok {
			began := record.Time.Add(-time.Duration(attempted.DurationMS) * time.Millisecond)
			read.attempts[attempted.ID] = append(read.attempts[attempted.ID], began)
		}
	}
	if len(records) == events.MaxDeliveriesKept {
		read.since = records[len(records)-1].Time
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= mostRemembered {
		clear(m.known)
	}
	m.known[key] = read
	return read, nil
}
