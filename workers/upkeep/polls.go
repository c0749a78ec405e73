package upkeep

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/poll"
)

// Polls is a part that asks providers without webhooks for what our calls made
// there, and posts what is new as if the provider had sent it.
//
//	RECORDS ──follow──► schedule ──due──► visit of a lane ──► claim ─► ask ─► post ─► save
//
// A lane is a tenant's objects at a server. Whoever writes its name into the
// lane's record looks after it, for as long as the lease lasts; what a process
// finds that lost its lease is written at the old revision, which the broker
// refuses, and posted under an id that is known.
type Polls struct {
	*lifecycle.Runner

	config PollsConfig
	kick   chan struct{} // of one place: something has come to an end

	mu       sync.Mutex // guards what follows
	schedule *poll.Schedule
	running  map[string]int // visits by server
}

// NewPolls makes the part.
func NewPolls(config PollsConfig) (*Polls, error) {
	config = config.withDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	p := &Polls{config: config, kick: make(chan struct{}, 1), schedule: poll.NewSchedule(config.Pauses), running: map[string]int{}}
	p.Runner = lifecycle.NewRunner("polls", p.run)
	return p, nil
}

// run looks until the part is stopped. A stop begins no visit, and waits for
// those that are going on, which begin no further request.
func (p *Polls) run(fetch, work context.Context, ready func()) error {
	caughtUp := make(chan struct{})
	var once sync.Once
	following, stop := context.WithCancel(fetch)
	var visits sync.WaitGroup
	defer visits.Wait()
	defer stop()
	over := make(chan error, 1)
	go func() {
		over <- p.config.Follower.Follow(following, p.heard, func() { once.Do(func() { close(caughtUp) }) })
	}()
	select {
	case <-caughtUp:
	case err := <-over:
		return p.ended(fetch, err)
	}
	ready()
	look := time.NewTicker(p.config.Look)
	defer look.Stop()
	for {
		p.begin(fetch, work, &visits)
		select {
		case <-look.C:
		case <-p.kick:
		case err := <-over:
			return p.ended(fetch, err)
		case <-fetch.Done():
			return p.ended(fetch, <-over)
		}
	}
}

func (p *Polls) ended(fetch context.Context, err error) error {
	if fetch.Err() != nil {
		return nil
	}
	return fmt.Errorf("following what is polled: %w", err)
}

// heard takes in a record as it is now. One that cannot be read is left alone.
func (p *Polls) heard(key string, value []byte, revision uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take(key, value, revision)
	p.config.Observer.Watched(p.schedule.Len())
}

// take is heard, under the mutex.
func (p *Polls) take(key string, value []byte, revision uint64) {
	if !events.IsPoll(key) {
		id, ok := parseLane(key)
		var hold poll.Hold
		if ok && (value == nil || json.Unmarshal(value, &hold) == nil) {
			p.schedule.PutHold(id, hold, revision)
		}
		return
	}
	var watch poll.Watch
	switch {
	case value == nil:
		p.schedule.Drop(key, revision)
	case json.Unmarshal(value, &watch) == nil && watch.Key() == key:
		p.schedule.Put(watch, revision)
	}
}

// begin starts a visit to each lane that is due, as far as there are slots.
func (p *Polls) begin(fetch, work context.Context, visits *sync.WaitGroup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range p.schedule.Due(p.config.Now()) {
		if fetch.Err() != nil || p.running[id.Server] >= p.config.Slots {
			continue
		}
		p.running[id.Server]++
		p.schedule.Busy(id, true)
		visits.Go(func() { p.leave(id, p.visit(fetch, work, id)) })
	}
}

// leave ends a visit. One that went well makes room for another at once; after
// one that did not, the next look is soon enough.
func (p *Polls) leave(id poll.Lane, well bool) {
	p.mu.Lock()
	p.running[id.Server]--
	p.schedule.Busy(id, false)
	p.mu.Unlock()
	if !well {
		return
	}
	select {
	case p.kick <- struct{}{}:
	default:
	}
}
