package triggers

import (
	"sync"

	"github.com/feira-dev/feira/internal/trigger"
)

// news is which triggers changed and nobody has looked at since.
type news struct {
	some chan struct{} // of one place

	mu   sync.Mutex
	keys map[trigger.Key]struct{}
}

func newNews() *news {
	return &news{some: make(chan struct{}, 1), keys: map[trigger.Key]struct{}{}}
}

func (n *news) put(key trigger.Key) {
	n.mu.Lock()
	n.keys[key] = struct{}{}
	n.mu.Unlock()
	select {
	case n.some <- struct{}{}:
	default:
	}
}

func (n *news) take() []trigger.Key {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys := make([]trigger.Key, 0, len(n.keys))
	for key := range n.keys {
		keys = append(keys, key)
	}
	clear(n.keys)
	return keys
}
