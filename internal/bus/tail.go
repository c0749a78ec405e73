package bus

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/feira-dev/feira/events"
)

// Page lists at most so many of the session's events after the sequence, in
// order, as far as the answering replica has them; more tells that others may
// follow. A page of one is a single question to the broker.
func (l *Log) Page(ctx context.Context, tenant events.TenantID, id events.SessionID, after uint64, limit int) (records []events.Record, more bool, err error) {
	subject := events.SessionSubject(tenant, id)
	query := directQuery{Sequence: after + 1, Subject: subject}
	if limit == 1 {
		message, found, err := l.bus.query(ctx, events.StreamSessions, query)
		if err != nil {
			return nil, false, fmt.Errorf("reading %s after %d: %w", subject, after, err)
		}
		if !found {
			return nil, false, nil
		}
		return []events.Record{l.bus.record(ctx, message)}, true, nil
	}
	query.Batch, query.MaxBytes = min(limit, pageMessages), pageBytes
	last, pending, err := l.bus.page(ctx, events.StreamSessions, query, func(message events.Message) {
		records = append(records, l.bus.record(ctx, message))
	})
	if err == nil && last == 0 && pending > 0 {
		err = fmt.Errorf("%w: %d messages are left out", ErrIncomplete, pending)
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading %s after %d: %w", subject, after, err)
	}
	return records, pending > 0, nil
}

// Next is the session's event after the sequence on the word of the stream's
// leader, who has every event that was ever told; false when there is none.
func (l *Log) Next(ctx context.Context, tenant events.TenantID, id events.SessionID, after uint64) (events.Record, bool, error) {
	subject := events.SessionSubject(tenant, id)
	message, found, err := l.bus.leader(ctx, events.StreamSessions, directQuery{Sequence: after + 1, Subject: subject})
	if err != nil {
		return events.Record{}, false, fmt.Errorf("asking for %s after %d: %w", subject, after, err)
	}
	if !found {
		return events.Record{}, false, nil
	}
	return l.bus.record(ctx, message), true, nil
}

// Last is the sequence of the session's last event that the answering replica
// has, 0 for none.
func (l *Log) Last(ctx context.Context, tenant events.TenantID, id events.SessionID) (uint64, error) {
	subject := events.SessionSubject(tenant, id)
	message, _, err := l.bus.query(ctx, events.StreamSessions, directQuery{Last: subject})
	if err != nil {
		return 0, fmt.Errorf("reading the end of %s: %w", subject, err)
	}
	return message.Sequence, nil
}

// query reads one message from whichever replica answers; false when that
// replica does not have it.
func (b *Bus) query(ctx context.Context, stream string, query directQuery) (events.Message, bool, error) {
	body, err := json.Marshal(query)
	if err != nil {
		return events.Message{}, false, err
	}
	return b.fetch(ctx, &nats.Msg{Subject: apiDirectGet + stream, Data: body})
}
