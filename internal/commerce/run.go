package commerce

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// run is one call of a meta-tool at work. It belongs to one goroutine.
type run struct {
	market *Market
	call   agent.Call
	tool   *metaTool
	// deeds are the effects so far, each a clause: "customer cus_1 was created".
	deeds    []string
	attempts int
	// server is where a step with an effect was laid out for.
	server string
}

// step is one call of a server's tool within a recipe.
type step struct {
	// name tells the step from the others of its recipe: it goes into its key.
	name         string
	server, tool string
	arguments    object
	// did is the effect as a clause, of the step's answer; nil for a step that
	// only reads.
	did func(made object) string
	// proof looks for evidence that a step whose outcome is unknown had its
	// effect. That there is none proves nothing.
	proof func(ctx context.Context) (object, bool)
}

// haltError ends a recipe with a result that is not good.
type haltError struct {
	result agent.Result
	// conclusive is set where the result is a provider's word on an effect, which
	// holds for the earlier tries of the step as well.
	conclusive bool
}

// Error implements error.
func (e *haltError) Error() string { return e.result.Fault.Message }

// do makes a step, and finds out what became of one whose outcome is unknown.
func (r *run) do(ctx context.Context, s step) (object, error) {
	call, safety, err := r.lay(ctx, s)
	if err != nil {
		return nil, err
	}
	result := r.send(ctx, s, call, safety)
	return r.settle(s, safety, result)
}

// recall finds out what became of the step that an earlier owner of the call
// may have made, where it cannot simply be made again. It comes first in a
// recipe: what the step's arguments were worked out from then may be otherwise
// now, and the effect is found by its key whatever they were. Made is false
// when nothing is in doubt, or the step can be made again in its turn.
func (r *run) recall(ctx context.Context, s step) (answer object, made bool, err error) {
	if !r.call.InDoubt {
		return nil, false, nil
	}
	call, safety, err := r.lay(ctx, s)
	if err != nil || safety.Repeatable() {
		return nil, false, err
	}
	answer, err = r.settle(s, safety, r.send(ctx, s, call, safety))
	return answer, true, err
}

// reads says that what is asked for changes nothing, so that nothing of it can
// be in doubt.
func (r *run) reads() { r.call.InDoubt = false }

// lay holds a step against the walls that every call has, and gives it a key of
// its own: the same for every try of the whole.
func (r *run) lay(ctx context.Context, s step) (agent.Call, agent.Safety, error) {
	call := r.call
	call.Server, call.Tool, call.Key = s.server, s.tool, stepKey(r.call.Key, s.name)
	if s.server == agent.OwnServer || !call.Reach.Has(s.server) {
		return call, "", r.fail(s, refusal(events.FaultServerNotInSession, "server "+s.server+" is not connected to this session"))
	}
	safety, known := r.market.cfg.Catalogue.Safety(ctx, call.Reach, s.server, s.tool)
	if !known {
		return call, "", r.fail(s, refusal(events.FaultUnknownTool, "there is no such tool"))
	}
	if safety != agent.SafetyRead {
		r.server = s.server
	}
	arguments, err := encode(s.arguments)
	if err != nil {
		return call, "", fmt.Errorf("writing the arguments of %s: %w", s.name, err)
	}
	call.Arguments = arguments
	return call, safety, nil
}

// send is the loop's own rule for one step: a call in doubt is made again where
// that is harmless, and looked up where not.
func (r *run) send(ctx context.Context, s step, call agent.Call, safety agent.Safety) agent.Result {
	result := unknown("an earlier try of it was interrupted and may have had its effect; it was not sent again")
	if !call.InDoubt || safety.Repeatable() {
		result = r.guarded(ctx, call, safety)
		r.attempts = max(r.attempts, result.Attempts)
	}
	if result.Status != events.ToolUnknown {
		return result
	}
	if found, ok := r.market.cfg.Provider.Lookup(ctx, call); ok {
		return found
	}
	if s.proof == nil {
		return result
	}
	if made, ok := s.proof(ctx); ok {
		if text, err := encode(made); err == nil {
			return agent.Result{Status: events.ToolOK, Output: string(text)}
		}
	}
	return result
}

