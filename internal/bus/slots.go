package bus

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// slots bounds what runs at one time. It is safe for concurrent use.
type slots struct {
	free chan struct{}
	busy atomic.Int64
}

// slot is the right to run one message. Its release may be called again.
type slot struct {
	release func()
}

func newSlots(n int) *slots {
	s := &slots{free: make(chan struct{}, n)}
	for range n {
		s.free <- struct{}{}
	}
	return s
}

// take waits for a slot and takes all others that are free with it. It returns
// none when ctx has ended. What comes meanwhile, when there is no slot for it,
// is refused.
func (s *slots) take(ctx context.Context, coming <-chan *nats.Msg, refuse func(*nats.Msg)) []*slot {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case msg := <-coming:
			refuse(msg)
		case <-s.free:
			return s.rest([]*slot{s.slot()})
		}
	}
	return nil
}

func (s *slots) rest(taken []*slot) []*slot {
	for {
		select {
		case <-s.free:
			taken = append(taken, s.slot())
		default:
			return taken
		}
	}
}

func (s *slots) slot() *slot {
	return &slot{release: sync.OnceFunc(func() { s.free <- struct{}{} })}
}

// fill counts a slot as busy from now until its release.
func (s *slots) fill(held *slot) {
	s.busy.Add(1)
	release := held.release
	held.release = sync.OnceFunc(func() {
		s.busy.Add(-1)
		release()
	})
}
