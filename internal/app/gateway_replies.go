package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/natskv"
)

// replies keeps the gateways' answers in the broker.
type replies struct{ kept *natskv.Replies }

// Begin implements [gateway.Replies].
func (r replies) Begin(ctx context.Context, what gateway.Keyed) (gateway.ReplyClaim, *gateway.Reply, error) {
	began, err := r.kept.Begin(ctx, natskv.BeginParams{Scope: what.Scope, Key: what.Key, Body: what.Sum})
	if err != nil {
		return nil, nil, away(err, natskv.ErrInvalid)
	}
	switch began.State {
	case natskv.ReplyFresh:
		return replyClaim{began.Claim}, nil, nil
	case natskv.ReplyInProgress:
		return nil, nil, gateway.ErrKeyBusy
	case natskv.ReplyConflict:
		return nil, nil, gateway.ErrKeyConflict
	case natskv.ReplyDone:
		return nil, &gateway.Reply{Status: began.Reply.Status, Header: began.Reply.Header, Body: began.Reply.Body}, nil
	}
	return nil, nil, fmt.Errorf("an idempotency key is %q, which nobody knows", began.State)
}

// replyClaim is a claim in the broker.
type replyClaim struct{ claim *natskv.ReplyClaim }

// Finish implements [gateway.ReplyClaim]. An answer that is too large is known to
// have been given.
func (c replyClaim) Finish(ctx context.Context, reply gateway.Reply) error {
	err := c.claim.Finish(ctx, natskv.Reply{Status: reply.Status, Header: reply.Header, Body: reply.Body})
	if errors.Is(err, natskv.ErrReplyTooLarge) {
		return nil
	}
	return err
}

// Abandon implements [gateway.ReplyClaim].
func (c replyClaim) Abandon(ctx context.Context) error { return c.claim.Abandon(ctx) }
