package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
)

// Sent is a request that the broker has taken, and its ending once waited for.
type Sent struct {
	Tenant   events.TenantID       `json:"tenant"`
	Session  events.SessionID      `json:"session"`
	Request  events.RequestID      `json:"request"`
	Sequence uint64                `json:"sequence"`
	Ending   *events.TurnCompleted `json:"ending,omitempty"`
}

// feedGap is how long a wait trusts the feed, which may have lost something in
// a reconnect, before it reads the log itself.
const feedGap = 2 * time.Second

// Send publishes a request as any producer would, and, unless detach is set,
// waits for its ending. hear, when not nil, is told the request's events on
// the way.
func (o *Operator) Send(ctx context.Context, params events.RequestParams, request events.Request, detach bool, hear func(events.Record)) (Sent, error) {
	message, err := events.NewRequest(params, request)
	if err != nil {
		return Sent{}, err
	}
	customer, err := o.Tenant(ctx, params.Tenant)
	if err != nil {
		return Sent{}, err
	}
	broker, err := o.kit.broker(ctx)
	if err != nil {
		return Sent{}, err
	}
	if err := broker.Requests().Room(ctx, customer.ID, customer.Backlog); err != nil {
		return Sent{}, err
	}
	feed := make(chan events.Record, 256)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !detach {
		err := broker.Feed().Subscribe(ctx, params.Tenant, params.Session, func(record events.Record) {
			select {
			case feed <- record:
			case <-ctx.Done():
			}
		})
		if err != nil {
			return Sent{}, fmt.Errorf("listening to the feed: %w", err)
		}
	}
	sequence, err := broker.Requests().Publish(ctx, message)
	if err != nil {
		return Sent{}, err
	}
	sent := identify(message, sequence)
	if detach {
		return sent, nil
	}
	w := wait{log: broker.Log(), sent: sent, hear: hear, heard: make(map[uint64]bool)}
	sent.Ending, err = w.run(ctx, feed)
	return sent, err
}

// identify tells which session and request the broker's sequence stands for.
func identify(message events.Message, sequence uint64) Sent {
	message.Sequence = sequence
	head, _ := events.ParseRequestHead(message, len(message.Data)) // NewRequest has checked it
	return Sent{Tenant: head.Tenant, Session: head.Session, Request: head.ID, Sequence: sequence}
}

// wait hears a request's events, each once, until its ending.
type wait struct {
	log  *bus.Log
	sent Sent
	hear func(events.Record)
	// heard holds the sequences of the events that were taken; read is how far
	// the log itself was read, which may find what the feed lost.
	heard map[uint64]bool
	read  uint64
}

func (w *wait) run(ctx context.Context, feed <-chan events.Record) (*events.TurnCompleted, error) {
	look := time.NewTicker(feedGap)
	defer look.Stop()
	for {
		var records []events.Record
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for request %s: %w", w.sent.Request, context.Cause(ctx))
		case record := <-feed:
			if record.Session == w.sent.Session {
				records = []events.Record{record}
			}
		case <-look.C:
			found, err := w.log.Read(ctx, w.sent.Tenant, w.sent.Session, w.read)
			if err != nil && !errors.Is(err, context.Canceled) {
				return nil, err
			}
			records = found
			if len(found) > 0 {
				w.read = found[len(found)-1].Sequence
			}
		}
		for _, record := range records {
			if end := w.take(record); end != nil {
				return end, nil
			}
		}
	}
}

func (w *wait) take(record events.Record) *events.TurnCompleted {
	if record.Request != w.sent.Request || w.heard[record.Sequence] {
		return nil
	}
	w.heard[record.Sequence] = true
	if w.hear != nil {
		w.hear(record)
	}
	end, _ := record.Event.(*events.TurnCompleted)
	return end
}
