package mcp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
)

// saysOf is what a call says of the server, for the breaker. Refusals and
// errors of tools are signs of life.
func (r reply) saysOf(ctx context.Context) error {
	switch {
	case r.err == nil, protocolError(r) != nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(r.err, errCommand), errors.Is(r.err, errPlain), egress.Prohibited(r.failure()):
		return egress.ErrNoWord
	case r.wire.status == http.StatusTooManyRequests, r.crowded():
		return egress.ErrNoWord
	case r.wire.tooLarge, r.wire.status >= 200 && r.wire.status < 500 && r.wire.err == nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil
	default:
		return egress.ErrTrouble
	}
}

func (r reply) crowded() bool {
	_, held := errors.AsType[*egress.HeldError](r.err)
	return held
}

// protocolError is the server's own word in the protocol; nil when the error is
// of the wire, or of the SDK, whose errors are of the same kind.
func protocolError(r reply) *jsonrpc.Error {
	fault, ok := errors.AsType[*jsonrpc.Error](r.err)
	if !ok || r.wire.tooLarge || r.wire.err != nil || errors.Is(r.err, sdk.ErrConnectionClosed) || slices.Contains([]int64{-32003, -32004, -32005}, fault.Code) {
		return nil
	}
	return fault
}

// failure is the error of the wire where there is one: it says more.
func (r reply) failure() error {
	if r.wire.err != nil {
		return r.wire.err
	}
	return r.err
}

// judge reads a call that was made in a session.
func (c *Client) judge(e errand, got reply) agent.Result {
	name := e.to.key.Server
	if got.err == nil {
		return c.judgeResult(e, got)
	}
	fault := protocolError(got)
	if fault != nil && got.wire.status < 400 {
		return e.judgeError(fault)
	}
	switch status := got.wire.status; {
	case got.wire.tooLarge:
		result := failure(events.FaultResultTooLarge, name+" answered with more than "+strconv.Itoa(c.config.MaxResponse)+" bytes")
		return e.unless(result, "; the call had its effect")
	case !got.wire.sent && timedOut(got.err):
		return e.settled(failure(events.FaultProviderTimeout, name+" did not take the connection in time; nothing was sent"))
	case !got.wire.sent:
		return e.settled(c.unreached(name, got.failure()))
	case status == http.StatusTooManyRequests:
		return e.settled(failure(events.FaultProviderLimited, name+" asks to be left alone (429)"+egress.TryAgain(got.pause(c.config.Now()))))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return e.settled(failure(events.FaultProviderError, name+" refuses the credential ("+strconv.Itoa(status)+")"))
	case status >= 300 && status <= 399:
		return e.doubted(failure(events.FaultProviderError, name+" answered with a redirect, which is not followed ("+strconv.Itoa(status)+")"))
	case status >= 400 && status <= 499:
		message := name + " answered " + strconv.Itoa(status)
		if fault != nil {
			message += ": " + said(e.to.scrubber(), fault.Message)
		}
		return e.settled(failure(events.FaultProviderError, message))
	case status >= 500:
		return e.doubted(failure(events.FaultProviderError, name+" answered "+strconv.Itoa(status)))
	case timedOut(got.err):
		return e.doubted(failure(events.FaultProviderTimeout, name+" did not answer in time"))
	default:
		return e.doubted(failure(events.FaultProviderError, name+" broke the connection off before its answer was complete"))
	}
}

// judgeResult reads what the tool itself answered.
func (c *Client) judgeResult(e errand, got reply) agent.Result {
	output := c.outputOf(e.to, got.result)
	switch {
	case len(got.result.InputRequests) > 0:
		return failure(events.FaultProviderError, e.to.key.Server+" asks for something that it is not given: the model's or a person's answer")
	case got.result.IsError:
		message := e.to.key.Server + " says: " + said(e.to.scrubber(), output)
		return failure(events.FaultProviderError, message)
	case !e.tool.promised(got.result):
		result := failure(events.FaultProviderError, e.to.key.Server+" answered with something other than what its own schema of the answer says")
		return e.unless(result, "; the call had its effect")
	default:
		return agent.Result{Status: events.ToolOK, Output: output}
	}
}

