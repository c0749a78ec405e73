package bus

import (
	"context"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
)

// earRoom is how many messages may wait for the ear; the client drops the next.
const earRoom = 8192

// ear hears many subjects with one goroutine, in the order in which their
// messages came. The client's own subscriptions take a goroutine each, whose
// stack is most of what ten thousand waiting clients would cost. It is safe for
// concurrent use.
type ear struct {
	messages chan *nats.Msg

	mu      sync.RWMutex // guards hearers
	hearers map[*nats.Subscription]nats.MsgHandler
	bus     *Bus
}

func newEar(b *Bus) *ear {
	return &ear{bus: b, messages: make(chan *nats.Msg, earRoom), hearers: make(map[*nats.Subscription]nats.MsgHandler)}
}

// listen calls the hearers until closed is closed.
func (e *ear) listen(closed <-chan struct{}) {
	for {
		select {
		case msg := <-e.messages:
			e.mu.RLock()
			hear := e.hearers[msg.Sub]
			e.mu.RUnlock()
			if hear != nil {
				hear(msg)
			}
		case <-closed:
			return
		}
	}
}

// subscribe returns when the broker knows of the subscription, which lasts
// until ctx ends. hear must not block.
func (e *ear) subscribe(ctx context.Context, subject string, hear nats.MsgHandler) error {
	e.mu.Lock() // so that no message comes before its hearer is known
	sub, err := e.bus.nc.ChanSubscribe(subject, e.messages)
	if err == nil {
		e.hearers[sub] = hear
	}
	e.mu.Unlock()
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", subject, err)
	}
	return e.bus.establish(ctx, sub, func() {
		_ = sub.Unsubscribe()
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.hearers, sub)
	})
}
