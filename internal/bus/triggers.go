package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// Triggers is the stream of what endpoints of tenants are still to be told, and
// that of what came of it. It is safe for concurrent use.
type Triggers struct{ bus *Bus }

// Triggers returns these streams.
func (b *Bus) Triggers() *Triggers { return &Triggers{bus: b} }

// Publish stores messages of either stream and returns when all of them are
// stored. One whose Nats-Msg-Id was stored a short time ago is not stored again.
// After an error some may be stored: publishing all again is safe.
func (t *Triggers) Publish(ctx context.Context, messages []events.Message) error {
	ctx, cancel := t.bus.bounded(ctx)
	defer cancel()
	futures := make([]jetstream.PubAckFuture, 0, len(messages))
	for _, message := range messages {
		future, err := t.bus.usage.PublishMsgAsync(outbound(message), jetstream.WithStallWait(t.bus.config.Timeout))
		if err != nil {
			return errors.Join(fmt.Errorf("publishing to %s: %w", message.Subject, explained(err)), settled(ctx, futures))
		}
		futures = append(futures, future)
	}
	return settled(ctx, futures)
}

// Watch hands every delivery that waits, and then every new one, to deliver,
// without bodies and otherwise as [Requests.Watch] does.
func (t *Triggers) Watch(ctx context.Context, deliver func(batch []events.Headline, caughtUp bool) error) error {
	reader := reader{bus: t.bus, config: readerConfig{Stream: events.StreamTriggers, Subject: events.SubjectAllTriggers, HeadersOnly: true}}
	if err := reader.run(ctx, deliver); err != nil {
		return fmt.Errorf("watching %s: %w", events.StreamTriggers, err)
	}
	return nil
}

// Read returns the delivery at the sequence; false when it is certainly gone, on
// the word of the stream's leader.
func (t *Triggers) Read(ctx context.Context, sequence uint64) (events.Message, bool, error) {
	message, found, err := t.bus.direct(ctx, events.StreamTriggers, sequence)
	if err == nil && !found {
		message, found, err = t.bus.leader(ctx, events.StreamTriggers, directQuery{Sequence: sequence})
	}
	if err != nil {
		return events.Message{}, false, fmt.Errorf("reading delivery %d: %w", sequence, err)
	}
	return message, found, nil
}

// Waits reports whether a delivery of a trigger waits, by its webhook-id.
func (t *Triggers) Waits(ctx context.Context, tenant events.TenantID, trigger events.TriggerID, id string) (bool, error) {
	waits := false
	query := directQuery{Subject: events.TriggersSubject(tenant, trigger, "*")}
	err := t.bus.scan(ctx, events.StreamTriggers, query, func(message events.Message) {
		waits = waits || message.Header.Value(events.HeaderID) == id
	})
	if err != nil {
		return false, fmt.Errorf("looking among the deliveries of %s: %w", trigger, err)
	}
	return waits, nil
}

// Remove takes a delivery out; one that is gone already is no error.
func (t *Triggers) Remove(ctx context.Context, sequence uint64) error {
	answer, err := t.bus.exchange.ask(ctx, removal(events.StreamTriggers, sequence))
	if err == nil {
		err = t.bus.removed(ctx, events.StreamTriggers, sequence, answer)
	}
	if err != nil {
		return fmt.Errorf("removing delivery %d: %w", sequence, err)
	}
	return nil
}

// Attempts are the last attempts of a trigger, the newest first, limit at most.
func (t *Triggers) Attempts(ctx context.Context, tenant events.TenantID, trigger events.TriggerID, limit int) ([]events.Record, error) {
	var attempts []events.Record
	query := directQuery{Subject: events.DeliveriesSubject(tenant, trigger)}
	err := t.bus.scan(ctx, events.StreamDeliveries, query, func(message events.Message) {
		attempts = append(attempts, t.bus.record(ctx, message))
	})
	if err != nil {
		return nil, fmt.Errorf("listing the attempts of %s: %w", trigger, err)
	}
	slices.Reverse(attempts)
	return attempts[:min(limit, len(attempts))], nil
}

// Letters are the dead letters of a trigger's deliveries, in order of their
// deaths.
func (t *Triggers) Letters(ctx context.Context, tenant events.TenantID, trigger events.TriggerID) ([]events.Record, error) {
	var letters []events.Record
	query := directQuery{Subject: events.DeadSubject(tenant, events.StreamTriggers)}
	err := t.bus.scan(ctx, events.StreamDead, query, func(message events.Message) {
		record := t.bus.record(ctx, message)
		letter, ok := record.Event.(*events.LetterDied)
		if !ok {
			return
		}
		if owner, of, _, err := events.SubjectTrigger(letter.Subject); err == nil && owner == tenant && of == trigger {
			letters = append(letters, record)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing the dead letters of %s: %w", trigger, err)
	}
	return letters, nil
}

// DropLetter removes a dead letter; one that is gone already is no error.
func (t *Triggers) DropLetter(ctx context.Context, sequence uint64) error {
	answer, err := t.bus.exchange.ask(ctx, removal(events.StreamDead, sequence))
	if err == nil {
		err = t.bus.removed(ctx, events.StreamDead, sequence, answer)
	}
	if err != nil {
		return fmt.Errorf("removing dead letter %d: %w", sequence, err)
	}
	return nil
}
