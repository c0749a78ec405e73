package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/gateway/waits"
	"github.com/feira-dev/feira/internal/proxy"
)

// CodeNotConnected is the code of a raw call to a server that the session has
// not, or that has no HTTP API or no credential.
const CodeNotConnected = "server_not_connected"

type proxyIn struct {
	SessionPath
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"The same key and body are one call, with one answer."`
	Body struct {
		_        struct{}          `json:"-" additionalProperties:"true"`
		Server   string            `json:"server" minLength:"1" maxLength:"64" doc:"One of the session's servers."`
		Endpoint string            `json:"endpoint" minLength:"1" maxLength:"2048" doc:"A path of the server's API, perhaps with a query; with or without the part that all of its paths share."`
		Method   string            `json:"method" enum:"GET,POST,PUT,PATCH,DELETE"`
		Body     json.RawMessage   `json:"body,omitempty" doc:"Any JSON; sent as a form where the server takes forms."`
		Params   json.RawMessage   `json:"params,omitempty" doc:"Query parameters, an object of strings, numbers and booleans."`
		Headers  map[string]string `json:"headers,omitempty" doc:"None that says who calls: Accept, Accept-Language, Idempotency-Key, If-*, Prefer, Stripe-Version."`
	}
}

// ProxyResult is what a provider said to a raw call.
type ProxyResult struct {
	Status      int               `json:"status" doc:"The provider's own; what it calls an error is an answer here."`
	Data        json.RawMessage   `json:"data" doc:"The body: JSON, or a string where it is none, or null."`
	Headers     map[string]string `json:"headers"`
	Duration    int64             `json:"duration" doc:"Milliseconds."`
	ProxyCallID string            `json:"proxy_call_id"`
}

type proxyOut struct {
	Request string `header:"X-Feira-Request" doc:"Names the request in the session's log."`
	Body    ProxyResult
}

func (g *Gateway) proxyRoutes() {
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/sessions/{id}/proxy_execute", id: "proxy-execute", group: "sessions", scope: access.ScopeToolsExecute, logged: true,
		summary: "Ask a server of the session's for something that no tool of it does",
		faults: []int{
			http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusBadGateway, http.StatusGatewayTimeout,
		},
	}, g.proxy)
}

// proxy makes a raw call as any other call of a tool is made: it is published,
// waits its turn and is answered from the log. What can be told of it before is
// told before, so that no header which carries a credential is ever written down.
func (g *Gateway) proxy(ctx context.Context, caller access.Caller, in *proxyIn) (*proxyOut, error) {
	request, err := rawRequest(in)
	if err != nil {
		return nil, err
	}
	found, err := g.open(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	if err := g.connectedTo(ctx, found, in.Body.Server); err != nil {
		return nil, err
	}
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
	result, err := proxyResult(call)
	if err != nil {
		return nil, err
	}
	return &proxyOut{Request: string(pending.Request), Body: result}, nil
}

func rawRequest(in *proxyIn) (events.Request, error) {
	body := in.Body
	call := proxy.Call{Endpoint: body.Endpoint, Headers: body.Headers}
	if text := bytes.TrimSpace(body.Params); len(text) > 0 && decodeNumbers(text, &call.Params) != nil {
		return events.Request{}, problem(http.StatusBadRequest, CodeInvalidRequest, "want an object").at("/params")
	}
	if text := bytes.TrimSpace(body.Body); string(text) != "null" {
		call.Body = text
	}
	if err := call.Check(body.Method); err != nil {
		if fault, ok := errors.AsType[*proxy.FieldError](err); ok {
			return events.Request{}, problem(http.StatusBadRequest, CodeInvalidRequest, "%s", fault.Why).at(fault.Field)
		}
		return events.Request{}, err
	}
	arguments, err := call.Arguments()
	if err != nil {
		return events.Request{}, fmt.Errorf("laying out a raw call: %w", err)
	}
	return events.Request{Tool: agent.ToolName(body.Server, proxy.ToolOf(body.Method)), Arguments: arguments}, nil
}

// connectedTo looks whether a session can reach a server, which whoever makes
// the call looks at again.
func (g *Gateway) connectedTo(ctx context.Context, from view, server string) error {
	if !slices.Contains(from.opened.Servers, server) {
		return notConnected()
	}
	customer, ok, err := g.cfg.Tenants.Lookup(ctx, from.tenant)
	if err != nil {
		return worded(err)
	}
	if !ok || !slices.Contains(customer.Servers, server) {
		return notConnected()
	}
	if _, attached := customer.Attachment(server); attached {
		return problem(http.StatusNotFound, CodeNotConnected, "server %s speaks MCP: it has tools, and no HTTP API", server)
	}
	return nil
}

func notConnected() *APIError {
	return problem(http.StatusNotFound, CodeNotConnected, "server not connected")
}

// proxyResult is the answer to a raw call, or why there is none.
func proxyResult(call waits.Call) (ProxyResult, error) {
	if call.OK() {
		answer := proxy.ParseAnswer(call.Output)
		return ProxyResult{
			Status: answer.Status, Data: answer.Data, Headers: answer.Headers, Duration: call.Duration.Milliseconds(), ProxyCallID: string(call.ID),
		}, nil
	}
	switch call.ErrorCode {
	case events.FaultNoCredential, events.FaultServerNotInSession, events.FaultUnknownTool:
		return ProxyResult{}, notConnected()
	case events.FaultInvalidArguments:
		return ProxyResult{}, problem(http.StatusBadRequest, CodeInvalidRequest, "%s", call.Error)
	case events.FaultProviderLimited:
		made := problem(http.StatusTooManyRequests, call.ErrorCode, "%s", call.Error)
		made.headers = http.Header{"Retry-After": {"1"}}
		return ProxyResult{}, made
	case events.FaultProviderTimeout:
		return ProxyResult{}, problem(http.StatusGatewayTimeout, call.ErrorCode, "%s", call.Error)
	case events.FaultToolNotMocked, events.FaultMocksExhausted, events.FaultMocksEngine:
		return ProxyResult{}, problem(http.StatusUnprocessableEntity, call.ErrorCode, "%s", call.Error)
	}
	return ProxyResult{}, problem(http.StatusBadGateway, call.ErrorCode, "%s", call.Error)
}
