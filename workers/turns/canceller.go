package turns

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/session"
)

// firstLook is how soon a canceller looks whether its order was carried out; it
// then waits twice as long each time, up to the time between two orders.
const firstLook = 20 * time.Millisecond

// CancellerConfig is what a canceller is made of.
type CancellerConfig struct {
	Ender    *Ender
	Commands Commands
	// Repeat is how often the order is given again to whoever runs the request.
	// Defaults to 500 ms.
	Repeat time.Duration
}

// Canceller ends requests as cancelled, whether they wait or run.
//
//	not started:  ending into the log ──► request removed ──► order (the scheduler forgets it)
//	                 │ lost to turn.started
//	started:      order ──► its worker ends it ──► found ended
//	                 ▲ again │ nobody has yet
//
// It is safe for concurrent use.
type Canceller struct{ cfg CancellerConfig }

// NewCanceller makes a canceller. It returns an error when a port is missing.
func NewCanceller(cfg CancellerConfig) (*Canceller, error) {
	if cfg.Ender == nil || cfg.Commands == nil {
		return nil, errors.New("turns: ender and commands are needed")
	}
	if cfg.Repeat == 0 {
		cfg.Repeat = 500 * time.Millisecond
	}
	return &Canceller{cfg: cfg}, nil
}

// Cancel ends one request and returns the status that it has ended with: it may
// have completed before the order came; empty means that it is gone and its log
// does not say how. It
// blocks until the request has ended or ctx does: then the request has started
// and nobody has ended it, and only its worker, or the next one, can.
func (c *Canceller) Cancel(ctx context.Context, head events.RequestHead, reason string) (events.TurnStatus, error) {
	end := events.TurnCompleted{Status: events.TurnCancelled, Reason: events.ReasonCancelled, Detail: detailOf(reason)}
	order := events.Control{Action: events.ActionCancel, Request: head.ID, Sequence: head.Sequence, Reason: end.Detail}
	var ordered time.Time
	for pause := firstLook; ; pause = min(2*pause, c.cfg.Repeat) {
		status, err := c.end(ctx, head, end)
		switch {
		case ctx.Err() != nil && err != nil:
			return "", unheard(ctx, head)
		case err != nil && !errors.Is(err, session.ErrStarted):
			return "", err
		}
		if over := err == nil; over || time.Since(ordered) >= c.cfg.Repeat {
			if err := c.cfg.Commands.Control(head.Tenant, head.Session, order); err != nil && !over {
				return "", fmt.Errorf("ordering the end of request %s: %w", head.ID, err)
			}
			ordered = time.Now()
			if over {
				return status, nil // a scheduler that did not hear finds the request gone when it grants it
			}
		}
		if !lifecycle.Pause(ctx, pause) {
			return "", unheard(ctx, head)
		}
	}
}

// end ends the request, or tells how the worker has ended it, which leaves no
// request behind.
func (c *Canceller) end(ctx context.Context, head events.RequestHead, end events.TurnCompleted) (events.TurnStatus, error) {
	status, err := c.cfg.Ender.End(ctx, head.Sequence, end)
	if err != nil || status != "" {
		return status, err
	}
	return c.cfg.Ender.ended(ctx, head)
}

func unheard(ctx context.Context, head events.RequestHead) error {
	return fmt.Errorf("request %s of session %s has not ended: if it has started, only the worker that runs it can end it, and none did: %w",
		head.ID, head.Session, context.Cause(ctx))
}
