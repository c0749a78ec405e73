package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/feira-dev/feira/events"
)

const (
	askPatience = time.Second            // with one asking, before the question is put again
	askRetry    = 250 * time.Millisecond // after a try that nobody heard
)

// Asks are questions to the leading scheduler, answered by nobody else. It is
// safe for concurrent use.
type Asks struct{ bus *Bus }

// Asks returns the subjects of questions.
func (b *Bus) Asks() *Asks { return &Asks{bus: b} }

// Queue asks how the queue stands. A question that nobody answers is put again
// until ctx ends, or for the default time where ctx has no end: a leader may
// just be going, and its successor coming. After that it is [ErrNoLeader]; a
// question that the leader finds fault with is events.ErrInvalidQuestion.
func (a *Asks) Queue(ctx context.Context, asked events.QueueAsked) (events.QueueTold, error) {
	if err := asked.Validate(); err != nil {
		return events.QueueTold{}, err
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return events.QueueTold{}, fmt.Errorf("asking about the queue: %w", err)
	}
	ctx, cancel := a.bus.bounded(ctx)
	defer cancel()
	for {
		told, err := a.ask(ctx, body)
		if err == nil {
			return told, nil
		}
		if !isUnanswered(err) {
			return events.QueueTold{}, fmt.Errorf("asking about the queue: %w", err)
		}
		if pause(ctx, askRetry); ctx.Err() == nil {
			continue
		}
		if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
			return events.QueueTold{}, fmt.Errorf("asking about the queue: %w", cause)
		}
		return events.QueueTold{}, fmt.Errorf("asking about the queue: %w", ErrNoLeader)
	}
}

// ask puts the question once.
func (a *Asks) ask(ctx context.Context, body []byte) (events.QueueTold, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	var told events.QueueTold
	msg, err := a.bus.exchange.ask(ctx, &nats.Msg{Subject: events.SubjectAskQueue, Data: body})
	if err != nil {
		return told, err
	}
	if err := json.Unmarshal(msg.Data, &told); err != nil {
		return told, fmt.Errorf("reading the answer: %w", err)
	}
	if told.Fault != "" {
		return told, fmt.Errorf("%w: the leader answers: %s", events.ErrInvalidQuestion, told.Fault)
	}
	return told, nil
}

// isUnanswered reports whether putting the question again may help.
func isUnanswered(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, context.Canceled) || errors.Is(err, nats.ErrTimeout)
}

// WatchQueue hears questions about the queue until ctx ends; it is active when
// it returns. Whoever watches must lead: the first answer is the one that
// counts. hear is called from one goroutine at a time, and the answer may be
// given from any, later or never. A question at fault is answered here.
func (a *Asks) WatchQueue(ctx context.Context, hear func(asked events.QueueAsked, answer func(events.QueueTold))) error {
	return a.bus.subscribe(ctx, events.SubjectAskQueue, func(msg *nats.Msg) {
		answer := func(told events.QueueTold) { a.answer(ctx, msg, told) }
		asked, err := readQuestion(msg.Data)
		if err != nil {
			answer(events.QueueTold{Fault: err.Error(), Tenants: []events.QueueTenant{}})
			return
		}
		hear(asked, answer)
	})
}

func readQuestion(body []byte) (events.QueueAsked, error) {
	var asked events.QueueAsked
	if len(body) == 0 {
		return asked, nil
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return asked, fmt.Errorf("%w: %w", events.ErrInvalidQuestion, err)
	}
	return asked, asked.Validate()
}

// answer goes to whoever asked; who asked without a reply subject wants none.
func (a *Asks) answer(ctx context.Context, msg *nats.Msg, told events.QueueTold) {
	if msg.Reply == "" {
		return
	}
	body, err := json.Marshal(told)
	if err == nil {
		err = a.bus.nc.Publish(msg.Reply, body)
	}
	if err != nil && ctx.Err() == nil {
		a.bus.config.Logger.WarnContext(ctx, "answering a question", slog.String("subject", msg.Subject), slog.Any("error", err))
	}
}
