package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// mcpVisit is one message of an MCP client's to a session.
type mcpVisit struct {
	gateway *Gateway
	caller  access.Caller
	session view
	message mcpMessage
	// client is the client's session of MCP; empty where it has none.
	client string
	// leaving is set where a client that leaves has cancelled its call.
	leaving bool
	// exchange and beats are set before the SDK hears of the message.
	exchange context.Context //nolint:containedctx // the SDK gives a handler a context without the exchange's values
	beats    *beats
}

// server has what the message needs of the session's tools: all of them for a
// list, the one that is called for a call.
func (v *mcpVisit) server(ctx context.Context) (*sdk.Server, error) {
	g := v.gateway
	made := sdk.NewServer(&sdk.Implementation{Name: "feira", Title: "Feira", Version: cmp.Or(g.cfg.Version, "1")}, &sdk.ServerOptions{
		Capabilities: &sdk.ServerCapabilities{Tools: &sdk.ToolCapabilities{}},
		SetCacheable: func(_ context.Context, _ sdk.Request, cache *sdk.Cacheable) { cache.CacheScope = "private" }, // a session's tools are its own
	})
	if method := v.message.Method; method != "" && method != methodToolsList && method != methodToolsCall {
		return made, nil
	}
	customer, ok, err := g.cfg.Tenants.Lookup(ctx, v.session.tenant)
	if err != nil {
		return nil, worded(err)
	}
	if !ok {
		return nil, sessionGone()
	}
	reach := reachOf(v.session, customer)
	for _, tool := range g.cfg.Catalogue.Tools(ctx, reach) {
		if v.message.Method != methodToolsCall || tool.Name == v.message.Params.Name {
			v.add(ctx, made, tool, g.hints(ctx, reach, tool))
		}
	}
	return made, nil
}

// add offers a tool. The SDK panics at a schema that it does not take, which an
// attached server may have: such a tool is left out.
func (v *mcpVisit) add(ctx context.Context, to *sdk.Server, tool agent.Tool, hints *sdk.ToolAnnotations) {
	defer func() {
		if recover() != nil {
			v.gateway.cfg.Logger.WarnContext(ctx, "a tool cannot be told by MCP", slog.String("tool", tool.Name), slog.String("session", string(v.session.id)))
		}
	}()
	to.AddTool(&sdk.Tool{Name: tool.Name, Description: tool.Description, InputSchema: tool.Parameters, Annotations: hints}, v.call)
}

// hints tell a client what a call of a tool does, as far as is known.
func (g *Gateway) hints(ctx context.Context, reach agent.Reach, tool agent.Tool) *sdk.ToolAnnotations {
	server, name, _ := agent.SplitTool(tool.Name)
	safety, known := g.cfg.Catalogue.Safety(ctx, reach, server, name)
	if !known {
		return nil
	}
	return &sdk.ToolAnnotations{ReadOnlyHint: safety == agent.SafetyRead, IdempotentHint: safety == agent.SafetyIdempotent}
}

// call makes a call as execute does. Whatever goes wrong is an answer of the
// tool's, which a model can read.
func (v *mcpVisit) call(ctx context.Context, asked *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	within, cancel := context.WithCancelCause(v.exchange)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	v.beats.start()
	request := events.Request{Tool: asked.Params.Name, Arguments: asked.Params.Arguments}
	pending, call, err := v.make(within, request) //nolint:contextcheck // the exchange's, which the SDK's ends too
	if err != nil {
		if v.leaving && within.Err() != nil {
			v.gateway.cancel(v.exchange, pending, "the MCP client cancelled the call") //nolint:contextcheck // the exchange's, which the SDK's ends too
		}
		told := v.gateway.problemOf(v.exchange, err) //nolint:contextcheck // the exchange's, which the SDK's ends too
		return failedTool(told.Message, map[string]string{"code": told.Code, "message": told.Message}), nil
	}
	result := failedTool(call.Error, call.Output)
	if call.OK() {
		result = goodTool(call.Output)
	}
	result.Meta = sdk.Meta{"feira.dev/request": string(pending.Request), "feira.dev/tool_call": string(call.ID)}
	return result, nil
}

// make publishes the call, and waits for its outcome.
func (v *mcpVisit) make(ctx context.Context, request events.Request) (Pending, waits.Call, error) {
	g := v.gateway
	pending, err := g.ask(ctx, v.caller, errand{session: v.session, kind: events.KindCall, name: v.name(v.message.ID), request: request})
	if err != nil {
		return pending, waits.Call{}, err
	}
	from := pending.from(v.session, string(v.name(v.message.ID)))
	outcome, err := g.await(ctx, pending, from, request)
	if err != nil {
		return pending, waits.Call{}, err
	}
	call, ok := outcome.Call(0, 0)
	if !ok {
		return pending, waits.Call{}, unanswered(outcome.Ending)
	}
	return pending, call, nil
}

// name is the request that a client's id names: another gateway finds it again
// when it is cancelled. It is empty where the client has no session of MCP.
func (v *mcpVisit) name(id json.RawMessage) events.RequestID {
	if v.client == "" || len(id) == 0 {
		return ""
	}
	key := strings.Join([]string{"mcp", v.client, string(id)}, "\n")
	return errand{session: v.session, kind: events.KindCall, key: key, caller: v.caller.Key().ID}.id()
}

// cancelled ends the call that a client does not want any more.
func (v *mcpVisit) cancelled(ctx context.Context) {
	if name := v.name(v.message.Params.RequestID); name != "" {
		v.gateway.cancel(ctx, Pending{Tenant: v.session.tenant, Session: v.session.id, Request: name}, "the MCP client cancelled the call")
	}
}

// cancel ends a request whose client has left, or will not hear of it.
func (g *Gateway) cancel(ctx context.Context, pending Pending, reason string) {
	if pending.Request == "" {
		return
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer done()
	head := events.RequestHead{Tenant: pending.Tenant, Session: pending.Session, ID: pending.Request, Sequence: pending.Sequence, Kind: events.KindCall}
	if _, err := g.cfg.Canceller.Cancel(ctx, head, reason); err != nil && !errors.Is(err, ErrNotPending) && !errors.Is(err, ErrOrdered) {
		g.cfg.Logger.WarnContext(ctx, "a request was not cancelled", "request_id", requestID(ctx), "request", string(pending.Request), "error", err)
	}
}

// goodTool tells an outcome as text for a model, and as JSON for programs.
func goodTool(output json.RawMessage) *sdk.CallToolResult {
	result := &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: textOf(output)}}}
	if isObject(output) {
		result.StructuredContent = output
	}
	return result
}

func failedTool(message string, about any) *sdk.CallToolResult {
	return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: message}}, StructuredContent: about}
}

// textOf is a text itself where an outcome is one, and its JSON otherwise.
func textOf(output json.RawMessage) string {
	var text string
	if json.Unmarshal(output, &text) == nil {
		return text
	}
	return string(output)
}

func isObject(output json.RawMessage) bool { return len(output) > 0 && output[0] == '{' }
