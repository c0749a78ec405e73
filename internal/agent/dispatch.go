package agent

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/session"
)

// errand is tool calls to make. In doubt are those that an earlier owner of
// the turn may have sent.
type errand struct {
	intents []session.Intent
	inDoubt bool
}

// dispatch runs the tool calls side by side and writes down each outcome as it
// comes. The calls outlive a stop or a cancel by the loop's grace, so that what
// is under way ends with a known outcome. After a stop the rest are sent too,
// lest the next owner have them in doubt; after a cancel there is none.
func (l *Loop) dispatch(ctx, work context.Context, scope Scope, journal Journal, todo errand) error {
	turn := journal.Turn()
	calls, release := l.graceful(work)
	defer release()
	var group errgroup.Group
	group.SetLimit(parallelCalls)
	if l.testing(scope.State) {
		group.SetLimit(1) // a list's answers are given in the order of the calls
	}
	for _, intent := range todo.intents {
		group.Go(func() error {
			if _, cancelled := isCancelled(work); cancelled && !todo.inDoubt {
				return nil // it was not sent
			}
			return journal.Decide(ctx, l.attempt(calls, scope, turn, intent, todo.inDoubt))
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("writing down a tool's outcome: %w", err)
	}
	return nil
}

// attempt makes a tool call and returns its outcome, which for one that the
// session's mocks answer is decided only as it is written down.
func (l *Loop) attempt(ctx context.Context, scope Scope, turn *session.Turn, intent session.Intent, inDoubt bool) func() events.Event {
	began := l.cfg.Now()
	returned := &events.ToolReturned{Iteration: intent.Iteration, Index: intent.Index, CallID: intent.Call.ID, Name: clip(intent.Call.Name)}
	settled := func() events.Event { return told(turn, intent, returned) }
	passage, fault := l.pass(ctx, scope, turn, intent)
	if fault != nil {
		returned.Status, returned.Error = events.ToolRefused, fault
		returned.Server, returned.Tool, _ = SplitTool(returned.Name)
		return settled
	}
	returned.Server, returned.Tool, returned.Key = passage.call.Server, passage.call.Tool, passage.call.Key
	if passage.mock != "" {
		return func() events.Event { return answered(scope.State, passage.mock, *returned) }
	}
	result := l.send(ctx, passage, inDoubt)
	returned.Status, returned.Output, returned.Error, returned.Attempts = result.Status, result.Output, result.Fault, result.Attempts
	returned.ServedBy = result.Server
	returned.DurationMS = l.cfg.Now().Sub(began).Milliseconds()
	return settled
}

// send makes the call, or finds out what became of one that an earlier worker,
// or this one just now, may have made. A panic in a provider fails this call
// only.
func (l *Loop) send(ctx context.Context, passage passage, inDoubt bool) (result Result) {
	defer func() {
		if cause := recover(); cause != nil {
			result = panicked(passage.safety, cause)
		}
	}()
	if !inDoubt || passage.safety.Repeatable() {
		passage.call.InDoubt = inDoubt
		result = l.cfg.Provider.Call(ctx, passage.call)
		if result.Status != events.ToolUnknown {
			return result
		}
	}
	if found, ok := l.cfg.Provider.Lookup(ctx, passage.call); ok {
		found.Attempts = max(found.Attempts, result.Attempts)
		return found
	}
	if result.Status == events.ToolUnknown {
		return result
	}
	return Result{Status: events.ToolUnknown, Fault: &events.ToolFault{
		Code:    events.FaultOutcomeUnknown,
		Message: "an earlier try of this call was interrupted and may have had its effect; it was not sent again",
	}}
}

func panicked(safety Safety, cause any) Result {
	status := events.ToolError
	if !safety.Repeatable() {
		status = events.ToolUnknown
	}
	return Result{Status: status, Fault: &events.ToolFault{
		Code:    events.FaultPanic,
		Message: fmt.Sprintf("the provider's client broke down: %T", cause),
	}}
}

// graceful is a context that ends the loop's grace after ctx does.
func (l *Loop) graceful(ctx context.Context) (context.Context, func()) {
	calls, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	finished := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(l.cfg.Grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-finished:
		}
	})
	return calls, func() {
		stop()
		close(finished)
		cancel(nil)
	}
}
