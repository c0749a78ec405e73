package provider

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/hostile"
)

const maxRawHeader = 256 // bytes of a header's value in the answer to a raw call

// judgeRaw reads an answer to a raw call. Whatever the provider says is the
// answer, an error too: what it means is for the caller to know.
func (a *account) judgeRaw(t *tool, got answer, after time.Duration) verdict {
	read := verdict{effect: effectDone, after: after, result: a.rawResult(t, got)}
	switch {
	case got.status == http.StatusUnauthorized && got.token != "":
		read.again, read.stale = true, true
	case inDoubt(got.status):
		read.again = a.mayRetry(got, t.Safety.Repeatable())
	}
	return read
}

func (a *account) rawResult(t *tool, got answer) agent.Result {
	output, fault := a.rawOutput(got)
	if fault == nil {
		return agent.Result{Status: events.ToolOK, Output: output}
	}
	result := agent.Result{Status: events.ToolError, Fault: fault}
	if t.Safety != agent.SafetyRead && (got.ok() || inDoubt(got.status)) {
		fault.Message += "; the call may have had its effect"
		result.Status = events.ToolUnknown
	}
	return result
}

// rawOutput is an answer whole: status, some headers, and the body as JSON, or as
// a text where it is none. It is clean and scrubbed, and never cut, because half
// a document is none.
func (a *account) rawOutput(got answer) (string, *events.ToolFault) {
	name, limit := a.server.manifest.Name, a.client.config.MaxOutput
	large := &events.ToolFault{
		Code:    events.FaultResultTooLarge,
		Message: name + " answered " + strconv.Itoa(got.status) + " with more than " + strconv.Itoa(limit) + " bytes",
	}
	if got.tooLarge {
		return "", large
	}
	data, ok := documentOf(got.body)
	if !ok {
		return "", &events.ToolFault{Code: events.FaultProviderError, Message: name + " answered " + strconv.Itoa(got.status) + " with something that is neither JSON nor text"}
	}
	text, err := encodeJSON(map[string]any{"status": got.status, "headers": a.rawHeaders(got.header), "data": a.scrubber.Document(data)})
	if err != nil {
		return "", &events.ToolFault{Code: events.FaultProviderError, Message: name + "'s answer cannot be written down"}
	}
	output := a.scrubber.Scrub(string(text))
	if len(output) > limit {
		return "", large
	}
	return output, nil
}

// documentOf is a body as JSON has it; false when it is no text at all.
func documentOf(body []byte) (any, bool) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, true
	}
	if document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body)); err == nil {
		return document, true
	}
	return string(body), utf8.Valid(body)
}

// rawHeaders are those of an answer that its caller may need, in lower case as
// the SDK's runtime has them.
func (a *account) rawHeaders(header http.Header) map[string]any {
	shown := map[string]any{}
	passing := []string{"content-type", "etag", "idempotent-replayed", "last-modified", "request-id", "retry-after", "x-request-id"}
	for _, own := range []string{a.server.manifest.RateLimit.Remaining, a.server.manifest.RateLimit.Reset} {
		passing = append(passing, strings.ToLower(own))
	}
	for name := range header {
		if name = strings.ToLower(name); slices.Contains(passing, name) {
			shown[name] = hostile.Clip(a.scrubber.Scrub(hostile.Clean(header.Get(name))), maxRawHeader)
		}
	}
	return shown
}
