package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/bus"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// Sent is a request that the broker has taken, and its ending once waited for.
type Sent struct {
	Tenant   events.TenantID       `json:"tenant"`
	Session  events.SessionID      `json:"session"`
	Request  events.RequestID      `json:"request"`
	Sequence uint64                `json:"sequence"`
	Ending   *events.TurnCompleted `json:"ending,omitempty"`
}

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
	sequence, err := broker.Requests().Publish(ctx, message)
	if err != nil {
		return Sent{}, err
	}
	sent := identify(message, sequence)
	if detach {
		return sent, nil
	}
	sent.Ending, err = o.await(ctx, broker, sent, hear)
	return sent, err
}

// identify tells which session and request the broker's sequence stands for.
func identify(message events.Message, sequence uint64) Sent {
	message.Sequence = sequence
	head, _ := events.ParseRequestHead(message, len(message.Data)) // NewRequest has checked it
	return Sent{Tenant: head.Tenant, Session: head.Session, Request: head.ID, Sequence: sequence}
}

// await hears a request's events until its ending. They are read from the
// session's beginning: the request may be an old one, sent again, and which
// session it is of was not known before it was sent.
func (o *Operator) await(ctx context.Context, broker *bus.Bus, sent Sent, hear func(events.Record)) (*events.TurnCompleted, error) {
	hub, err := waits.New(ctx, waits.Config{Feed: broker.Feed(), Log: broker.Log(), Logger: o.kit.log})
	if err != nil {
		return nil, err
	}
	defer hub.Close()
	turn, err := hub.Turn(ctx, waits.TurnParams{Tenant: sent.Tenant, Session: sent.Session, Request: sent.Request})
	if err != nil {
		return nil, err
	}
	defer turn.Close()
	for {
		item, err := turn.Next(ctx)
		if errors.Is(err, io.EOF) {
			return turn.Outcome().Ending, nil
		}
		if err != nil {
			return nil, fmt.Errorf("waiting for request %s: %w", sent.Request, err)
		}
		if hear != nil {
			hear(*item.Record)
		}
	}
}
