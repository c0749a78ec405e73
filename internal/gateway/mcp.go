package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/feira-dev/feira/internal/access"
)

const (
	// headerMCPSession names a client's session of MCP. It is drawn at its
	// initialize, and says nothing to any gateway but which of the client's
	// requests a cancel is meant for: no gateway keeps anything of it, and any
	// may answer the next request.
	headerMCPSession = "Mcp-Session-Id"
	headerMCPVersion = "Mcp-Protocol-Version"
	// leavingCancels is the version of MCP since when a client that leaves a
	// request has cancelled it. Before, it sends a word, and may come back.
	leavingCancels = "2026-07-28"

	methodInitialize = "initialize"
	methodToolsCall  = "tools/call"
	methodToolsList  = "tools/list"
	methodCancelled  = "notifications/cancelled"
)

type mcpIn struct {
	SessionPath
	Session string          `header:"Mcp-Session-Id" maxLength:"128" doc:"From the answer to initialize. Calls of the same one can be cancelled by notifications/cancelled."`
	Version string          `header:"Mcp-Protocol-Version" maxLength:"32"`
	Accept  string          `header:"Accept" doc:"Both application/json and text/event-stream."`
	Body    json.RawMessage `doc:"A message of JSON-RPC 2.0."`
}

func (g *Gateway) mcpRoutes() {
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/sessions/{id}/mcp", id: "mcp", group: "sessions", scope: access.ScopeToolsExecute,
		summary: "Speak MCP (streamable HTTP, stateless): the session's tools for any client of it", media: []string{"text/event-stream"},
		also: []int{http.StatusAccepted}, faults: []int{http.StatusNotFound},
	}, g.mcp)
}

// mcpMessage is what the gateway reads of a client's message beside the SDK.
type mcpMessage struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name      string          `json:"name"`
		RequestID json.RawMessage `json:"requestId"`
	} `json:"params"`
}

// mcp answers one message. The SDK speaks the protocol, with a server of the
// session's tools that is gone with the answer; a call of a tool is a request
// like any other.
func (g *Gateway) mcp(ctx context.Context, caller access.Caller, in *mcpIn) (*huma.StreamResponse, error) {
	found, err := g.open(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	var message mcpMessage
	_ = json.Unmarshal(in.Body, &message) // several messages at once, or none: the SDK tells them apart
	visit := &mcpVisit{
		gateway: g, caller: caller, session: found, message: message, client: in.Session, leaving: in.Version >= leavingCancels,
	}
	if message.Method == methodCancelled {
		visit.cancelled(ctx)
	}
	server, err := visit.server(ctx)
	if err != nil {
		return nil, err
	}
	body := exchangeOf(ctx).body
	return &huma.StreamResponse{Body: func(ctx huma.Context) { //nolint:contextcheck // it is written under the exchange's own
		r, w := humago.Unwrap(ctx)
		if message.Method == methodInitialize {
			w.Header().Set(headerMCPSession, "mcs_"+strings.ToLower(rand.Text()))
		}
		visit.beats = newBeats(w, g.cfg.Heartbeat)
		defer visit.beats.finish(func(status int, text string) { g.refuse(w, r, mcpProblem(status, text)) })
		r = r.WithContext(r.Context())
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		visit.exchange = r.Context()
		sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{
			Stateless: true, PropagateRequestCancellation: true, Logger: slog.New(slog.DiscardHandler),
			DisableLocalhostProtection: true, // every exchange has shown a key, which no page of a stranger's has
		}).ServeHTTP(visit.beats, r)
	}}, nil
}

// mcpProblem words a refusal of the SDK's as every other endpoint does.
func mcpProblem(status int, text string) *APIError {
	return problem(status, codeOf(status), "%s", strings.TrimPrefix(strings.TrimSpace(text), http.StatusText(status)+": "))
}
