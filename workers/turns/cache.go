package turns

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// cache holds folded sessions between their runs. A state is taken out while a
// run uses it, for it belongs to one goroutine at a time; a second run of the
// same session, a call, folds the log anew.
type cache struct {
	mu     sync.Mutex
	states *simplelru.LRU[place, *session.State]
}

type place struct {
	tenant events.TenantID
	id     session.ID
}

func newCache(size int) (*cache, error) {
	states, err := simplelru.NewLRU[place, *session.State](size, nil)
	if err != nil {
		return nil, err
	}
	return &cache{states: states}, nil
}

func (c *cache) take(tenant events.TenantID, id session.ID) *session.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := place{tenant: tenant, id: id}
	state, ok := c.states.Peek(key)
	if !ok {
		return session.New(tenant, id)
	}
	c.states.Remove(key)
	return state
}

func (c *cache) put(state *session.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.states.Add(place{tenant: state.Tenant, id: state.ID}, state)
}
