package triggers

import (
	"context"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

const (
	factReaders = 128  // bodies that are fetched at one time
	waveLimit   = 1024 // deliveries that are stored at one time
)

// prepare makes the deliveries of a batch.
func (f *Fan) prepare(ctx context.Context, batch []events.Headline) (prepared, error) {
	if len(batch) == 0 {
		return prepared{}, nil
	}
	facts, err := f.facts(ctx, f.wanted(batch))
	if err != nil {
		return prepared{}, err
	}
	made := prepared{facts: len(batch), through: batch[len(batch)-1].Sequence}
	for _, fact := range facts {
		made.out = append(made.out, f.of(ctx, fact)...)
	}
	return made, nil
}

// wanted are the sequences of facts that somebody may be told of, by what the
// broker says of them and by their headers, so that what nobody hears of costs
// nobody anything: neither a body nor its decoding.
func (f *Fan) wanted(batch []events.Headline) []uint64 {
	var sequences []uint64
	for _, head := range batch {
		if !trigger.Tells(events.Type(head.Header.Value(events.HeaderType))) {
			continue
		}
		tenant, _, err := events.SubjectSession(head.Subject)
		if err == nil && len(f.config.Book.Of(tenant)) > 0 {
			sequences = append(sequences, head.Sequence)
		}
	}
	return sequences
}

// facts fetches bodies. What has left the log meanwhile is too old to be told.
func (f *Fan) facts(ctx context.Context, sequences []uint64) ([]events.Message, error) {
	messages := make([]events.Message, len(sequences))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(factReaders)
	for i, sequence := range sequences {
		group.Go(func() error {
			message, found, err := f.config.Facts.Fact(reading, sequence)
			if err == nil && found {
				messages[i] = message
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("reading facts: %w", err)
	}
	return messages, nil
}

// of are the deliveries of one message. One that cannot be read makes none: the
// meter, which reads the same stream, makes it a dead letter.
func (f *Fan) of(ctx context.Context, message events.Message) []events.Message {
	tenant, session, err := events.SubjectSession(message.Subject)
	if err != nil {
		return nil
	}
	record, err := events.Decode(message)
	if err != nil || record.Tenant != tenant || record.Session != session {
		return nil
	}
	event, ok := trigger.FromRecord(record)
	if !ok {
		return nil
	}
	var out []events.Message
	for _, one := range f.config.Book.Of(tenant) {
		if !one.Hears(event) {
			continue
		}
		made, err := trigger.Delivery(one, event)
		if err != nil {
			f.config.Logger.ErrorContext(ctx, "event cannot be told", slog.String("tenant", string(tenant)),
				slog.String("trigger", string(one.ID)), slog.Uint64("sequence", message.Sequence), slog.Any("error", err))
			continue
		}
		out = append(out, made)
	}
	return out
}

// waves parts messages so that each subject is once in a wave, and its messages
// in order in one wave after the other: of those that are stored at one time any
// may fail, and one of an object must not be stored before the one before it.
func waves(messages []events.Message) [][]events.Message {
	var parts [][]events.Message
	next := map[string]int{}
	for _, message := range messages {
		at := next[message.Subject]
		for at < len(parts) && len(parts[at]) >= waveLimit {
			at++
		}
		if at == len(parts) {
			parts = append(parts, nil)
		}
		parts[at] = append(parts[at], message)
		next[message.Subject] = at + 1
	}
	return parts
}