// guarded makes the call. That a provider's client broke down says nothing of
// what it had done by then.
func (r *run) guarded(ctx context.Context, call agent.Call, safety agent.Safety) (result agent.Result) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		result = unknown(fmt.Sprintf("the provider's client broke down: %T", cause))
		if safety == agent.SafetyRead {
			result.Status, result.Fault.Code = events.ToolError, events.FaultPanic
		}
	}()
	return r.market.cfg.Provider.Call(ctx, call)
}

// settle turns a step's result into its answer, or into the end of the recipe.
func (r *run) settle(s step, safety agent.Safety, result agent.Result) (object, error) {
	reads := safety == agent.SafetyRead
	if result.Status != events.ToolOK {
		halt := r.fail(s, result)
		halt.conclusive = !reads
		return nil, halt
	}
	answer, err := parse(result.Output)
	switch {
	case err == nil:
	case reads:
		return nil, r.fail(s, agent.Result{Status: events.ToolError, Fault: &events.ToolFault{Code: events.FaultProviderError, Message: "its answer cannot be read"}})
	default:
		return nil, r.fail(s, unknown("it had its effect, and its answer cannot be read"))
	}
	if s.did != nil {
		r.deeds = append(r.deeds, s.did(answer))
	}
	return answer, nil
}

// fail ends the recipe at a step. What was done before it is said: somebody
// has to decide what becomes of it.
func (r *run) fail(s step, result agent.Result) *haltError {
	fault := *result.Fault
	fault.Message = r.tool.name + " stopped at step " + s.name + " (" + agent.ToolName(s.server, s.tool) + "): " + fault.Message + r.before()
	result.Fault, result.Output = &fault, ""
	if len(r.deeds) > 0 && result.Status == events.ToolRefused {
		result.Status = events.ToolError // something was sent
	}
	return &haltError{result: result}
}

// failed ends the recipe at a step that went well and answered what the rest
// cannot go on from.
func (r *run) failed(s step, message string) error {
	return r.fail(s, agent.Result{Status: events.ToolError, Fault: &events.ToolFault{Code: events.FaultProviderError, Message: message}})
}

func (r *run) before() string {
	if len(r.deeds) == 0 {
		return ""
	}
	return "; before that, " + strings.Join(r.deeds, ", ")
}

// refuse ends a recipe that has sent nothing, with a word on why it cannot do
// what is asked.
func (r *run) refuse(code, format string, args ...any) error {
	return &haltError{result: refusal(code, fmt.Sprintf(format, args...))}
}

// ended is the result of the whole. Of a call in doubt only what is conclusive
// is told as it is: that the call cannot be made now says nothing of the try
// before, when a wall, a route or an answer may have been another one.
func (r *run) ended(output string, err error) agent.Result {
	if err == nil {
		return agent.Result{Server: r.server, Status: events.ToolOK, Output: output, Attempts: r.attempts}
	}
	result := agent.Result{Status: events.ToolError, Fault: &events.ToolFault{Code: events.FaultProviderError, Message: err.Error() + r.before()}}
	conclusive := false
	var halt *haltError
	var wrong *argumentError
	switch {
	case errors.As(err, &halt):
		result, conclusive = halt.result, halt.conclusive
	case errors.As(err, &wrong) && len(r.deeds) == 0:
		result = refusal(events.FaultInvalidArguments, wrong.Error())
	}
	if r.call.InDoubt && !conclusive && result.Status != events.ToolUnknown {
		result = unknown("an earlier try of the call may have had its effect; now: " + result.Fault.Message)
	}
	result.Server, result.Attempts = r.server, max(result.Attempts, r.attempts)
	return result
}

func unknown(message string) agent.Result {
	return agent.Result{Status: events.ToolUnknown, Fault: &events.ToolFault{Code: events.FaultOutcomeUnknown, Message: message}}
}

// stepKey is the idempotency key of one step of a call: it follows from the
// call's own, so that every try of the call has the same, and no two steps share
// one. It has the form and length of a call's.
func stepKey(key, name string) string {
	hash := sha256.New()
	for _, part := range []string{"feira/step/v1", key, name} {
		_, _ = io.WriteString(hash, strconv.Itoa(len(part))+":"+part) // a hash takes every write
	}
	return "feira_" + hex.EncodeToString(hash.Sum(nil)[:20])
}
