package model

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
)

var toolName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// check refuses what the real API would.
func (r *request) check() *refusal {
	if r.Model != Name {
		return refuse(http.StatusNotFound, "invalid_request_error", "model_not_found",
			"The model `"+r.Model+"` does not exist or you do not have access to it.")
	}
	if len(r.Messages) == 0 {
		return invalid("messages: expected at least one message.")
	}
	for i, t := range r.Tools {
		if t.Type != "function" || !toolName.MatchString(t.Function.Name) {
			return invalid("tools[" + strconv.Itoa(i) + "].function.name: expected a name that matches " + toolName.String())
		}
		var schema struct {
			Type string `json:"type"`
		}
		if len(t.Function.Parameters) > 0 && (json.Unmarshal(t.Function.Parameters, &schema) != nil || schema.Type != "object") {
			return refuse(http.StatusBadRequest, "invalid_request_error", "invalid_function_parameters",
				"Invalid schema for function '"+t.Function.Name+"': schema must be a JSON Schema of 'type: \"object\"'.")
		}
	}
	return checkMessages(r.Messages)
}

// checkMessages holds tool calls and their answers together.
func checkMessages(messages []message) *refusal {
	open := map[string]bool{}
	for i, m := range messages {
		at := "messages[" + strconv.Itoa(i) + "]: "
		if m.Role == "tool" {
			if !open[m.ToolCallID] {
				return invalid(at + "messages with role 'tool' must be a response to a preceding message with 'tool_calls'.")
			}
			delete(open, m.ToolCallID)
			continue
		}
		if len(open) > 0 {
			return unanswered(open)
		}
		switch m.Role {
		case "system", "developer", "user", "assistant":
		default:
			return invalid(at + "unknown role '" + m.Role + "'.")
		}
		for _, call := range m.ToolCalls {
			if m.Role != "assistant" || call.ID == "" || open[call.ID] || !toolName.MatchString(call.Function.Name) {
				return invalid(at + "tool_calls need the role 'assistant', an id of their own and a function name.")
			}
			open[call.ID] = true
		}
	}
	if len(open) > 0 {
		return unanswered(open)
	}
	return nil
}

func unanswered(open map[string]bool) *refusal {
	text := "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. Without response:"
	first := ""
	for id := range open {
		if first == "" || id < first {
			first = id
		}
	}
	return invalid(text + " " + first)
}
