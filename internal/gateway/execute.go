package gateway

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

type executeIn struct {
	sessionPath
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
		scope: access.ScopeToolsExecute, faults: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable, http.StatusGatewayTimeout},
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
	found, err := g.open(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	request := events.Request{Tool: in.Body.Tool, Arguments: input}
	pending, err := g.ask(ctx, caller, found, events.KindCall, in.Key, request)
	if err != nil {
		return nil, err
	}
	out := &executeOut{Request: string(pending.Request)}
	answered := false
	err = g.wait(ctx, pending, pending.from(found, in.Key), func(heard Heard) error {
		switch event := heard.Record.Event.(type) {
		case *events.TurnStarted:
			if event.Attempt == 1 {
				return sameRequest(event, request)
			}
		case *events.ToolReturned:
			out.Body, answered = resultOf(heard.Record, event), true
		case *events.TurnCompleted:
			if !answered {
				return unanswered(event)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
