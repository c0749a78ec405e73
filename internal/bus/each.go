package bus

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/outcome"
)

// Delivery is a message with how often the broker has handed it out, from 1.
type Delivery struct {
	events.Message

	Count int
}

// EachHandler works on messages in the order of their deliveries and says of
// each by an error what is to become of it, in the words of package outcome: one
// that has to wait does not hold up the others. A dead letter is the handler's
// own business; what it asks to bury is tried again.
type EachHandler func(ctx context.Context, batch []Delivery) []error

// each hands the batch out once and settles every message by itself.
func (b *Batches) each(work context.Context, batch gathered) {
	deliveries := make([]Delivery, len(batch.messages))
	for i, message := range batch.messages {
		deliveries[i] = Delivery{Message: message, Count: batch.counts[i]}
	}
	verdicts := b.callEach(work, deliveries)
	done, put := gathered{}, 0
	for i, ack := range batch.acks {
		verdict := outcome.Of(work, verdicts[i])
		switch verdict.Action {
		case outcome.ActionDone:
			done.messages, done.acks = append(done.messages, batch.messages[i]), append(done.acks, ack)
			continue
		case outcome.ActionRetryAfter:
			_ = b.bus.nak(ack, verdict.After)
			continue
		case outcome.ActionRelease:
			_ = b.bus.nak(ack, 0)
			continue
		case outcome.ActionAbandon:
			continue
		case outcome.ActionRetry, outcome.ActionBury:
		}
		put++
		after := b.after(batch.counts[i])
		b.config.Logger.WarnContext(work, "message is tried again", slog.String("part", b.config.Name), slog.String("subject", batch.messages[i].Subject),
			slog.Uint64("sequence", batch.messages[i].Sequence), slog.Int("deliveries", batch.counts[i]), slog.Duration("after", after), slog.Any("error", verdicts[i]))
		_ = b.bus.nak(ack, after)
	}
	if len(done.acks) > 0 {
		b.acknowledge(work, done)
	}
}

// after doubles with every delivery.
func (b *Batches) after(deliveries int) time.Duration {
	wait := b.config.RetryBase
	for range deliveries - 1 {
		if wait *= 2; wait >= b.config.RetryCap {
			return b.config.RetryCap
		}
	}
	return wait
}

// callEach makes a panic the error of all messages of the batch: nobody knows
// whose it was.
func (b *Batches) callEach(ctx context.Context, deliveries []Delivery) (verdicts []error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		b.config.Logger.ErrorContext(ctx, "batch panicked", slog.Any("value", value), slog.String("stack", string(debug.Stack())))
		verdicts = make([]error, len(deliveries))
		for i := range verdicts {
			verdicts[i] = fmt.Errorf("%w: %v", ErrPanic, value)
		}
	}()
	return b.config.Each(ctx, deliveries)
}
