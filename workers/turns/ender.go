package turns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/session"
)

// EnderConfig is what an ender is made of.
type EnderConfig struct {
	Requests Removable
	Log      Log
	Cemetery Cemetery
	Logger   *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Ender ends requests that have not started, without running them. Whoever may
// write into the log may have one: the fence decides between it and a worker
// that starts the request at the same moment. It is safe for concurrent use.
type Ender struct{ cfg EnderConfig }

// NewEnder makes an ender. It returns an error when a port is missing.
func NewEnder(cfg EnderConfig) (*Ender, error) {
	if cfg.Requests == nil || cfg.Log == nil || cfg.Cemetery == nil || cfg.Logger == nil {
		return nil, errors.New("turns: requests, log, cemetery and logger are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Ender{cfg: cfg}, nil
}

// End gives a request its ending, of which the caller sets status, reason and
// detail, and takes it out of REQUESTS; a rejected one leaves a dead letter. It
// returns the status that the request has ended with, which is another's where
// somebody else was first, and empty where the request is gone. It fails with
// session.ErrStarted when the request has begun. It may be called again.
func (e *Ender) End(ctx context.Context, sequence uint64, end events.TurnCompleted) (events.TurnStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, appendTime)
	defer cancel()
	message, found, err := e.cfg.Requests.Read(ctx, sequence)
	if err != nil {
		return "", fmt.Errorf("reading request %d: %w", sequence, err)
	}
	if !found {
		return "", nil
	}
	end.RequestSequence = sequence
	status, err := e.write(ctx, message, &end)
	if err != nil {
		return "", err
	}
	if err := e.cfg.Requests.Remove(ctx, sequence); err != nil {
		return "", fmt.Errorf("removing request %d: %w", sequence, err)
	}
	return status, nil
}

// write puts the ending into the session's log unless the request has started
// or ended there. A log that cannot be folded is left as it is, with a dead
// letter that names the request, as a worker would leave it.
func (e *Ender) write(ctx context.Context, message events.Message, end *events.TurnCompleted) (events.TurnStatus, error) {
	// A fault of the head is no matter here: it names the request all the same.
	head, _ := events.ParseRequestHead(message, len(message.Data))
	state := session.New(head.Tenant, head.Session)
	records, err := e.cfg.Log.Read(ctx, head.Tenant, head.Session, 0)
	if err != nil {
		return "", fmt.Errorf("reading session %s: %w", head.Session, err)
	}
	if err := state.ApplyAll(records); err != nil {
		e.cfg.Logger.ErrorContext(ctx, "a session's log cannot be folded", "tenant", head.Tenant, "session", head.Session, "error", err)
		return "", bury(ctx, e.cfg.Cemetery, head.Tenant, letterOf(message, refusal{events.ReasonLogUnreadable, err.Error()}, 0))
	}
	if status, ended := state.Ended(head.ID); ended {
		return status, nil
	}
	if _, started := state.Turn(head.ID); started {
		return "", fmt.Errorf("ending request %s: %w", head.ID, session.ErrStarted)
	}
	if end.Status == events.TurnRejected {
		if err := bury(ctx, e.cfg.Cemetery, head.Tenant, letterOf(message, refusal{end.Reason, end.Detail}, 0)); err != nil {
			return "", err
		}
	}
	pages := &journal{log: e.cfg.Log, now: e.cfg.Now, request: head.ID, trace: head.Trace, state: state}
	switch err := pages.write(ctx, func() events.Event { return end }); {
	case errors.Is(err, outcome.ErrFenced):
		return "", fmt.Errorf("ending request %s: %w", head.ID, session.ErrStarted)
	case err != nil && !errors.Is(err, errEnded):
		return "", fmt.Errorf("ending request %s: %w", head.ID, err)
	}
	status, _ := state.Ended(head.ID)
	return status, nil
}

// ended looks up how a request has ended; empty when its log does not say.
func (e *Ender) ended(ctx context.Context, head events.RequestHead) (events.TurnStatus, error) {
	state := session.New(head.Tenant, head.Session)
	records, err := e.cfg.Log.Read(ctx, head.Tenant, head.Session, 0)
	if err != nil {
		return "", fmt.Errorf("reading session %s: %w", head.Session, err)
	}
	if state.ApplyAll(records) != nil {
		return "", nil // a dead letter has told of it
	}
	status, _ := state.Ended(head.ID)
	return status, nil
}
