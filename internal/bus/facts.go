package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// Headlines hands over what every session's log has behind a sequence, in the
// order of the stream, then what comes, without bodies, each once, until ctx
// ends, which is no error. caughtUp is as for [Requests.Watch]. An error of
// deliver ends it.
//
// A stream that ends before the sequence is not the one that the sequence is
// of: it was made anew, and is read from its beginning, since nobody has heard
// of what stands there.
func (l *Log) Headlines(ctx context.Context, after uint64, deliver func(batch []events.Headline, caughtUp bool) error) error {
	stream, err := l.bus.js.Stream(ctx, events.StreamSessions)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("%w: stream %s", ErrMissing, events.StreamSessions)
	}
	if err != nil {
		return fmt.Errorf("opening stream %s: %w", events.StreamSessions, err)
	}
	if last := stream.CachedInfo().State.LastSeq; last < after {
		l.bus.config.Logger.WarnContext(ctx, "the stream was made anew and is read from its beginning",
			slog.String("stream", events.StreamSessions), slog.Uint64("read", after), slog.Uint64("last", last))
		after = 0
	}
	reader := reader{bus: l.bus, config: readerConfig{
		Stream: events.StreamSessions, Subject: events.SubjectAllSessions, HeadersOnly: true, After: after,
	}}
	if err := reader.run(ctx, deliver); err != nil {
		return fmt.Errorf("reading %s after %d: %w", events.StreamSessions, after, err)
	}
	return nil
}

// Fact returns the event at the sequence, of whatever session; false when it is
// certainly gone, on the word of the stream's leader.
func (l *Log) Fact(ctx context.Context, sequence uint64) (events.Message, bool, error) {
	message, found, err := l.bus.direct(ctx, events.StreamSessions, sequence)
	if err == nil && !found {
		message, found, err = l.bus.leader(ctx, events.StreamSessions, directQuery{Sequence: sequence})
	}
	if err != nil {
		return events.Message{}, false, fmt.Errorf("reading fact %d: %w", sequence, err)
	}
	return message, found, nil
}
