package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// SendResult is an agent's answer.
type SendResult struct {
	Message    string           `json:"message"`
	ToolCalls  []ToolCallRecord `json:"tool_calls"`
	Iterations int              `json:"iterations"`
}

type sendIn struct {
	SessionPath
	Key    string `header:"Idempotency-Key" maxLength:"255" doc:"The same key and body are one turn, with one answer."`
	Accept string `header:"Accept" doc:"text/event-stream for the turn as it goes; its answer alone otherwise."`
	Leave  string `header:"Feira-On-Disconnect" enum:"continue,cancel" doc:"What becomes of the turn when the client leaves before its end. Defaults to continue."`
	LastID string `header:"Last-Event-ID" doc:"Of a stream that broke off, with its Idempotency-Key: goes on behind this event."`
	Body   struct {
		_       struct{} `json:"-" additionalProperties:"true"`
		Message string   `json:"message" minLength:"1" doc:"What the agent is told."`
	}
}

type resumeIn struct {
	SessionPath
	Request string `path:"request" doc:"The request's id, from the header X-Feira-Request."`
	LastID  string `header:"Last-Event-ID" doc:"Goes on behind this event."`
}

func (g *Gateway) sendRoutes() {
	faults := []int{
		http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusBadGateway, http.StatusGatewayTimeout,
	}
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/sessions/{id}/send", id: "send", group: "sessions", scope: access.ScopeToolsExecute, logged: true, faults: faults,
		summary: "Tell the session's agent something, and have its answer, or a stream of what it does (Accept: text/event-stream)",
		media:   []string{"text/event-stream"}, answer: SendResult{},
	}, g.send)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/sessions/{id}/requests/{request}/events", id: "resume", group: "sessions", scope: access.ScopeSessionsRead,
		faults:  []int{http.StatusNotFound},
		summary: "Stream what became of a request, from its start or from behind an event", media: []string{"text/event-stream"},
	}, g.resume)
}

func (g *Gateway) send(ctx context.Context, caller access.Caller, in *sendIn) (*huma.StreamResponse, error) {
	from, err := parseEventID(in.LastID)
	if err != nil {
		return nil, err
	}
	found, err := g.open(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	request := events.Request{Message: in.Body.Message}
	pending, err := g.ask(ctx, caller, errand{session: found, kind: events.KindTurn, key: in.Key, request: request})
	if err != nil {
		g.abandon(ctx, pending, Leave(in.Leave))
		return nil, err
	}
	if wantsStream(in.Accept) {
		return g.stream(pending, reading{after: pending.from(found, in.Key), from: from, message: in.Body.Message, leave: Leave(in.Leave)}), nil //nolint:contextcheck // it is written under the exchange's own
	}
	outcome, err := g.await(ctx, pending, pending.from(found, in.Key), request)
	if err != nil {
		g.abandon(ctx, pending, Leave(in.Leave))
		return nil, err
	}
	if outcome.Ending.Status != events.TurnCompletedOK {
		return nil, unanswered(outcome.Ending)
	}
	answer := sendResult(outcome)
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader(headerRequest, string(pending.Request))
		ctx.SetHeader("Content-Type", "application/json")
		_ = g.api.Marshal(ctx.BodyWriter(), "application/json", answer) // a client that left is nobody's loss
	}}, nil
}

func (g *Gateway) resume(ctx context.Context, caller access.Caller, in *resumeIn) (*huma.StreamResponse, error) {
	from, err := parseEventID(in.LastID)
	if err != nil {
		return nil, err
	}
	found, err := g.session(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	request, err := events.ParseRequestID(in.Request)
	if err != nil {
		return nil, problem(http.StatusNotFound, CodeNotFound, "there is no such request")
	}
	return g.stream(Pending{Tenant: found.tenant, Session: found.id, Request: request}, reading{from: from}), nil //nolint:contextcheck // it is written under the exchange's own
}

func wantsStream(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		media, _, _ := strings.Cut(part, ";")
		if strings.TrimSpace(media) == "text/event-stream" {
			return true
		}
	}
	return false
}

