package gateway

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// LoggedCall is a tool call of a session, as its log has it.
type LoggedCall struct {
	ID         string          `json:"id"`
	SessionID  string          `json:"session_id"`
	Tool       string          `json:"tool"`
	ToolName   string          `json:"tool_name"`
	Server     string          `json:"server"`
	ServerID   string          `json:"server_id"`
	Status     string          `json:"status" enum:"running,success,error"`
	DurationMS *int64          `json:"duration_ms"`
	ErrorCode  *string         `json:"error_code"`
	Input      json.RawMessage `json:"input"`
	Output     json.RawMessage `json:"output"`
	CalledAt   Moment          `json:"called_at"`
}

type logsOut struct {
	Body struct {
		Data      []LoggedCall `json:"data"`
		ToolCalls []LoggedCall `json:"tool_calls" doc:"The same again, for clients that read it here."`
	}
}

func (g *Gateway) logRoutes() {
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/sessions/{id}/logs", id: "session-logs", group: "sessions",
		summary: "List a session's tool calls, the first one first", scope: access.ScopeSessionsRead, faults: []int{http.StatusNotFound},
	}, g.sessionLogs)
}

func (g *Gateway) sessionLogs(ctx context.Context, caller access.Caller, in *SessionPath) (*logsOut, error) {
	found, err := g.session(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	records, err := g.cfg.Log.Read(ctx, found.tenant, found.id, 0)
	if err != nil {
		return nil, worded(err)
	}
	calls := calls{at: map[events.ToolCallPlace]int{}, list: []LoggedCall{}}
	for _, record := range records {
		calls.apply(record)
	}
	out := &logsOut{}
	out.Body.Data, out.Body.ToolCalls = calls.list, calls.list
	return out, nil
}

// calls are the tool calls of a session, folded from its log.
type calls struct {
	at   map[events.ToolCallPlace]int
	list []LoggedCall
}

func (c *calls) apply(record events.Record) {
	switch event := record.Event.(type) {
	case *events.TurnStarted:
		if event.Call != nil {
			c.begin(record, events.ToolCallPlace{Session: record.Session, Request: record.Request}, event.Call.Tool, event.Call.Arguments)
		}
	case *events.ModelReplied:
		for n, call := range event.ToolCalls {
			at := events.ToolCallPlace{Session: record.Session, Request: record.Request, Iteration: event.Iteration, Index: n}
			c.begin(record, at, call.Name, json.RawMessage(call.Arguments))
		}
	case *events.ToolReturned:
		c.end(record, event)
	}
}

func (c *calls) begin(record events.Record, at events.ToolCallPlace, tool string, input json.RawMessage) {
	if _, again := c.at[at]; again {
		return
	}
	c.at[at] = len(c.list)
	c.list = append(c.list, LoggedCall{
		ID: string(at.ID()), SessionID: string(at.Session), Tool: tool, ToolName: tool, Status: "running",
		Input: waits.JSON(string(input)), Output: json.RawMessage("null"), CalledAt: momentOf(record.Time),
	})
}

func (c *calls) end(record events.Record, returned *events.ToolReturned) {
	at, ok := c.at[events.ToolCallPlace{Session: record.Session, Request: record.Request, Iteration: returned.Iteration, Index: returned.Index}]
	if !ok {
		return
	}
	call := &c.list[at]
	took := returned.DurationMS
	call.Server, call.ServerID, call.Status, call.DurationMS = returned.Server, returned.Server, "success", &took
	call.Output = waits.JSON(returned.Output)
	if fault := returned.Error; fault != nil {
		call.Status, call.ErrorCode = "error", &fault.Code
		call.Output, _ = json.Marshal(fault) // two strings
	}
}
