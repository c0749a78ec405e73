package gateway

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway/waits"
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
	CalledAt   Moment          `json:"called_at"`
}

// recordOf is what a client reads of a tool's outcome.
func recordOf(call waits.Call) ToolCallRecord {
	shown := ToolCallRecord{
		ID: string(call.ID), ToolName: call.Name, ServerID: call.Server, Status: "success",
		DurationMS: call.Duration.Milliseconds(), Input: call.Input, Output: call.Output,
	}
	if !call.OK() {
		shown.Status, shown.ErrorCode = "error", &call.ErrorCode
	}
	return shown
}

// resultOf is the answer to a client that called a tool.
func resultOf(call waits.Call) ToolResult {
	result := ToolResult{
		Success: true, Data: call.Output, Duration: call.Duration.Milliseconds(), Server: call.Server, Tool: call.Name,
		ToolCallID: string(call.ID), CalledAt: momentOf(call.CalledAt),
	}
	if !call.OK() {
		message := call.Error
		if call.ErrorCode == events.FaultUnknownTool || call.ErrorCode == events.FaultServerNotInSession {
			message = "Tool not registered: " + call.Name // clients know it by these words
		}
		result.Success, result.Error = false, &message
	}
	return result
}

// equalJSON compares documents, whatever their spaces and the order of keys.
func equalJSON(a, b json.RawMessage) bool {
	var left, right any
	return decodeNumbers(waits.JSON(string(a)), &left) == nil && decodeNumbers(waits.JSON(string(b)), &right) == nil && reflect.DeepEqual(left, right)
}

func decodeNumbers(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}
