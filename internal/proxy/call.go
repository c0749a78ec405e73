package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"

	"github.com/feira-dev/feira/internal/hostile"
)

// Bounds of a raw call. Its body is bounded by those of arguments.
const (
	maxEndpoint = 2048
	maxParams   = 64
	maxName     = 128
	maxValue    = 2048
	maxHeaders  = 16
)

// Call is a raw call without its server and its method, which name the tool.
type Call struct {
	// Endpoint is a path below the provider's host, perhaps with a query.
	Endpoint string `json:"endpoint"`
	// Params go into the query: texts, numbers and booleans.
	Params map[string]any `json:"params,omitempty"`
	// Headers are some that say nothing of who calls.
	Headers map[string]string `json:"headers,omitempty"`
	// Body is any JSON; empty for none.
	Body json.RawMessage `json:"body,omitempty"`
}

// FieldError occurs when a raw call may not be made. It names the field and the
// rule, and never what stood there.
type FieldError struct {
	Field string // JSON Pointer
	Why   string
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Why }

func wrong(field, why string) *FieldError { return &FieldError{Field: field, Why: why} }

// Parse reads a call from a tool's arguments, without looking at what it says.
func Parse(arguments json.RawMessage) (Call, error) {
	unread := wrong("/", "want endpoint, params, headers and body")
	var call Call
	decoder := json.NewDecoder(bytes.NewReader(arguments))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&call); err != nil {
		return Call{}, unread
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Call{}, unread
	}
	if string(bytes.TrimSpace(call.Body)) == "null" {
		call.Body = nil
	}
	return call, nil
}

// Arguments are the call as those of its tool.
func (c Call) Arguments() (json.RawMessage, error) { return json.Marshal(c) }

// Check looks at all of a call but what its provider alone can know.
func (c Call) Check(method string) error {
	if ToolOf(method) == "" {
		return wrong("/method", "want one of "+strings.Join(Methods(), ", "))
	}
	if len(c.Body) > 0 && method == "GET" {
		return wrong("/body", "a GET has none")
	}
	if len(c.Body) > 0 && !json.Valid(c.Body) {
		return wrong("/body", "want JSON")
	}
	if _, _, err := c.Target(); err != nil {
		return err
	}
	return checkHeaders(c.Headers)
}

// Target is where the call goes: an escaped path and a query.
func (c Call) Target() (path string, query url.Values, err error) {
	text, rest, _ := strings.Cut(c.Endpoint, "?")
	if path, err = cleanPath(text); err != nil {
		return "", nil, err
	}
	if query, err = url.ParseQuery(rest); err != nil || hostile.HasControl(rest) {
		return "", nil, wrong("/endpoint", "its query cannot be read")
	}
	for name := range query {
		if secretive(name) {
			return "", nil, wrong("/endpoint", "its query carries a credential, which Feira puts in itself")
		}
	}
	if len(c.Params) > maxParams {
		return "", nil, wrong("/params", "there are too many")
	}
	for name, value := range c.Params {
		text, fault := paramText(name, value)
		if fault != nil {
			return "", nil, fault
		}
		query.Set(name, text)
	}
	return path, query, nil
}

func paramText(name string, value any) (string, error) {
	at := "/params/" + hostile.Shown(name)
	if name == "" || len(name) > maxName || hostile.HasControl(name) {
		return "", wrong(at, "is no name of a parameter")
	}
	if secretive(name) {
		return "", wrong(at, "is a credential, which Feira puts in itself")
	}
	var text string
	switch value := value.(type) {
	case string:
		text = value
	case json.Number:
		text = value.String()
	case bool:
		text = map[bool]string{true: "true", false: "false"}[value]
	default:
		return "", wrong(at, "want a string, a number or a boolean")
	}
	if len(text) > maxValue {
		return "", wrong(at, "is too long")
	}
	return text, nil
}

// secretive tells names of parameters under which credentials go about. What is
// published is kept, so one of a caller's own must not be.
func secretive(name string) bool {
	switch strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name)) {
	case "accesstoken", "apikey", "clientsecret", "authorization", "password":
		return true
	}
	return false
}

// cleanPath brings a path into one form. One that could leave its place, here
// or at a server that unescapes first and splits later, is refused.
func cleanPath(text string) (string, error) {
	switch {
	case !strings.HasPrefix(text, "/"):
		return "", wrong("/endpoint", "want a path that begins with /; the host is the server's")
	case len(text) > maxEndpoint:
		return "", wrong("/endpoint", "is too long")
	case strings.ContainsAny(text, `\#`) || hostile.HasControl(text):
		return "", wrong("/endpoint", "has a character that no path has")
	}
	segments := strings.Split(text[1:], "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		last := i == len(segments)-1
		if err != nil || plain == "." || plain == ".." || strings.ContainsAny(plain, `/\%`) || hostile.HasControl(plain) || plain == "" && !last {
			return "", wrong("/endpoint", "has a part that could lead elsewhere")
		}
		segments[i] = url.PathEscape(plain)
	}
	return "/" + strings.Join(segments, "/"), nil
}
