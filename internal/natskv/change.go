package natskv

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/internal/tenant"
)

// Change is a tenant that came, changed or went.
type Change struct {
	ID tenant.ID
	// Tenant is the new configuration, not to be modified; zero when Deleted.
	Tenant  tenant.Tenant
	Deleted bool
}

// Watch tells onChange of every tenant there is, then onCaughtUp once, then
// onChange of every change, all from the calling goroutine, until ctx ends. Its
// error is the context's cause then; before onCaughtUp it may also be that the
// bucket cannot be watched.
//
// An entry that cannot be read is logged and passed over: the tenant stays as
// it was last heard of. After a loss of the broker, onChange hears of what
// changed meanwhile and of nothing twice.
func (t *Tenants) Watch(ctx context.Context, onChange func(Change), onCaughtUp func()) error {
	w := &tenantWatch{tenants: t, onChange: onChange, onCaughtUp: onCaughtUp, known: map[tenant.ID]sighting{}}
	return t.bucket.follow(ctx, jetstream.AllKeys, follower{
		begin:    func() { w.round++ },
		entry:    func(entry jetstream.KeyValueEntry) { w.entry(ctx, entry) },
		caughtUp: w.caughtUp,
	})
}

// tenantWatch turns a bucket's entries, which come again after every loss of
// the broker, into changes, which come once. One goroutine owns it.
type tenantWatch struct {
	tenants    *Tenants
	onChange   func(Change)
	onCaughtUp func()

	known map[tenant.ID]sighting // tenants that onChange has heard of and that have not gone
	round int                    // how often all entries have begun to come
	ready bool                   // onCaughtUp has been called
}

// sighting is when an entry was last seen.
type sighting struct {
	revision uint64
	round    int
}

func (w *tenantWatch) entry(ctx context.Context, entry jetstream.KeyValueEntry) {
	id := tenant.ID(entry.Key())
	last, known := w.known[id]
	if removed(entry) {
		if known {
			w.gone(id)
		}
		return
	}
	if known && entry.Revision() == last.revision {
		w.known[id] = sighting{revision: last.revision, round: w.round}
		return
	}
	value, err := w.tenants.read(entry.Key(), entry.Value())
	if err != nil {
		w.tenants.passOver(ctx, entry, err)
		if known {
			w.known[id] = sighting{revision: last.revision, round: w.round}
		}
		return
	}
	w.known[id] = sighting{revision: entry.Revision(), round: w.round}
	w.onChange(Change{ID: id, Tenant: value})
}

// caughtUp ends a round. A tenant that it did not bring has gone, and so has
// the trace of its going.
func (w *tenantWatch) caughtUp() {
	for id, last := range w.known {
		if last.round < w.round {
			w.gone(id)
		}
	}
	if !w.ready {
		w.ready = true
		w.onCaughtUp()
	}
}

func (w *tenantWatch) gone(id tenant.ID) {
	delete(w.known, id)
	w.onChange(Change{ID: id, Deleted: true})
}
