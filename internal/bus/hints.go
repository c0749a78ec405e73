package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/feira-dev/feira/events"
)

// Hints are told and forgotten: whoever does not listen misses them, and
// nothing may depend on one. It is safe for concurrent use.
type Hints struct{ bus *Bus }

// Hints returns the subjects of hints.
func (b *Bus) Hints() *Hints { return &Hints{bus: b} }

// Announce tells the scheduler of a worker's slots.
func (h *Hints) Announce(worker events.WorkerAnnounced) error {
	return h.tell(events.WorkerSubject(worker.ID), worker)
}

// RunEnded tells the scheduler that a run has left RUNS.
func (h *Hints) RunEnded(ended events.RunEnded) error {
	if err := h.bus.nc.Publish(ended.Subject(), nil); err != nil {
		return fmt.Errorf("publishing to %s: %w", ended.Subject(), err)
	}
	return nil
}

// Control gives an order to whoever runs the session.
func (h *Hints) Control(tenant events.TenantID, session events.SessionID, order events.Control) error {
	return h.tell(events.ControlSubject(tenant, session), order)
}

// Delta tells who listens of a piece of the model's text. While the connection
// is lost it is dropped: what can be lost is not to wait before what cannot.
func (h *Hints) Delta(tenant events.TenantID, session events.SessionID, delta events.ModelDelta) error {
	if !h.bus.nc.IsConnected() {
		return nil
	}
	return h.tell(events.DeltaSubject(tenant, session), delta)
}

// WatchDeltas hears the model's text in a session until ctx ends. It is active
// when it returns; hear must not block, as with [Feed.Subscribe], and what the
// worker told before an event of the session is mostly heard before it.
func (h *Hints) WatchDeltas(ctx context.Context, tenant events.TenantID, session events.SessionID, hear func(events.ModelDelta)) error {
	return h.bus.ear.subscribe(ctx, events.DeltaSubject(tenant, session), func(msg *nats.Msg) {
		if delta, ok := heard[events.ModelDelta](ctx, h.bus, msg); ok {
			hear(delta)
		}
	})
}

// WatchWorkers hears announcements until ctx ends. It is active when it
// returns; hear is called from one goroutine at a time, as with all watches.
func (h *Hints) WatchWorkers(ctx context.Context, hear func(events.WorkerAnnounced)) error {
	return h.bus.subscribe(ctx, events.SubjectAllWorkers, func(msg *nats.Msg) {
		if worker, ok := heard[events.WorkerAnnounced](ctx, h.bus, msg); ok {
			hear(worker)
		}
	})
}

// WatchRunEnded hears of ended runs until ctx ends. It is active when it
// returns.
func (h *Hints) WatchRunEnded(ctx context.Context, hear func(events.RunEnded)) error {
	return h.bus.subscribe(ctx, events.SubjectAllDone, func(msg *nats.Msg) {
		ended, err := events.ParseRunEnded(msg.Subject)
		if err != nil {
			h.bus.unreadable(ctx, msg, err)
			return
		}
		hear(ended)
	})
}

// WatchControl hears orders until ctx ends. It is active when it returns.
func (h *Hints) WatchControl(ctx context.Context, hear func(events.TenantID, events.SessionID, events.Control)) error {
	return h.bus.subscribe(ctx, events.SubjectAllControl, func(msg *nats.Msg) {
		if order, ok := heard[events.Control](ctx, h.bus, msg); ok {
			hear(events.TenantID(token(msg.Subject, 2)), events.SessionID(token(msg.Subject, 3)), order)
		}
	})
}

func (h *Hints) tell(subject string, hint any) error {
	data, err := json.Marshal(hint)
	if err != nil {
		return fmt.Errorf("publishing to %s: %w", subject, err)
	}
	if err := h.bus.nc.Publish(subject, data); err != nil {
		return fmt.Errorf("publishing to %s: %w", subject, err)
	}
	return nil
}

// token is a part of a subject that a subscription has matched, so it is there.
// The tenant is not parsed: it may be events.IllegalTenant.
func token(subject string, i int) string { return strings.Split(subject, ".")[i] }

func heard[T any](ctx context.Context, b *Bus, msg *nats.Msg) (T, bool) {
	var hint T
	if err := json.Unmarshal(msg.Data, &hint); err != nil {
		b.unreadable(ctx, msg, err)
		return hint, false
	}
	return hint, true
}

func (b *Bus) unreadable(ctx context.Context, msg *nats.Msg, err error) {
	b.config.Logger.WarnContext(ctx, "hint cannot be read", slog.String("subject", msg.Subject), slog.Any("error", err))
}

// subscribe returns when the broker knows of the subscription, which lasts
// until ctx ends.
func (b *Bus) subscribe(ctx context.Context, subject string, hear nats.MsgHandler) error {
	sub, err := b.nc.Subscribe(subject, hear)
	if err != nil {
		return fmt.Errorf("subscribing to %s: %w", subject, err)
	}
	return b.establish(ctx, sub, func() { _ = sub.Unsubscribe() })
}

// establish waits for the broker's word on a new subscription, and has it ended
// when ctx ends or the broker refuses it.
func (b *Bus) establish(ctx context.Context, sub *nats.Subscription, end func()) error {
	bounded, cancel := b.bounded(ctx)
	defer cancel()
	if err := b.nc.FlushWithContext(bounded); err != nil {
		end()
		return fmt.Errorf("subscribing to %s: %w", sub.Subject, err)
	}
	// The broker reports a refusal before it answers the flush.
	if kind, denied, ok := parseDenial(b.nc.LastError()); ok && denied == sub.Subject {
		end()
		return forbidden(kind, denied)
	}
	context.AfterFunc(ctx, end)
	return nil
}
