package llm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/feira-dev/feira/internal/agent"
)

// class says what a failed try means for the next one.
type class int

const (
	classPassing class = iota // another try may do
	classRefused              // no other try will
	classGarbage              // there is an answer, and it cannot be read
)

// failure is why a try gave no reply. Its text is scrubbed.
type failure struct {
	class class
	text  string
	// wait is what the operator asks for before another try.
	wait  time.Duration
	cause error
}

// Error implements error.
func (f *failure) Error() string { return f.text }

// Unwrap returns the sentinel of the class, and the cause.
func (f *failure) Unwrap() []error {
	var all []error
	switch f.class {
	case classRefused:
		all = append(all, agent.ErrModelRefused)
	case classGarbage:
		all = append(all, agent.ErrModelGarbage)
	case classPassing:
	}
	if f.cause != nil {
		all = append(all, f.cause)
	}
	return all
}

func passing(cause error, text string) *failure {
	return &failure{class: classPassing, text: text, cause: cause}
}

func refusal(text string) *failure {
	return &failure{class: classRefused, text: agent.ErrModelRefused.Error() + ": " + text}
}

func rubbish(format string, args ...any) *failure {
	return &failure{class: classGarbage, text: agent.ErrModelGarbage.Error() + ": " + fmt.Sprintf(format, args...)}
}

// operatorError is what operators say with an error, in the shapes seen:
// {"error": {...}}, {"error": "text"} and {"message": "text"}.
type operatorError struct {
	Message string
	Type    string
	Code    string
}

// readOperatorError reports whether data is an answer that says error.
func readOperatorError(data []byte) (operatorError, bool) {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Message json.RawMessage `json:"message"`
	}
	if json.Unmarshal(data, &outer) != nil {
		return operatorError{}, false
	}
	if len(outer.Error) == 0 || bytes.Equal(outer.Error, []byte("null")) {
		text := plain(outer.Message)
		return operatorError{Message: text}, text != ""
	}
	var inner struct {
		Message json.RawMessage `json:"message"`
		Type    json.RawMessage `json:"type"`
		Code    json.RawMessage `json:"code"`
	}
	if json.Unmarshal(outer.Error, &inner) != nil {
		return operatorError{Message: plain(outer.Error)}, true
	}
	return operatorError{Message: plain(inner.Message), Type: word(plain(inner.Type)), Code: word(plain(inner.Code))}, true
}

// plain is a JSON text as it reads, and anything else as it is written.
func plain(data json.RawMessage) string {
	var text string
	if json.Unmarshal(data, &text) == nil {
		return text
	}
	return string(data)
}

// word lets a code through, and no prose.
func word(text string) string {
	const most = 64
	odd := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.'
	}
	if len(text) > most || text == "null" || strings.ContainsFunc(text, odd) {
		return ""
	}
	return text
}

// forGood are codes and types that no other try changes, whatever the status:
// an account without money answers 429, as a busy server does.
func (e operatorError) forGood() bool {
	codes := []string{
		"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated",
		"invalid_api_key", "authentication_error", "permission_error", "invalid_request_error",
		"context_length_exceeded", "model_not_found", "unsupported_parameter",
	}
	return slices.Contains(codes, e.Code) || slices.Contains(codes, e.Type)
}

// describe is the error for people. Where the key was refused, the operator's
// words are left out: they quote parts of it.
func (e operatorError) describe(status int, scrub func(string) string) string {
	var text strings.Builder
	if status > 0 {
		text.WriteString("HTTP " + strconv.Itoa(status))
	} else {
		text.WriteString("error within the answer")
	}
	for _, code := range slices.Compact([]string{e.Type, e.Code}) {
		if code != "" {
			text.WriteString(" " + scrub(code))
		}
	}
	aboutKey := status == http.StatusUnauthorized || status == http.StatusForbidden || e.Code == "invalid_api_key" || e.Type == "authentication_error"
	if e.Message != "" && !aboutKey {
		text.WriteString(": " + strconv.Quote(shorten(scrub(e.Message))))
	}
	return text.String()
}

func shorten(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}
