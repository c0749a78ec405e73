package agent

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// Journal is where a turn is written down as it goes.
type Journal interface {
	// Turn is the turn as folded so far. It is read only while no Append is
	// under way.
	Turn() *session.Turn
	// Append stores a fact of the turn and folds it in. It is safe for
	// concurrent use, and fails when a newer owner has taken the turn over.
	Append(ctx context.Context, event events.Event) error
	// Decide is Append for a fact that depends on the session's others. At each
	// try it calls decide, which may read the session's state and is to give one
	// fact: what is stored was decided from all that stands before it in the log.
	Decide(ctx context.Context, decide func() events.Event) error
}

// Config is what a loop is made of.
type Config struct {
	Model     Model
	Catalogue Catalogue
	Provider  Provider
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// TestMode answers every tool call of environment test from the session's
	// mocks, which a session may be without: nothing of it reaches a provider.
	TestMode bool
	// Grace is how long tool calls under way may go on after a stop. Defaults to 5 s.
	Grace time.Duration
	// OnDelta, when set, hears the model's text as it arrives, from the turn's
	// goroutine. A text may come again when a broken stream is begun anew; the
	// journal holds the truth. Where it is nil, models are asked for whole replies.
	OnDelta func(Delta)
}

// Delta is text of a reply as it arrives.
type Delta struct {
	Tenant    events.TenantID
	Session   session.ID
	Request   events.RequestID
	Iteration int
	Text      string
	// Over is set, without a text, when no more of the reply comes and before it
	// is written down.
	Over bool
}

// Loop runs turns. It is safe for concurrent use.
type Loop struct{ cfg Config }

// Scope is what a turn runs in: its tenant as configured now, and its session.
type Scope struct {
	Tenant tenant.Tenant
	State  *session.State
}

// errWallTime is the cause of a turn's context that ended by its wall time.
var errWallTime = errors.New("the turn's wall time is used up")

