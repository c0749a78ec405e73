package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

// ToolCallRecord is a tool call of an agent's turn, as clients read it.
type ToolCallRecord struct {
	ID         string          `json:"id"`
	ToolName   string          `json:"tool_name"`
	ServerID   string          `json:"server_id"`
	Status     string          `json:"status" enum:"success,error"`
	DurationMS int64           `json:"duration_ms"`
	Input      json.RawMessage `json:"input"`
	Output     json.RawMessage `json:"output"`
	ErrorCode  *string         `json:"error_code"`
}

// ToolResult is the outcome of one tool that a client called.
type ToolResult struct {
	Success    bool            `json:"success"`
	Data       json.RawMessage `json:"data" doc:"The provider's answer, or an object that says why there is none."`
	Error      *string         `json:"error" doc:"Null on success."`
	Duration   int64           `json:"duration" doc:"Milliseconds."`
	Server     string          `json:"server"`
	Tool       string          `json:"tool"`
	ToolCallID string          `json:"tool_call_id"`
	CalledAt   time.Time       `json:"called_at"`
}

// place is where a tool call stands in its session.
type place struct {
	Session   events.SessionID
	Request   events.RequestID
	Iteration int
	Index     int
}

const callPrefix = "tc_"

var errNoCall = errors.New("no tool call's id")

// id names the call for clients. It can be read back, so that a call is found
// without an index of calls.
func (p place) id() string {
	text := strings.Join([]string{string(p.Session), string(p.Request), strconv.Itoa(p.Iteration), strconv.Itoa(p.Index)}, "\n")
	return callPrefix + base64.RawURLEncoding.EncodeToString([]byte(text))
}

func parsePlace(id string) (place, error) {
	encoded, ok := strings.CutPrefix(id, callPrefix)
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	parts := strings.Split(string(text), "\n")
	if !ok || err != nil || len(parts) != 4 {
		return place{}, errNoCall
	}
	session, badSession := events.ParseSessionID(parts[0])
	request, badRequest := events.ParseRequestID(parts[1])
	iteration, badIteration := strconv.Atoi(parts[2])
	index, badIndex := strconv.Atoi(parts[3])
	if err := errors.Join(badSession, badRequest, badIteration, badIndex); err != nil {
		return place{}, errNoCall
	}
	return place{Session: session, Request: request, Iteration: iteration, Index: index}, nil
}

// recordOf is what a client reads of a tool's outcome.
func recordOf(record events.Record, returned *events.ToolReturned, input json.RawMessage) ToolCallRecord {
	at := place{Session: record.Session, Request: record.Request, Iteration: returned.Iteration, Index: returned.Index}
	shown := ToolCallRecord{
		ID: at.id(), ToolName: returned.Name, ServerID: returned.Server, Status: "success",
		DurationMS: returned.DurationMS, Input: objectOr(input), Output: valueOf(returned.Output),
	}
	if returned.Error != nil {
		code := returned.Error.Code
		shown.Status, shown.ErrorCode, shown.Output = "error", &code, faultObject(returned.Error)
	}
	return shown
}

// resultOf is the answer to a client that called a tool.
func resultOf(record events.Record, returned *events.ToolReturned) ToolResult {
	at := place{Session: record.Session, Request: record.Request, Iteration: returned.Iteration, Index: returned.Index}
	result := ToolResult{
		Success: true, Data: valueOf(returned.Output), Duration: returned.DurationMS, Server: returned.Server, Tool: returned.Name,
		ToolCallID: at.id(), CalledAt: record.Time.Add(-time.Duration(returned.DurationMS) * time.Millisecond).UTC(),
	}
	if returned.Error != nil {
		message := returned.Error.Message
		result.Success, result.Error, result.Data = false, &message, faultObject(returned.Error)
	}
	return result
}

// faultObject is a fault in the form by which clients tell kinds apart.
func faultObject(fault *events.ToolFault) json.RawMessage {
	text, err := json.Marshal(fault)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}

// valueOf is a provider's answer as JSON: as it is where it is JSON, as a text
// where it is not, and an empty object where there is none.
func valueOf(output string) json.RawMessage {
	if output == "" {
		return json.RawMessage("{}")
	}
	if json.Valid([]byte(output)) {
		return json.RawMessage(output)
	}
	text, err := json.Marshal(output)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}

func objectOr(input json.RawMessage) json.RawMessage {
	if len(bytes.TrimSpace(input)) == 0 || !json.Valid(input) {
		return json.RawMessage("{}")
	}
	return input
}

// equalJSON compares documents, whatever their spaces and the order of keys.
func equalJSON(a, b json.RawMessage) bool {
	var left, right any
	return decodeNumbers(objectOr(a), &left) == nil && decodeNumbers(objectOr(b), &right) == nil && reflect.DeepEqual(left, right)
}

func decodeNumbers(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}
