package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/argument"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/hostile"
)

// stuckAfter is how long a call may take to end once its context has.
const stuckAfter = time.Second

// Call implements [agent.Provider].
func (c *Client) Call(ctx context.Context, call agent.Call) agent.Result {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	began := c.config.Now()
	if !c.enter() {
		return refusal(errClosed.Error())
	}
	defer c.users.Done()
	e, failed := c.prepare(ctx, call)
	if failed != nil {
		return e.settled(*failed)
	}
	to := e.to
	lane, leave := c.lanes.Enter(to.key)
	defer leave()
	result := c.admitted(ctx, lane, e)
	c.config.Logger.DebugContext(ctx, "tool call tried",
		"tenant", string(call.Tenant), "session", string(call.Session), "request", string(call.Request), "server", call.Server, "tool", call.Tool,
		"status", string(result.Status), "duration_ms", c.config.Now().Sub(began).Milliseconds())
	return result
}

// errand is a call that has passed the walls.
type errand struct {
	call agent.Call
	to   target
	tool *tool // nil before it is found
	args map[string]any
}

// safety is the tool's; that of one which is not known is the worst.
func (e errand) safety() agent.Safety {
	if e.tool == nil {
		return agent.SafetyUnsafe
	}
	return e.tool.safety
}

// prepare holds a call against the walls in front of its dispatch.
func (c *Client) prepare(ctx context.Context, call agent.Call) (errand, *agent.Result) {
	e := errand{call: call}
	refused := func(fault *events.ToolFault) (errand, *agent.Result) {
		return e, &agent.Result{Status: events.ToolRefused, Fault: fault}
	}
	reach := call.Reach
	if reach.Tenant.ID != call.Tenant || reach.Environment != call.Environment {
		return refused(&events.ToolFault{Code: events.FaultServerNotInSession, Message: "the call is not of the session that it says"})
	}
	to, fault := c.target(reach, call.Server)
	if fault != nil {
		return refused(fault)
	}
	if e.to, fault = c.authorised(ctx, to); fault != nil {
		return refused(fault)
	}
	set, failed := c.lists.get(ctx, e.to)
	if failed != nil {
		return e, failed
	}
	if e.tool = set.byName[call.Tool]; e.tool == nil {
		return refused(&events.ToolFault{
			Code:    events.FaultUnknownTool,
			Message: "there is no tool " + hostile.Shown(call.Tool) + " at " + call.Server + "; there are " + set.named(),
		})
	}
	if e.args, fault = argument.Check(e.tool.schema, call.Arguments); fault != nil {
		return refused(fault)
	}
	return e, nil
}

// admitted makes a call when its lane lets it pass, and says why not otherwise.
func (c *Client) admitted(ctx context.Context, lane *egress.Lane, e errand) agent.Result {
	name := e.to.key.Server
	if left := lane.PausedUntil().Sub(c.config.Now()); left > 0 {
		return e.held(egress.Pausing(name, left))
	}
	var result agent.Result
	err := lane.Admit(ctx, name, func() error {
		var got reply
		result, got = c.send(ctx, e)
		if wait := got.pause(c.config.Now()); wait > 0 {
			lane.Pause(c.config.Now().Add(wait))
		}
		return got.saysOf(ctx)
	})
	if held, ok := errors.AsType[*egress.HeldError](err); ok {
		return e.held(held)
	}
	if err != nil {
		return e.settled(failure(events.FaultProviderTimeout, name+" had no time for the call; nothing was sent"))
	}
	return result
}

func (e errand) held(held *egress.HeldError) agent.Result {
	return e.settled(failure(held.Code, held.Error()))
}

func (e errand) settled(result agent.Result) agent.Result {
	return ofDoubt(e.call, e.safety(), result)
}

// reply is what a call came to, before it is read.
type reply struct {
	result *sdk.CallToolResult
	err    error
	wire   outcome
	// unopened is set when there was no session to send the call in.
	unopened bool
}

// send makes a call in a session: in a second one where the first is one that
// the server does not know any more, or that was broken before the call left.
func (c *Client) send(ctx context.Context, e errand) (agent.Result, reply) {
	for attempt := 1; ; attempt++ {
		open, release, err := c.pool.acquire(ctx, e.to)
		if err != nil {
			got := reply{err: err, unopened: true}
			if opening, ok := errors.AsType[*openError](err); ok {
				got.wire = opening.wire
			}
			return e.settled(c.unopened(ctx, e.to, err)), got
		}
		got := c.try(ctx, open, e)
		lost := got.wire.status == http.StatusNotFound && open.speaker.ID() != ""
		broken := errors.Is(got.err, sdk.ErrConnectionClosed) || open.ended() ||
			got.err != nil && protocolError(got) == nil && e.to.endpoint.URL == "" && ctx.Err() == nil
		early := broken && !got.wire.sent
		if lost || broken {
			c.pool.retire(open) // lest the next call meets it before its end is noticed
		}
		release()
		if !lost && !early || attempt > 1 {
			result := c.judge(e, got)
			result.Attempts = attempt
			return result, got
		}
	}
}

// try sends a call once.
func (c *Client) try(ctx context.Context, open *session, e errand) reply {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := &trial{abort: cancel}
	result, err := guarded(withTrial(ctx, watched), c, open, func(ctx context.Context) (*sdk.CallToolResult, error) {
		return open.speaker.CallTool(ctx, &sdk.CallToolParams{Name: e.tool.name, Arguments: e.args})
	})
	got := reply{result: result, err: err, wire: watched.outcome()}
	if e.to.endpoint.URL == "" {
		got.wire.sent = true // nobody can tell what a pipe has taken in
	}
	return got
}

// guarded does something in a session, and gives the session up when that does
// not end with its context: the SDK writes to a pipe for as long as it takes.
func guarded[T any](ctx context.Context, c *Client, open *session, do func(context.Context) (*T, error)) (*T, error) {
	type answer struct {
		value *T
		err   error
	}
	done := make(chan answer, 1)
	c.calls.Go(func() {
		var got answer
		defer func() {
			if cause := recover(); cause != nil {
				got = answer{err: fmt.Errorf("%w: %T", errBroke, cause)}
			}
			done <- got
		}()
		got.value, got.err = do(ctx)
		if got.value == nil && got.err == nil {
			got.err = errBroke
		}
	})
	select {
	case got := <-done:
		return got.value, got.err
	case <-ctx.Done():
	}
	timer := time.NewTimer(stuckAfter)
	defer timer.Stop()
	select {
	case got := <-done:
		return got.value, got.err
	case <-timer.C:
		c.pool.retire(open)
		open.end()
		return nil, ctx.Err()
	}
}

// pause is how long the server asks to be left alone.
func (r reply) pause(now time.Time) time.Duration {
	if r.wire.status != http.StatusTooManyRequests {
		return 0
	}
	text := strings.TrimSpace(r.wire.header.Get("Retry-After"))
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return min(time.Duration(max(seconds, 0))*time.Second, egress.MaxPause)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), egress.MaxPause)
	}
	return 0
}