// New makes a loop. It returns an error when a port is missing.
func New(cfg Config) (*Loop, error) {
	if cfg.Model == nil || cfg.Catalogue == nil || cfg.Provider == nil {
		return nil, errors.New("agent: model, catalogue and provider are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Grace == 0 {
		cfg.Grace = 5 * time.Second
	}
	return &Loop{cfg: cfg}, nil
}

// Run takes the journal's turn from its last fact to its end and returns that
// end, which the caller writes down. An error means that the turn has not
// ended: the work was stopped, fenced off, or met a passing fault. A context
// that ends by a [CancelledError] ends the turn, once the outcomes of the calls
// that were sent are written down.
func (l *Loop) Run(ctx context.Context, scope Scope, journal Journal) (*events.TurnCompleted, error) {
	limits := LimitsOf(scope.Tenant.Bounds())
	turn := journal.Turn()
	left := turn.Started.Add(limits.WallTime).Sub(l.cfg.Now())
	work, cancel := context.WithTimeoutCause(ctx, left, errWallTime)
	defer cancel()
	// What stands in the journal before this run has begun was written by an
	// earlier owner: its calls may have been sent.
	inDoubt := turn.Attempt > 1
	for {
		if intents := turn.Intents(); len(intents) > 0 {
			if turn.ToolCalls()+len(intents) > limits.ToolCalls {
				return l.failed(turn, events.ReasonToolCalls, "the turn may make "+strconv.Itoa(limits.ToolCalls)+" tool calls and asks for more"), nil
			}
			if err := l.dispatch(ctx, work, scope, journal, errand{intents: intents, inDoubt: inDoubt}); err != nil {
				return nil, err
			}
		}
		inDoubt = false
		// Calls that were not sent by then are not sent any more.
		if order, ok := isCancelled(work); ok && len(turn.Intents()) > 0 {
			return l.cancelled(turn, order), nil
		}
		if end := l.end(turn, limits); end != nil {
			return end, nil
		}
		if end, err := l.reply(ctx, work, scope, journal); end != nil || err != nil {
			return end, err
		}
	}
}

// end is how the turn ends at this point, nil while it goes on.
func (l *Loop) end(turn *session.Turn, limits Limits) *events.TurnCompleted {
	if turn.Kind == events.KindCall {
		return l.endCall(turn)
	}
	if len(turn.Steps) > 0 {
		last := turn.Steps[len(turn.Steps)-1].Reply
		if len(last.ToolCalls) == 0 {
			end := l.ending(turn, events.TurnCompletedOK)
			end.Message = last.Text
			return end
		}
	}
	switch {
	case turn.Iterations() >= limits.Iterations:
		return l.failed(turn, events.ReasonIterations, "the turn used up its "+strconv.Itoa(limits.Iterations)+" iterations")
	case turn.Usage.Total() >= limits.Tokens:
		return l.failed(turn, events.ReasonTokens, "the turn used up its "+strconv.FormatInt(limits.Tokens, 10)+" tokens")
	case !l.cfg.Now().Before(turn.Started.Add(limits.WallTime)):
		return l.failed(turn, events.ReasonWallTime, "the turn used up its "+limits.WallTime.String())
	}
	return nil
}

func (l *Loop) endCall(turn *session.Turn) *events.TurnCompleted {
	returned := turn.Steps[0].Returned[0]
	if returned == nil {
		return l.failed(turn, events.ReasonInvalidRequest, "the call names no tool")
	}
	switch returned.Status {
	case events.ToolOK:
		end := l.ending(turn, events.TurnCompletedOK)
		end.Message = returned.Output
		return end
	case events.ToolRefused:
		end := l.failed(turn, returned.Error.Code, returned.Error.Message)
		end.Status = events.TurnRejected
		return end
	case events.ToolError, events.ToolUnknown:
	}
	return l.failed(turn, returned.Error.Code, returned.Error.Message)
}

// reply buys one reply and writes it down. It returns an ending when the model
// cannot be used, an error when the turn is to go on later.
func (l *Loop) reply(ctx, work context.Context, scope Scope, journal Journal) (*events.TurnCompleted, error) {
	turn := journal.Turn()
	if work.Err() != nil {
		return l.interrupted(work, turn)
	}
	began := l.cfg.Now()
	onDelta, over := l.deltas(scope, turn)
	reply, err := l.cfg.Model.Reply(work, l.prompt(work, scope, turn), onDelta)
	over()
	if err == nil {
		err = tame(&reply)
	}
	switch {
	case err == nil:
	case work.Err() != nil:
		return l.interrupted(work, turn)
	case errors.Is(err, ErrModelGarbage):
		return l.failed(turn, events.ReasonModelGarbage, err.Error()), nil
	case errors.Is(err, ErrModelRefused):
		return l.failed(turn, events.ReasonModelFailed, err.Error()), nil
	default:
		return nil, fmt.Errorf("asking the model: %w", err)
	}
	replied := &events.ModelReplied{
		Iteration: turn.Iterations() + 1, Model: reply.Model, Text: reply.Text, ToolCalls: reply.ToolCalls,
		FinishReason: reply.FinishReason, Usage: reply.Usage, DurationMS: l.cfg.Now().Sub(began).Milliseconds(),
	}
	err = journal.Append(ctx, replied)
	if errors.Is(err, events.ErrTooLarge) || errors.Is(err, events.ErrInvalidEvent) {
		return l.failed(turn, events.ReasonModelGarbage, err.Error()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("writing down the model's reply: %w", err)
	}
	return nil, nil
}

func (l *Loop) interrupted(work context.Context, turn *session.Turn) (*events.TurnCompleted, error) {
	if order, ok := isCancelled(work); ok {
		return l.cancelled(turn, order), nil
	}
	cause := context.Cause(work)
	if errors.Is(cause, errWallTime) {
		return l.failed(turn, events.ReasonWallTime, cause.Error()), nil
	}
	return nil, cause
}

// deltas is what hears a reply's text, nil when nobody does, and what is called
// once it is over.
func (l *Loop) deltas(scope Scope, turn *session.Turn) (onDelta func(string), over func()) {
	if l.cfg.OnDelta == nil {
		return nil, func() {}
	}
	delta := Delta{Tenant: scope.State.Tenant, Session: scope.State.ID, Request: turn.Request, Iteration: turn.Iterations() + 1}
	return func(text string) {
			told := delta
			told.Text = text
			l.cfg.OnDelta(told)
		}, func() {
			told := delta
			told.Over = true
			l.cfg.OnDelta(told)
		}
}

func (l *Loop) cancelled(turn *session.Turn, order *CancelledError) *events.TurnCompleted {
	end := l.ending(turn, events.TurnCancelled)
	end.Reason, end.Detail = events.ReasonCancelled, order.Detail
	return end
}

func (l *Loop) failed(turn *session.Turn, reason, detail string) *events.TurnCompleted {
	end := l.ending(turn, events.TurnFailed)
	end.Reason, end.Detail = reason, detail
	return end
}

func (l *Loop) ending(turn *session.Turn, status events.TurnStatus) *events.TurnCompleted {
	return &events.TurnCompleted{
		RequestSequence: turn.Sequence, Status: status,
		Iterations: turn.Iterations(), ToolCalls: turn.ToolCalls(), Usage: turn.Usage,
		DurationMS: l.cfg.Now().Sub(turn.Started).Milliseconds(),
	}
}
