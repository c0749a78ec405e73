package natskv

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/tenant"
)

// Registry is every tenant in memory, kept up to date by a watch. It is a
// [lifecycle.Part] whose Start returns when it has caught up. It answers from
// what it last heard, also while the broker is away and after it has stopped.
type Registry struct {
	*lifecycle.Runner

	tenants *Tenants

	mu     sync.RWMutex // guards values; writers hold telling as well
	values map[tenant.ID]tenant.Tenant

	telling   sync.Mutex // held while listeners are told, so that each hears all changes in order
	listeners map[*func(Change)]struct{}
}

// NewRegistry returns an idle, empty registry.
func NewRegistry(tenants *Tenants) *Registry {
	r := &Registry{
		tenants:   tenants,
		values:    map[tenant.ID]tenant.Tenant{},
		listeners: map[*func(Change)]struct{}{},
	}
	r.Runner = lifecycle.NewRunner("tenant registry", r.run)
	return r
}

func (r *Registry) run(fetch, _ context.Context, ready func()) error {
	return r.tenants.Watch(fetch, r.apply, ready)
}

// Lookup returns a tenant, not to be modified; false when there is none. It
// does no I/O and is safe for concurrent use.
func (r *Registry) Lookup(id tenant.ID) (tenant.Tenant, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	value, found := r.values[id]
	return value, found
}

// All returns every tenant in the order of their ids, not to be modified.
func (r *Registry) All() []tenant.Tenant {
	r.mu.RLock()
	values := make([]tenant.Tenant, 0, len(r.values))
	for _, value := range r.values {
		values = append(values, value)
	}
	r.mu.RUnlock()
	slices.SortFunc(values, func(a, b tenant.Tenant) int { return cmp.Compare(a.ID, b.ID) })
	return values
}

// OnChange has listener told of every tenant known now, before it returns, and
// of each change from then on, in order, until cancel is called. When listener
// hears of a change, Lookup knows it already. A listener must be quick, and
// must neither call OnChange nor cancel itself: the next change waits for it.
func (r *Registry) OnChange(listener func(Change)) (cancel func()) {
	r.telling.Lock()
	defer r.telling.Unlock()
	for _, value := range r.All() {
		listener(Change{ID: value.ID, Tenant: value})
	}
	key := &listener
	r.listeners[key] = struct{}{}
	return func() {
		r.telling.Lock()
		defer r.telling.Unlock()
		delete(r.listeners, key)
	}
}

func (r *Registry) apply(change Change) {
	r.telling.Lock()
	defer r.telling.Unlock()
	r.mu.Lock()
	if change.Deleted {
		delete(r.values, change.ID)
	} else {
		r.values[change.ID] = change.Tenant
	}
	r.mu.Unlock()
	for listener := range r.listeners {
		(*listener)(change)
	}
}
