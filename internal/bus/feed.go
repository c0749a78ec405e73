package bus

import (
	"context"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// Feed is session events as they are stored, told and forgotten: who missed
// some reads them from the [Log]. It is safe for concurrent use.
type Feed struct{ bus *Bus }

// Feed returns the feed of session events.
func (b *Bus) Feed() *Feed { return &Feed{bus: b} }

// Subscribe hears the events of a session, or of all sessions of the tenant
// where session is empty, until ctx ends. It is active when it returns. All
// subscriptions to feeds and deltas share one goroutine, so hear is called in
// order and must not block: what piles up is dropped. Gaps show in the records'
// Previous.
func (f *Feed) Subscribe(ctx context.Context, tenant events.TenantID, session events.SessionID, hear func(events.Record)) error {
	return f.bus.ear.subscribe(ctx, events.FeedSubject(tenant, session), func(msg *nats.Msg) {
		previous, known := saidNumber(msg.Header, jetstream.LastSequenceHeader)
		message, ok := stored(msg)
		if !ok {
			f.bus.config.Logger.WarnContext(ctx, "feed message has no place", slog.String("subject", msg.Subject))
			return
		}
		record := f.bus.record(ctx, message)
		record.Previous = previous
		if !known {
			record.Previous = record.Sequence - 1 // there may be anything before it
		}
		hear(record)
	})
}