// judgeError reads an error of the protocol. Those that the call was not
// understood are certain; behind any other the tool may have begun. The server's
// words make each one a provider's, which a model reads as quoted: the codes of
// Feira's own refusals are for Feira's own words.
func (e errand) judgeError(fault *jsonrpc.Error) agent.Result {
	words := " (" + strconv.FormatInt(fault.Code, 10) + "): " + said(e.to.scrubber(), fault.Message)
	name := e.to.key.Server
	switch fault.Code {
	case jsonrpc.CodeInvalidParams:
		return e.settled(failure(events.FaultProviderError, name+" does not take the arguments"+words))
	case jsonrpc.CodeMethodNotFound:
		return e.settled(failure(events.FaultProviderError, name+" has no such tool"+words))
	case jsonrpc.CodeParseError, jsonrpc.CodeInvalidRequest:
		return e.settled(failure(events.FaultProviderError, name+" does not understand the call"+words))
	default:
		return e.doubted(failure(events.FaultProviderError, name+" answered with an error"+words))
	}
}

// unopened is the result of a call for which there is no session.
func (c *Client) unopened(ctx context.Context, to target, err error) agent.Result {
	name := to.key.Server
	if held, ok := errors.AsType[*egress.HeldError](err); ok {
		return failure(held.Code, held.Error())
	}
	got := reply{err: err}
	if opening, ok := errors.AsType[*openError](err); ok {
		got.wire = opening.wire
	}
	c.config.Logger.WarnContext(ctx, "an MCP server cannot be reached", "tenant", string(to.key.Tenant), "server", name,
		"http_status", got.wire.status, "error", said(to.scrubber(), egress.WithoutURL(got.failure()).Error()))
	switch status := got.wire.status; {
	case errors.Is(err, errCommand), errors.Is(err, errPlain):
		why := errPlain
		if errors.Is(err, errCommand) {
			why = errCommand
		}
		return refusal(name + " is not reached: " + why.Error() + "; nothing was sent")
	case timedOut(err):
		return failure(events.FaultProviderTimeout, name+" did not open a session in time; nothing was sent")
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return failure(events.FaultProviderError, name+" refuses the credential ("+strconv.Itoa(status)+"); nothing was sent")
	case status >= 300:
		return failure(events.FaultProviderError, name+" opens no session: it answered "+strconv.Itoa(status)+"; nothing was sent")
	default:
		return c.unreached(name, got.failure())
	}
}

// unreached is the result of a call that did not leave.
func (c *Client) unreached(name string, err error) agent.Result {
	switch {
	case errors.Is(err, egress.ErrHost):
		return refusal(name + " is not reached at that host: it is none of its attachment's; nothing was sent")
	case egress.Prohibited(err):
		return refusal(name + " cannot be reached: its address is not public")
	default:
		return failure(events.FaultProviderError, name+" cannot be reached; nothing was sent")
	}
}

func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// doubted is the result of a call of which nobody knows whether it had its effect.
func (e errand) doubted(result agent.Result) agent.Result {
	if e.safety() == agent.SafetyRead {
		return result
	}
	return unknown(result, result.Fault.Message)
}

// unless is the result of a call that has been made and cannot be shown.
func (e errand) unless(result agent.Result, effect string) agent.Result {
	if e.safety() != agent.SafetyRead {
		result.Fault.Message += effect
		result.Status = events.ToolUnknown
	}
	return result
}

// ofDoubt is the result of a call that may have had its effect before it was
// made here, where what came of it now says nothing of that.
func ofDoubt(call agent.Call, safety agent.Safety, result agent.Result) agent.Result {
	if !call.InDoubt || safety == agent.SafetyRead || result.Fault == nil {
		return result
	}
	return unknown(result, "an earlier try may have had its effect; now "+result.Fault.Message)
}

func unknown(result agent.Result, message string) agent.Result {
	result.Status = events.ToolUnknown
	result.Fault = &events.ToolFault{Code: events.FaultOutcomeUnknown, Message: message + "; whether the call had its effect is unknown"}
	return result
}

func failure(code, message string) agent.Result {
	return agent.Result{Status: events.ToolError, Fault: &events.ToolFault{Code: code, Message: message}}
}

// refusal is a failure of which Feira knows beforehand that nothing was sent.
func refusal(message string) agent.Result {
	return agent.Result{Status: events.ToolRefused, Fault: &events.ToolFault{Code: events.FaultProviderError, Message: message}}
}
