package triggers

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

// round is one tenure's picture of what is to be told. All fields but the
// channels belong to the goroutine of run.
type round struct {
	config Config
	queue  *trigger.Queue

	heads   chan []events.Headline
	changes chan trigger.Key
	results chan result
	failed  chan error
	graves  *graves
	memory  *memory
	tasks   sync.WaitGroup
}

// result is what came of an attempt.
type result struct {
	item trigger.Item
	trigger.Result
}

func newRound(config Config) *round {
	return &round{
		config: config, heads: make(chan []events.Headline), changes: make(chan trigger.Key),
		results: make(chan result), failed: make(chan error, 1), graves: newGraves(config), memory: newMemory(config),
	}
}

// run delivers until taking ends, and then lets what is under way end. work ends
// what hangs.
func (r *round) run(taking, work context.Context) error {
	var err error
	if r.queue, err = trigger.NewQueue(r.config.Queue); err != nil {
		return err
	}
	listening, deaf := context.WithCancel(taking)
	defer func() { deaf(); r.tasks.Wait() }()
	r.tasks.Go(func() { r.graves.dig(listening) })
	r.tasks.Go(func() { r.listen(listening) })
	r.tasks.Go(func() {
		err := r.config.Pending.Watch(listening, func(batch []events.Headline, _ bool) error {
			select {
			case r.heads <- batch:
				return nil
			case <-listening.Done():
				return context.Cause(listening)
			}
		})
		if err != nil && listening.Err() == nil {
			r.failed <- fmt.Errorf("watching deliveries: %w", err)
		}
	})
	err = r.loop(taking, work)
	for r.queue.Inflight() > 0 {
		ended := <-r.results
		r.queue.Done(ended.item.Sequence, ended.Result, r.config.Now())
	}
	return err
}

// listen passes on which triggers changed. The book must not wait for the loop,
// so what it said last is remembered here.
func (r *round) listen(ctx context.Context) {
	news := newNews()
	defer r.config.Book.OnChange(news.put)()
	for {
		select {
		case <-news.some:
		case <-ctx.Done():
			return
		}
		for _, key := range news.take() {
			select {
			case r.changes <- key:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (r *round) loop(taking, work context.Context) error {
	wake := time.NewTimer(time.Hour)
	defer wake.Stop()
	sweep := time.NewTicker(r.config.Sweep)
	defer sweep.Stop()
	show := time.NewTicker(r.config.Show)
	defer show.Stop()
	for {
		select {
		case <-taking.Done():
			return nil
		case err := <-r.failed:
			return err
		case batch := <-r.heads:
			r.take(batch)
		case key := <-r.changes:
			r.heed(key)
		case ended := <-r.results:
			if r.queue.Done(ended.item.Sequence, ended.Result, r.config.Now()) {
				r.admit(ended.item, r.config.Now())
			}
		case <-sweep.C:
			r.graves.add(reasonExpired, r.queue.Expired(r.config.Now().Add(-trigger.KeptFor()))...)
		case <-show.C:
			r.show()
			continue
		case <-wake.C:
		}
		r.begin(work)
		if due, ok := r.queue.Due(); ok {
			wake.Reset(max(due.Sub(r.config.Now()), 0))
		} else {
			wake.Reset(time.Hour)
		}
	}
}

// begin makes what deliveries there are slots for.
func (r *round) begin(work context.Context) {
	for {
		item, ok := r.queue.Next(r.config.Now())
		if !ok {
			return
		}
		go func() { r.results <- result{item: item, Result: r.deliver(work, item)} }()
	}
}

// take adds what has come to the queue.
func (r *round) take(batch []events.Headline) {
	now := r.config.Now()
	for _, head := range batch {
		tenant, id, lane, err := events.SubjectTrigger(head.Subject)
		if err != nil {
			continue // nobody but a fan writes there
		}
		r.admit(trigger.Item{Key: trigger.Key{Tenant: tenant, Trigger: id}, Lane: lane, Sequence: head.Sequence, Accepted: head.Time}, now)
	}
}

// admit puts a delivery where its trigger's state says that it belongs.
func (r *round) admit(item trigger.Item, now time.Time) {
	of, known := r.config.Book.Lookup(item.Key)
	switch {
	case known && of.Status == trigger.StatusStopped:
		r.graves.add(reasonStopped, item)
	case r.queue.Pending(item.Key) >= r.config.Backlog:
		r.graves.add(reasonBacklog, item)
	default:
		r.queue.Add(item, now)
	}
}

// heed does what the state of a trigger asks for.
func (r *round) heed(key trigger.Key) {
	of, known := r.config.Book.Lookup(key)
	switch {
	case !known:
		r.graves.add(reasonDeleted, r.queue.Drop(key)...)
	case of.Status == trigger.StatusStopped:
		r.graves.add(reasonStopped, r.queue.Drop(key)...)
	default:
		r.queue.Pause(key, of.Status == trigger.StatusPaused, r.config.Now())
	}
}

func about(item trigger.Item) []any {
	return []any{
		slog.String("tenant", string(item.Key.Tenant)), slog.String("trigger", string(item.Key.Trigger)), slog.Uint64("sequence", item.Sequence),
	}
}