// reading is how a stream is read.
type reading struct {
	// after is where the request's facts begin. They are read from there whatever
	// the client has seen: a call's outcome is told with the arguments that an
	// earlier fact holds.
	after waits.From
	// from is the last event that the client has seen.
	from eventID
	// message is what the client has asked now; empty for one that only reads.
	message string
	// leave is what becomes of the turn when the client leaves.
	leave Leave
}

// headerRequest names the request that an answer is of.
const headerRequest = "X-Feira-Request"

// stream answers with what becomes of a request, frame by frame.
func (g *Gateway) stream(pending Pending, how reading) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		header := w.Header()
		header.Set(headerRequest, string(pending.Request))
		header.Set("Content-Type", "text/event-stream")
		header.Set("X-Accel-Buffering", "no") // or nginx keeps the frames back
		out := newFrames(w, g.cfg.Heartbeat)
		defer out.close()
		g.tell(r.Context(), out, pending, how)
		g.abandon(r.Context(), pending, how.leave)
	}}
}

// tell writes a request's facts as the frames of clients that know CodeSpar.
// Whatever goes wrong, once the stream has begun, is a frame too.
func (g *Gateway) tell(ctx context.Context, out *frames, pending Pending, how reading) {
	if how.message != "" && how.from.sequence == 0 {
		_ = out.send("", "user_message", map[string]string{"content": how.message}) // the next frame fails too
	}
	params := waits.TurnParams{
		Tenant: pending.Tenant, Session: pending.Session, Request: pending.Request, From: how.after, Deltas: true,
	}
	if how.from.sequence > 0 {
		params.Seen = how.from.sequence - 1 // the fact that was told in part comes again
	}
	err := g.wait(ctx, params, func(item waits.Item, known waits.Outcome) error {
		if item.Delta != nil {
			return out.send("", "assistant_delta", map[string]any{"content": item.Delta.Text, "iteration": item.Delta.Iteration})
		}
		if how.message != "" {
			if err := sameRequest(item, events.Request{Message: how.message}); err != nil {
				return err
			}
		}
		for n, frame := range framesOf(*item.Record, known) {
			id := eventID{item.Record.Sequence, n + 1}
			if id.behind(how.from) {
				if err := out.send(id.String(), frame.event, frame.data); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		_ = out.send("", "error", g.problemOf(ctx, err)) // it is the last
	}
}

type frame struct {
	event string
	data  any
}

// framesOf are the frames of a fact, in the light of what is known by then.
func framesOf(record events.Record, known waits.Outcome) []frame {
	switch event := record.Event.(type) {
	case *events.ModelReplied:
		return replyFrames(record, event)
	case *events.ToolReturned:
		if call, ok := known.Call(event.Iteration, event.Index); ok {
			return []frame{{"tool_result", recordOf(call)}}
		}
	case *events.TurnCompleted:
		if event.Status == events.TurnCompletedOK {
			return []frame{{"done", sendResult(known)}}
		}
		why := unanswered(event)
		return []frame{{"error", map[string]string{"error": why.Code, "message": why.Message}}}
	}
	return nil
}

func replyFrames(record events.Record, event *events.ModelReplied) []frame {
	var out []frame
	if event.Text != "" {
		out = append(out, frame{"assistant_text", map[string]any{"content": event.Text, "iteration": event.Iteration}})
	}
	for n, call := range event.ToolCalls {
		at := events.ToolCallPlace{Session: record.Session, Request: record.Request, Iteration: event.Iteration, Index: n}
		out = append(out, frame{"tool_use", map[string]any{"id": at.ID(), "name": call.Name, "input": waits.JSON(call.Arguments)}})
	}
	return out
}

func sendResult(outcome waits.Outcome) *SendResult {
	result := &SendResult{Message: outcome.Message(), ToolCalls: []ToolCallRecord{}, Iterations: outcome.Iterations()}
	for _, call := range outcome.Calls {
		result.ToolCalls = append(result.ToolCalls, recordOf(call))
	}
	return result
}
