package turns

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/mock"
	"github.com/feira-dev/feira/internal/session"
)

// keptLetter is the largest body that a dead letter keeps.
const keptLetter = 128 << 10

// refusal says why a request is not run.
type refusal struct{ reason, detail string }

func refusalOf(err error) refusal {
	if why, ok := mock.As(err); ok {
		return refusal{why.Code, detailOf(why.Error())}
	}
	if errors.Is(err, events.ErrTooLarge) {
		return refusal{events.ReasonTooLarge, err.Error()}
	}
	return refusal{events.ReasonInvalidRequest, err.Error()}
}

// refuse ends a request that cannot be run: a dead letter, and then a
// turn.completed in the session that the request named or that follows from its
// sequence.
func (w *Worker) refuse(ctx context.Context, head events.RequestHead, message events.Message, why refusal) error {
	w.cfg.Logger.WarnContext(ctx, "refusing a request", "tenant", head.Tenant, "sequence", head.Sequence, "reason", why.reason, "detail", why.detail)
	if err := bury(ctx, w.cfg.Cemetery, head.Tenant, letterOf(message, why, 1)); err != nil {
		return err
	}
	return w.reject(ctx, head, events.TurnRejected, why)
}

// giveUp ends a run that was handed out too often. It folds nothing,
// for what it would fold may be what broke the workers, until the dead letter
// is stored.
func (w *Worker) giveUp(ctx context.Context, run events.Run, deliveries int) error {
	why := refusal{events.ReasonTooManyDeliveries, "the run was handed out " + strconv.Itoa(deliveries-1) + " times without an ending"}
	w.cfg.Logger.ErrorContext(ctx, "giving up a run", "tenant", run.Tenant, "sequence", run.Sequence, "deliveries", deliveries)
	message, found, err := w.cfg.Requests.Read(ctx, run.Sequence)
	if err != nil {
		return fmt.Errorf("reading request %d: %w", run.Sequence, err)
	}
	if !found {
		return nil
	}
	// A fault of the head is no matter here: it names the request all the same.
	head, _ := events.ParseRequestHead(message, len(message.Data))
	if err := bury(ctx, w.cfg.Cemetery, head.Tenant, letterOf(message, why, deliveries-1)); err != nil {
		return err
	}
	return w.reject(ctx, head, events.TurnFailed, why)
}

func bury(ctx context.Context, cemetery Cemetery, tenant events.TenantID, letter events.LetterDied) error {
	if err := cemetery.Bury(ctx, tenant, letter); err != nil {
		return fmt.Errorf("burying request %d: %w", letter.Sequence, err)
	}
	return nil
}

func letterOf(message events.Message, why refusal, deliveries int) events.LetterDied {
	letter := events.LetterDied{
		Stream: events.StreamRequests, Sequence: message.Sequence, Subject: message.Subject,
		Reason: why.reason, Detail: why.detail, Header: message.Header,
		Size: len(message.Data), Deliveries: deliveries,
	}
	if len(message.Data) <= keptLetter {
		letter.Data = message.Data
	}
	return letter
}

// reject writes the ending, unless the log has one. A log that cannot be folded
// is left as it is: the dead letter names the request.
func (w *Worker) reject(ctx context.Context, head events.RequestHead, status events.TurnStatus, why refusal) error {
	state := session.New(head.Tenant, head.Session)
	records, err := w.cfg.Log.Read(ctx, head.Tenant, head.Session, 0)
	if err != nil {
		return fmt.Errorf("reading session %s: %w", head.Session, err)
	}
	if err := state.ApplyAll(records); err != nil {
		w.cfg.Logger.ErrorContext(ctx, "a session's log cannot be folded", "tenant", head.Tenant, "session", head.Session, "error", err)
		return nil
	}
	if _, ended := state.Ended(head.ID); ended {
		return nil
	}
	pages := w.journal(state, head)
	if turn, ok := state.Turn(head.ID); ok {
		pages.owner = turn.Worker
	}
	end := &events.TurnCompleted{RequestSequence: head.Sequence, Status: status, Reason: why.reason, Detail: why.detail}
	if err := pages.Append(ctx, end); err != nil {
		return fmt.Errorf("rejecting request %s: %w", head.ID, err)
	}
	return nil
}
