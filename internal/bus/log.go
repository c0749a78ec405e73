package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// Log is the log of sessions. It is safe for concurrent use.
type Log struct{ bus *Bus }

// Log returns the log of sessions.
func (b *Bus) Log() *Log { return &Log{bus: b} }

// Append stores an event as the next of its session and returns its sequence.
// The broker refuses it when entry.Last is no longer the session's last:
// session.ErrConflict. When the answer is lost the error wraps
// session.ErrUncertain, and reading the tail tells.
func (l *Log) Append(ctx context.Context, entry session.Entry) (uint64, error) {
	subject := events.SessionSubject(entry.Envelope.Tenant, entry.Envelope.Session)
	message, err := events.Encode(subject, entry.Envelope, entry.Event)
	if err != nil {
		return 0, fmt.Errorf("appending to %s: %w", subject, err)
	}
	message.Header.Set(jetstream.ExpectedStreamHeader, events.StreamSessions)
	message.Header[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(entry.Last, 10)}
	sequence, err := l.bus.store(ctx, outbound(message))
	switch {
	case isStale(err):
		return 0, fmt.Errorf("appending to %s after %d: %w: %w", subject, entry.Last, session.ErrConflict, err)
	case err != nil:
		return 0, fmt.Errorf("appending to %s: %w", subject, err)
	}
	return sequence, nil
}

// Read lists the session's events after the sequence, in order; none is no
// error. In a cluster a replica that lags behind may answer without the latest
// events, which the fence makes harmless to a writer. What cannot be read, or
// is of a type that this version does not know, comes as a record without its
// event.
func (l *Log) Read(ctx context.Context, tenant events.TenantID, id events.SessionID, after uint64) ([]events.Record, error) {
	subject := events.SessionSubject(tenant, id)
	var records []events.Record
	err := l.bus.scan(ctx, events.StreamSessions, directQuery{Sequence: after + 1, Subject: subject}, func(message events.Message) {
		records = append(records, l.bus.record(ctx, message))
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s after %d: %w", subject, after, err)
	}
	return records, nil
}

// Load is [Log.Read] from the session's beginning.
func (l *Log) Load(ctx context.Context, tenant events.TenantID, id events.SessionID) ([]events.Record, error) {
	return l.Read(ctx, tenant, id, 0)
}

// Sessions lists the tenant's sessions that have a log, in order of their ids.
func (l *Log) Sessions(ctx context.Context, tenant events.TenantID) ([]events.SessionID, error) {
	_, subjects, err := l.bus.subjects(ctx, events.StreamSessions, events.TenantSessionsSubject(tenant))
	if err != nil {
		return nil, fmt.Errorf("listing sessions of %s: %w", tenant, err)
	}
	sessions := make([]events.SessionID, 0, len(subjects))
	for _, subject := range slices.Sorted(maps.Keys(subjects)) {
		if _, id, err := events.SubjectSession(subject); err == nil {
			sessions = append(sessions, id)
		}
	}
	return sessions, nil
}

// FollowParams says what to follow.
type FollowParams struct {
	Tenant events.TenantID
	// Session narrows it to one; empty means all of the tenant.
	Session events.SessionID
	// New leaves out what is stored already; Stored leaves out what comes, so
	// that following ends where the stream ended when it began.
	New    bool
	Stored bool
}

// errCaughtUp ends a following of what is stored.
var errCaughtUp = errors.New("caught up")

// Follow hands the events of a tenant to deliver, stored ones first, then new
// ones as they come, each once and in order. It blocks until ctx ends, which is
// no error, or what is stored has been told, and survives the loss of the broker.
func (l *Log) Follow(ctx context.Context, params FollowParams, deliver func(events.Record)) error {
	subject := events.TenantSessionsSubject(params.Tenant)
	if params.Session != "" {
		subject = events.SessionSubject(params.Tenant, params.Session)
	}
	r := reader{bus: l.bus, config: readerConfig{Stream: events.StreamSessions, Subject: subject, New: params.New}}
	err := r.run(ctx, func(batch []events.Headline, caughtUp bool) error {
		for _, headline := range batch {
			deliver(l.bus.record(ctx, headline.Message))
		}
		if params.Stored && caughtUp {
			return errCaughtUp
		}
		return nil
	})
	if err != nil && !errors.Is(err, errCaughtUp) {
		return fmt.Errorf("following %s: %w", subject, err)
	}
	return nil
}

// record reads an event and tells the log of one that is malformed.
func (b *Bus) record(ctx context.Context, message events.Message) events.Record {
	read, err := record(message)
	if err != nil && !errors.Is(err, events.ErrUnknownType) {
		b.config.Logger.ErrorContext(ctx, "event cannot be read", slog.String("subject", message.Subject),
			slog.Uint64("sequence", message.Sequence), slog.Any("error", err))
	}
	return read
}

// subjects lists the subjects of a stream that match the filter, with the
// stream's last sequence from before they were listed, on the leader's word.
func (b *Bus) subjects(ctx context.Context, stream, filter string) (last uint64, subjects map[string]uint64, err error) {
	handle, err := b.js.Stream(ctx, stream)
	if err != nil {
		return 0, nil, fmt.Errorf("opening stream %s: %w", stream, err)
	}
	last = handle.CachedInfo().State.LastSeq
	info, err := handle.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return 0, nil, fmt.Errorf("listing subjects of %s: %w", stream, err)
	}
	return last, info.State.Subjects, nil
}
