package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/feira-dev/feira/events"
)

// Space moves the stream's last sequence on by count without a run: it stores as
// many spacers and takes them out again. When it returns nil the stream has moved
// on, also where spacers were left behind, which workers pass over.
func (r *Runs) Space(ctx context.Context, count int) error {
	ctx, cancel := r.bus.bounded(ctx)
	defer cancel()
	answers := make(chan error, count)
	token := nuid.Next() + "-"
	for n := range count {
		spacer := nats.NewMsg(events.SpacerSubject(token + strconv.Itoa(n)))
		err := r.bus.exchange.send(spacer, func(answer *nats.Msg, err error) {
			if err == nil {
				_, err = storedAt(answer.Data)
			}
			answers <- err
		})
		if err != nil {
			return fmt.Errorf("spacing %s: %w", events.StreamRuns, err)
		}
	}
	var faults []error
	for range count {
		select {
		case err := <-answers:
			if err != nil && len(faults) == 0 { // one tells what a thousand would
				faults = append(faults, err)
			}
		case <-ctx.Done():
			faults = append(faults, context.Cause(ctx))
			return fmt.Errorf("spacing %s: %w", events.StreamRuns, errors.Join(faults...))
		}
	}
	r.unspace(ctx)
	if len(faults) > 0 {
		return fmt.Errorf("spacing %s: %w", events.StreamRuns, errors.Join(faults...))
	}
	return nil
}

// unspace takes all spacers out, those of others included.
func (r *Runs) unspace(ctx context.Context) {
	stream, err := r.bus.js.Stream(ctx, events.StreamRuns)
	if err == nil {
		err = stream.Purge(ctx, jetstream.WithPurgeSubject(events.SubjectAllSpacers))
	}
	if err != nil {
		r.bus.config.Logger.WarnContext(ctx, "spacers are left to the workers", slog.String("stream", events.StreamRuns), slog.Any("error", err))
	}
}
