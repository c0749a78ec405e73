package bus

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/feira-dev/feira/events"
)

// Space moves the stream's last sequence on by count without a run: it stores as
// many spacers and takes them out again. When it returns nil the stream has moved
// on, also where spacers were left behind, which workers pass over.
//
// They are deleted one by one. After a purge of their subjects the workers'
// consumer, which takes in all subjects, forgets what it has handed out.
func (r *Runs) Space(ctx context.Context, count int) error {
	ctx, cancel := r.bus.bounded(ctx)
	defer cancel()
	token := nuid.Next() + "-"
	spacers := make([]*nats.Msg, count)
	for n := range spacers {
		spacers[n] = nats.NewMsg(events.SpacerSubject(token + strconv.Itoa(n)))
	}
	var fault error
	stored := make([]*nats.Msg, 0, count)
	err := r.bus.all(ctx, spacers, func(answer *nats.Msg, err error) {
		var sequence uint64
		if err == nil {
			sequence, err = storedAt(answer.Data)
		}
		if err != nil {
			fault = err
			return
		}
		stored = append(stored, removal(events.StreamRuns, sequence))
	})
	if err = cmp.Or(err, fault); err != nil {
		return fmt.Errorf("spacing %s: %w", events.StreamRuns, err)
	}
	r.unspace(ctx, stored)
	return nil
}

// unspace takes spacers out. The broker's refusals are those of spacers that
// workers were faster to take.
func (r *Runs) unspace(ctx context.Context, removals []*nats.Msg) {
	var fault error
	err := r.bus.all(ctx, removals, func(_ *nats.Msg, err error) { fault = cmp.Or(fault, err) })
	if err = cmp.Or(err, fault); err != nil {
		r.bus.config.Logger.WarnContext(ctx, "spacers are left to the workers", slog.String("stream", events.StreamRuns), slog.Any("error", err))
	}
}

// all asks many questions at one time, and tells the answers in any order, on
// the caller's goroutine. Its own error means that not all were asked or answered.
func (b *Bus) all(ctx context.Context, questions []*nats.Msg, tell func(answer *nats.Msg, err error)) error {
	answers := make(chan answer, len(questions))
	for _, question := range questions {
		err := b.exchange.send(question, func(msg *nats.Msg, err error) { answers <- answer{msg, err} })
		if err != nil {
			return err
		}
	}
	for range questions {
		select {
		case got := <-answers:
			tell(got.msg, got.err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
