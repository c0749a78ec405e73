package gateway

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/feira-dev/feira/internal/access"
)

// endpoint is what all endpoints are described by.
type endpoint struct {
	method  string
	path    string
	id      string
	summary string
	group   string
	// scope is what a key has to have; empty for what needs no key.
	scope access.Scope
	// status of success. Defaults to 200.
	status int
	// faults are the statuses of the problems that it may answer beyond those
	// that every endpoint has.
	faults []int
	// also are statuses of success beside that one.
	also []int
	// media are the types of an answer beside JSON.
	media []string
	// logged says that the session's log remembers what was asked under an
	// idempotency key, and that the endpoint looks there itself.
	logged bool
	// answer is the JSON of an endpoint that writes its own; nil otherwise.
	answer any
}

// handler does what an endpoint is for. The caller's key has the scope.
type handler[In, Out any] func(ctx context.Context, caller access.Caller, in *In) (*Out, error)

// serve adds an endpoint: its place in the document, its wall and its handler.
func serve[In, Out any](g *Gateway, e endpoint, do handler[In, Out]) {
	operation := huma.Operation{
		Method: e.method, Path: e.path, OperationID: e.id, Summary: e.summary, Tags: []string{e.group},
		DefaultStatus: e.status, Errors: append([]int{http.StatusBadRequest}, e.faults...),
		MaxBodyBytes: -1, BodyReadTimeout: -1, // see [Gateway.take]
	}
	if e.scope != "" {
		operation.Errors = append(operation.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable)
		if e.scope != access.ScopeTenantsWrite { // which is a platform's alone
			operation.Errors = append(operation.Errors, http.StatusTooManyRequests)
		}
		operation.Security = []map[string][]string{{securityKey: {string(e.scope)}}}
		operation.Middlewares = huma.Middlewares{g.wall(e.scope)}
	}
	if e.takesKey() {
		operation.Errors = append(operation.Errors, http.StatusConflict)
		operation.Middlewares = append(operation.Middlewares, g.keyed(e))
	}
	huma.Register(g.api, operation, func(ctx context.Context, in *In) (*Out, error) {
		out, err := do(ctx, callerOf(ctx), in)
		if err != nil {
			return nil, g.problemOf(ctx, err)
		}
		return out, nil
	})
	g.settle(e)
}

// takesKey reports whether the endpoint acts, and its answer under an idempotency
// key has to be kept. A stream cannot be.
func (e endpoint) takesKey() bool {
	return e.method == http.MethodPost && e.scope != "" && !e.logged && len(e.media) == 0
}

type callerKey struct{}

func callerOf(ctx context.Context) access.Caller {
	caller, _ := ctx.Value(callerKey{}).(access.Caller)
	return caller
}

// wall lets pass who has a key with the scope, before the body is read for
// anything.
func (g *Gateway) wall(scope access.Scope) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		caller, err := g.authenticate(ctx.Context(), ctx.Header("Authorization"))
		if err == nil && !caller.May(scope) {
			err = problem(http.StatusForbidden, CodeForbidden, "the key lacks the scope %s", scope)
		}
		if err == nil {
			err = g.chargeOwn(ctx.Context(), caller)
		}
		if err != nil {
			g.writeProblem(ctx, err)
			return
		}
		next(huma.WithValue(ctx, callerKey{}, caller))
	}
}

func (g *Gateway) authenticate(ctx context.Context, header string) (access.Caller, error) {
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || text == "" {
		return access.Caller{}, unauthorized("Missing or invalid Bearer token")
	}
	caller, err := g.cfg.Keys.Authenticate(ctx, strings.TrimSpace(text))
	if err != nil {
		return access.Caller{}, worded(err)
	}
	return caller, nil
}

func unauthorized(message string) *APIError {
	made := problem(http.StatusUnauthorized, CodeUnauthorized, "%s", message)
	made.headers = http.Header{"Www-Authenticate": {`Bearer realm="feira"`}}
	return made
}

func (g *Gateway) writeProblem(ctx huma.Context, err error) {
	told := g.problemOf(ctx.Context(), err)
	for name, values := range told.headers {
		for _, value := range values {
			ctx.AppendHeader(name, value)
		}
	}
	ctx.SetHeader("Content-Type", "application/json")
	ctx.SetStatus(told.status)
	_ = g.api.Marshal(ctx.BodyWriter(), "application/json", told) // a client that left is nobody's loss
}
