package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

// APIError is an error as clients read it: one flat object. SDKs take "error" or
// "code" for the code, whichever they look at first.
type APIError struct {
	Again     string `json:"error" doc:"The code again, for clients that read it here."`
	Code      string `json:"code" doc:"What went wrong, for programs."`
	Message   string `json:"message" doc:"What went wrong, for people."`
	Field     string `json:"field,omitempty" doc:"JSON Pointer to the part of the body, or the name of the parameter, that is at fault."`
	RequestID string `json:"request_id" doc:"Names this exchange in the gateway's log."`
	*Throttle

	status  int
	headers http.Header
}

// Codes of problems.
const (
	CodeInvalidRequest  = "invalid_request"
	CodeUnauthorized    = "unauthorized"
	CodeForbidden       = "forbidden"
	CodeNotFound        = "not_found"
	CodeMethod          = "method_not_allowed"
	CodeConflict        = "conflict"
	CodeKeyConflict     = "idempotency_conflict"
	CodeKeyBusy         = "idempotency_in_progress"
	CodeTooLarge        = "payload_too_large"
	CodeMediaType       = "unsupported_media_type"
	CodeRateLimited     = "rate_limited"
	CodeBacklogFull     = "backlog_full"
	CodeTenantNotFound  = "tenant_not_found"
	CodeSessionNotFound = "session_not_found"
	CodeInvoiceNotFound = "invoice_not_found"
	CodeTimeout         = "timeout"
	CodeUnavailable     = "unavailable"
	CodeInternal        = "internal_error"
)

func problem(status int, code, format string, args ...any) *APIError {
	return &APIError{status: status, Again: code, Code: code, Message: fmt.Sprintf(format, args...)}
}

// at names the field at fault.
func (p *APIError) at(field string) *APIError {
	p.Field = field
	return p
}

// Error implements error.
func (p *APIError) Error() string { return p.Code + ": " + p.Message }

// GetStatus implements [huma.StatusError].
func (p *APIError) GetStatus() int { return p.status }

// GetHeaders implements [huma.HeadersError].
func (p *APIError) GetHeaders() http.Header { return p.headers }

// speakProblems makes huma word its own findings as ours. Its hooks belong to
// the package, so they are set once, to functions that keep nothing.
var speakProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, message string, details ...error) huma.StatusError {
		return found(status, message, details)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, details ...error) huma.StatusError {
		made := found(status, message, details)
		if ctx != nil {
			made.RequestID = requestID(ctx.Context())
		}
		return made
	}
})

// found is a fault that huma has found in a request. It names places and rules,
// and never what stood there.
func found(status int, message string, details []error) *APIError {
	made := problem(status, codeOf(status), "%s", message)
	if status == http.StatusUnprocessableEntity {
		made.status, made.Code, made.Again = http.StatusBadRequest, CodeInvalidRequest, CodeInvalidRequest
	}
	var faults []string
	for _, detail := range details {
		rule, ok := errors.AsType[*huma.ErrorDetail](detail)
		if !ok {
			continue
		}
		if made.Field == "" {
			made.Field = fieldOf(rule)
		}
		message := rule.Message
		if strings.HasPrefix(message, "invalid date/time for format") {
			message = "want a time as RFC 3339 has it" // huma shows Go's layout
		}
		faults = append(faults, strings.TrimPrefix(pointer(rule.Location)+": "+message, ": "))
	}
	if len(faults) > 0 {
		const most = 5
		made.Message = strings.Join(faults[:min(len(faults), most)], "; ")
	}
	return made
}

// fieldOf is the field that a fault is of: of one that is missing, huma names the
// object that it is missing from.
func fieldOf(rule *huma.ErrorDetail) string {
	at := pointer(rule.Location)
	rest, found := strings.CutPrefix(rule.Message, "expected required property ")
	name, whole := strings.CutSuffix(rest, " to be present")
	if !found || !whole {
		return at
	}
	return strings.TrimSuffix(at, "/") + "/" + name
}

// pointer turns huma's "body.items[0].name" into "/items/0/name", and leaves a
// parameter's name as it is.
func pointer(location string) string {
	path, inBody := strings.CutPrefix(location, "body")
	if !inBody {
		_, name, _ := strings.Cut(location, ".")
		return name
	}
	path = strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(path)
	if path == "" {
		return "/"
	}
	return path
}

func codeOf(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return CodeUnauthorized
	case http.StatusForbidden:
		return CodeForbidden
	case http.StatusNotFound:
		return CodeNotFound
	case http.StatusMethodNotAllowed:
		return CodeMethod
	case http.StatusConflict:
		return CodeConflict
	case http.StatusRequestEntityTooLarge:
		return CodeTooLarge
	case http.StatusUnsupportedMediaType:
		return CodeMediaType
	case http.StatusTooManyRequests:
		return CodeRateLimited
	case http.StatusServiceUnavailable:
		return CodeUnavailable
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return CodeTimeout
	}
	if status >= http.StatusInternalServerError {
		return CodeInternal
	}
	return CodeInvalidRequest
}

// problemOf is what a client is told of an error. What is not known to be fit
// for clients is logged and told as internal.
func (g *Gateway) problemOf(ctx context.Context, err error) *APIError {
	made, ok := errors.AsType[*APIError](err)
	switch {
	case ok:
		told := *made
		made = &told
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		made = problem(http.StatusGatewayTimeout, CodeTimeout, "the answer took too long")
	default:
		g.cfg.Logger.ErrorContext(ctx, "request failed", "request_id", requestID(ctx), "error", err)
		made = problem(http.StatusInternalServerError, CodeInternal, "the gateway met a fault of its own; the request id finds it in the log")
	}
	made.RequestID = requestID(ctx)
	return made
}
