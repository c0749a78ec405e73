package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

const (
	// headerRequestID names an exchange; a client may bring its own.
	headerRequestID = "X-Request-Id"
	// headerTenant names the tenant of a session whose id does not tell it.
	headerTenant = "X-Feira-Tenant"
	// headerProject names a project, as CodeSpar's clients do.
	headerProject = "X-Codespar-Project"
	headerTrace   = "Traceparent"
	// maxRequestID is the longest of those.
	maxRequestID = 128
)

// tracePattern is W3C Trace Context; what does not fit is no context.
var tracePattern = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// exchange is what the gateway knows of a request before it is routed.
type exchange struct {
	id   string
	body []byte
	// whole says that nothing of the body is still to come.
	whole bool
	// header is that of the answer.
	header http.Header
	// charged says that the exchange has been counted. Only its own goroutine looks.
	charged bool
	// tenant is whom a platform's key speaks for, where the client says so.
	tenant events.TenantID
	// project is the compartment that the client asks for.
	project access.Project
	// trace is the client's W3C trace context; empty for none.
	trace string
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	if held, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return held
	}
	return &exchange{header: http.Header{}}
}

func requestID(ctx context.Context) string { return exchangeOf(ctx).id }

// plumb is what surrounds every endpoint: a name for the exchange, flat errors
// for what has no endpoint, an end to panics and to bodies that are too large
// or too slow.
func (g *Gateway) plumb(routes *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held := &exchange{id: nameExchange(r), header: w.Header(), whole: r.Body == nil || r.Body == http.NoBody}
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, held))
		if !held.whole {
			g.hurry(w)
		}
		bare := w // the server's own, whom to tell of a body that is too large
		w = pace(bare, g.cfg.ClientTime)
		header := w.Header()
		header.Set(headerRequestID, held.id)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		defer g.recover(w, r)
		joinSlashes(r.URL)
		handler, pattern := routes.Handler(r)
		if pattern == "" {
			g.refuse(w, r, unrouted(handler, r))
			return
		}
		err := held.read(r.Header)
		if err == nil && !held.whole {
			err = g.take(bare, r, held)
		}
		if err != nil {
			g.refuse(w, r, err)
			return
		}
		routes.ServeHTTP(w, r)
	})
}

// joinSlashes makes a path of what clients put together from a base URL that ends
// in a slash: "//v1/sessions" is "/v1/sessions".
func joinSlashes(at *url.URL) {
	if strings.HasPrefix(at.Path, "//") {
		at.Path = "/" + strings.TrimLeft(at.Path, "/")
	}
	if strings.HasPrefix(at.RawPath, "//") {
		at.RawPath = "/" + strings.TrimLeft(at.RawPath, "/")
	}
}

// read takes what clients say in headers of every endpoint.
func (e *exchange) read(header http.Header) error {
	if text := header.Get(headerTenant); text != "" {
		named, err := events.ParseTenantID(text)
		if err != nil {
			return problem(http.StatusBadRequest, CodeInvalidRequest, "%s", err.Error()).at(headerTenant)
		}
		e.tenant = named
	}
	if text := header.Get(headerProject); text != "" {
		asked, err := access.ParseProject(text)
		if err != nil {
			return problem(http.StatusBadRequest, CodeInvalidRequest, "want prj_ and 16 letters or digits").at(headerProject)
		}
		e.project = asked
	}
	if text := header.Get(headerTrace); tracePattern.MatchString(text) {
		e.trace = text
	}
	return nil
}

// nameExchange takes the client's name for it where that is fit for a log.
func nameExchange(r *http.Request) string {
	given := r.Header.Get(headerRequestID)
	plain := !strings.ContainsFunc(given, func(c rune) bool { return c <= ' ' || c > '~' })
	if given != "" && len(given) <= maxRequestID && plain {
		return given
	}
	return "req_" + strings.ToLower(rand.Text())
}

// unrouted tells a path that is not there from a method that it has not.
func unrouted(handler http.Handler, r *http.Request) *APIError {
	answer := &verdict{header: http.Header{}}
	handler.ServeHTTP(answer, r)
	if answer.status == http.StatusMethodNotAllowed {
		made := problem(http.StatusMethodNotAllowed, CodeMethod, "%s is not one of %s", r.Method, answer.header.Get("Allow"))
		made.headers = http.Header{"Allow": answer.header.Values("Allow")}
		return made
	}
	return problem(http.StatusNotFound, CodeNotFound, "there is no such endpoint")
}

// verdict keeps the status of an answer and drops the rest.
type verdict struct {
	header http.Header
	status int
}

func (v *verdict) Header() http.Header         { return v.header }
func (v *verdict) WriteHeader(status int)      { v.status = status }
func (v *verdict) Write(p []byte) (int, error) { return len(p), nil }

// hurry bounds the time of the body, whether anybody reads it or not: of one that
// is refused unread the server takes in the rest before it answers.
func (g *Gateway) hurry(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.cfg.ClientTime)) // a writer without deadlines is a test's
}

// take reads the body. Its deadline is lifted when it is there: left in place it
// would end the request's context in the middle of a long stream. Where it is not
// there whole the deadline stays, for what the server still reads of it.
func (g *Gateway) take(w http.ResponseWriter, r *http.Request, held *exchange) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.cfg.MaxBody))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem(http.StatusRequestEntityTooLarge, CodeTooLarge, "the body has more than %d bytes", tooLarge.Limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return problem(http.StatusRequestTimeout, CodeTimeout, "the body did not come within %s", g.cfg.ClientTime)
	}
	if err != nil {
		return problem(http.StatusBadRequest, CodeInvalidRequest, "the body did not come whole")
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	held.body, held.whole = body, true
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return nil
}

// refuse writes an error outside any endpoint.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, err error) {
	told := g.problemOf(r.Context(), err)
	maps.Copy(w.Header(), told.headers)
	w.Header().Set("Content-Type", "application/json")
	if !exchangeOf(r.Context()).whole {
		w.Header().Set("Connection", "close") // or the server takes in the rest of the body before it answers
	}
	w.WriteHeader(told.status)
	_ = json.NewEncoder(w).Encode(told) // a client that left is nobody's loss
}

// recover ends a panic with the request that it is of. One in the middle of an
// answer cuts the answer off.
func (g *Gateway) recover(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil || cause == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
		if cause != nil {
			panic(cause)
		}
		return
	}
	g.cfg.Logger.ErrorContext(r.Context(), "endpoint panicked", "request_id", requestID(r.Context()), "panic", cause, "stack", string(debug.Stack()))
	g.refuse(w, r, problem(http.StatusInternalServerError, CodeInternal, "the gateway met a fault of its own; the request id finds it in the log"))
}
