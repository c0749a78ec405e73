package bus

import (
	"context"
	"time"

	"github.com/feira-dev/feira/events"
)

// staged is a batch that waits for the one before it.
type staged struct {
	gathered

	handle        func(context.Context) error
	stopExtending func()
}

// runAhead has one batch fetched and staged while the one before it is worked on.
func (b *Batches) runAhead(fetch, work context.Context, pulls *puller, lease time.Duration) {
	ahead := make(chan staged)
	go func() {
		defer close(ahead)
		for fetch.Err() == nil {
			batch := b.next(fetch, work, pulls)
			if len(batch.messages) == 0 {
				continue
			}
			stopExtending := b.extend(work, batch, lease)
			ahead <- staged{gathered: batch, handle: b.stage(work, batch.messages), stopExtending: stopExtending}
		}
	}()
	inOrder := true
	for next := range ahead {
		if inOrder {
			inOrder = b.settle(fetch, work, next.gathered, next.handle)
		} else {
			b.giveBack(work, next.gathered) // with what it comes after
		}
		next.stopExtending()
	}
}

// stage is the configured one. Where that panics the work begins with it again.
func (b *Batches) stage(ctx context.Context, batch []events.Message) (handle func(context.Context) error) {
	err := b.call(ctx, func(context.Context) error {
		handle = b.config.Stage(batch)
		return nil
	})
	if err != nil {
		return func(ctx context.Context) error { return b.config.Stage(batch)(ctx) }
	}
	return handle
}
