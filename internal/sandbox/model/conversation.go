package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/sandbox/planner"
)

// hash names a conversation: the same messages have the same one, whatever
// tools and options came with them.
func hash(messages []message) string {
	data, err := json.Marshal(messages)
	if err != nil { // Messages are texts, which always encode.
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// turn is all since the last user message, as the planner sees it.
func turn(messages []message, today time.Time) planner.Turn {
	last := -1
	for i, m := range slices.Backward(messages) {
		if m.Role == "user" {
			last = i
			break
		}
	}
	t := planner.Turn{Today: today}
	for _, m := range messages[:max(last, 0)] {
		if m.Role != "system" && m.Role != "developer" {
			t.Earlier = append(t.Earlier, unquoted(string(m.Content)))
		}
		if m.Role == "user" {
			t.Said = append(t.Said, own(string(m.Content)))
		}
	}
	if last < 0 {
		return t
	}
	t.Text = own(string(messages[last].Content))
	outputs := map[string]string{}
	for _, m := range messages[last:] {
		if m.Role == "tool" {
			outputs[m.ToolCallID] = unquoted(string(m.Content))
		}
	}
	for _, m := range messages[last:] {
		if len(m.ToolCalls) == 0 {
			continue
		}
		var round []planner.Call
		for _, call := range m.ToolCalls {
			round = append(round, planner.Call{Name: call.Function.Name, Arguments: call.Function.Arguments, Output: outputs[call.ID]})
		}
		t.Rounds = append(t.Rounds, round)
	}
	return t
}

// offered are the tools as the planner sees them.
func offered(tools []tool) []planner.Tool {
	var all []planner.Tool
	for _, t := range tools {
		all = append(all, planner.Tool{Name: t.Function.Name, Parameters: t.Function.Parameters})
	}
	return all
}

// numbered gives calls the ids that follow from the conversation.
func numbered(calls []planner.Call, conversation string) []toolCall {
	var all []toolCall
	for i, call := range calls {
		sum := sha256.Sum256([]byte(conversation + "/" + strconv.Itoa(i)))
		all = append(all, toolCall{
			ID: "call_" + hex.EncodeToString(sum[:12]), Type: "function", Function: function{Name: call.Name, Arguments: call.Arguments},
		})
	}
	return all
}

// own is what a caller says without what it quotes behind it, as the agent
// quotes a webhook: nobody outside gives orders.
func own(text string) string {
	if at := strings.Index(text, "\n\n<untrusted:"); at >= 0 {
		if _, ok := agent.Quoted(text[at+2:]); ok {
			return text[:at]
		}
	}
	return text
}

// unquoted reads what the agent quotes: an answer as a whole, or the words of a
// provider within a fault. The planner takes no orders from either: it reads
// them for ids, prices and errors alone.
func unquoted(text string) string {
	if inner, ok := agent.Quoted(text); ok {
		return inner
	}
	var failed struct {
		Status string `json:"status"`
		Error  struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal([]byte(text), &failed) != nil {
		return text
	}
	inner, ok := agent.Quoted(failed.Error.Message)
	if !ok {
		return text
	}
	failed.Error.Message = inner
	plain, err := json.Marshal(failed)
	if err != nil { // Texts always encode.
		return text
	}
	return string(plain)
}
