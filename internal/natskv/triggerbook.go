package natskv

import (
	"context"
	"strings"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/trigger"
)

// TriggerBook is every trigger in memory, kept up to date by a watch. It is a
// [lifecycle.Part] whose Start returns when it has caught up. It answers from
// what it last heard, also while the broker is away.
type TriggerBook struct {
	*lifecycle.Runner

	triggers *Triggers

	mu       sync.RWMutex // guards what follows
	tenants  map[events.TenantID]map[events.TriggerID]held
	round    int
	heard    map[int]func(trigger.Key)
	listener int
}

// held is a trigger as it was last seen.
type held struct {
	trigger.Trigger
	round int
}

// NewTriggerBook returns an idle, empty book.
func NewTriggerBook(triggers *Triggers) *TriggerBook {
	b := &TriggerBook{triggers: triggers, tenants: map[events.TenantID]map[events.TriggerID]held{}, heard: map[int]func(trigger.Key){}}
	b.Runner = lifecycle.NewRunner("trigger book", b.run)
	return b
}

func (b *TriggerBook) run(fetch, _ context.Context, ready func()) error {
	return b.triggers.bucket.follow(fetch, jetstream.AllKeys, follower{
		begin: func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.round++
		},
		entry:    func(entry jetstream.KeyValueEntry) { b.entry(fetch, entry) },
		caughtUp: func() { b.prune(); ready() },
	})
}

func (b *TriggerBook) entry(ctx context.Context, entry jetstream.KeyValueEntry) {
	if removed(entry) {
		if tenant, id, ok := strings.Cut(entry.Key(), "."); ok {
			b.forget(trigger.Key{Tenant: events.TenantID(tenant), Trigger: events.TriggerID(id)})
		}
		return
	}
	read, err := b.triggers.read(entry.Key(), entry.Value())
	if err != nil {
		b.triggers.passOver(ctx, entry, err)
		return
	}
	b.mu.Lock()
	of := b.tenants[read.Tenant]
	if of == nil {
		of = map[events.TriggerID]held{}
		b.tenants[read.Tenant] = of
	}
	of[read.ID] = held{Trigger: read, round: b.round}
	b.mu.Unlock()
	b.tell(trigger.Key{Tenant: read.Tenant, Trigger: read.ID})
}

// prune forgets what the round did not bring.
func (b *TriggerBook) prune() {
	b.mu.Lock()
	var gone []trigger.Key
	for tenant, of := range b.tenants {
		for id, seen := range of {
			if seen.round < b.round {
				delete(of, id)
				gone = append(gone, trigger.Key{Tenant: tenant, Trigger: id})
			}
		}
	}
	b.mu.Unlock()
	for _, key := range gone {
		b.tell(key)
	}
}

func (b *TriggerBook) forget(key trigger.Key) {
	b.mu.Lock()
	delete(b.tenants[key.Tenant], key.Trigger)
	if len(b.tenants[key.Tenant]) == 0 {
		delete(b.tenants, key.Tenant)
	}
	b.mu.Unlock()
	b.tell(key)
}

// Lookup returns a trigger; false when there is none. It does no I/O and is safe
// for concurrent use.
func (b *TriggerBook) Lookup(key trigger.Key) (trigger.Trigger, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	found, ok := b.tenants[key.Tenant][key.Trigger]
	return found.Trigger, ok
}

// Of are a tenant's triggers in no order.
func (b *TriggerBook) Of(tenant events.TenantID) []trigger.Trigger {
	b.mu.RLock()
	defer b.mu.RUnlock()
	of := b.tenants[tenant]
	if len(of) == 0 {
		return nil
	}
	found := make([]trigger.Trigger, 0, len(of))
	for _, one := range of {
		found = append(found, one.Trigger)
	}
	return found
}

// OnChange has listener told, until cancel is called, which triggers came,
// changed or went: first of each that is known. It must be quick, and must call
// neither OnChange nor cancel.
func (b *TriggerBook) OnChange(listener func(trigger.Key)) (cancel func()) {
	b.mu.Lock()
	b.listener++
	name := b.listener
	b.heard[name] = listener
	var known []trigger.Key
	for tenant, of := range b.tenants {
		for id := range of {
			known = append(known, trigger.Key{Tenant: tenant, Trigger: id})
		}
	}
	b.mu.Unlock()
	for _, key := range known {
		listener(key)
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.heard, name)
	}
}

func (b *TriggerBook) tell(key trigger.Key) {
	b.mu.RLock()
	listeners := make([]func(trigger.Key), 0, len(b.heard))
	for _, listener := range b.heard {
		listeners = append(listeners, listener)
	}
	b.mu.RUnlock()
	for _, listener := range listeners {
		listener(key)
	}
}
