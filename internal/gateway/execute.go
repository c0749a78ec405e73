package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

type executeIn struct {
	SessionPath
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"The same key and body are one call, with one answer."`
	Body struct {
		_      struct{}        `json:"-" additionalProperties:"true"`
		Tool   string          `json:"tool,omitempty" maxLength:"256" doc:"server__tool, server/tool, or a meta-tool's name."`
		Input  json.RawMessage `json:"input,omitempty" doc:"The tool's arguments, an object."`
		Params json.RawMessage `json:"params,omitempty" deprecated:"true" doc:"An older name of input."`
	}
}

type executeOut struct {
	Request string `header:"X-Feira-Request" doc:"Names the request in the session's log."`
	Body    ToolResult
}

func (g *Gateway) executeRoutes() {
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/sessions/{id}/execute", id: "execute", summary: "Call one tool", group: "sessions",
		scope: access.ScopeToolsExecute, logged: true, faults: []int{http.StatusNotFound, http.StatusConflict, http.StatusGatewayTimeout},
	}, g.execute)
}

func (g *Gateway) execute(ctx context.Context, caller access.Caller, in *executeIn) (*executeOut, error) {
	if in.Body.Tool == "" {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "tool field is required").at("/tool")
	}
	input := in.Body.Input
	if len(input) == 0 {
		input = in.Body.Params
	}
	if trimmed := bytes.TrimSpace(input); len(trimmed) > 0 && trimmed[0] != '{' && string(trimmed) != "null" {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "want an object").at("/input")
	}
	found, err := g.open(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	request := events.Request{Tool: in.Body.Tool, Arguments: input}
	pending, err := g.ask(ctx, caller, errand{session: found, kind: events.KindCall, key: in.Key, request: request})
	if err != nil {
		return nil, err
	}
	outcome, err := g.await(ctx, pending, pending.from(found, in.Key), request)
	if err != nil {
		return nil, err
	}
	call, ok := outcome.Call(0, 0)
	if !ok {
		return nil, unanswered(outcome.Ending)
	}
	return &executeOut{Request: string(pending.Request), Body: resultOf(call)}, nil
}
