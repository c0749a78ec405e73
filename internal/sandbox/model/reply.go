package model

import (
	"net/http"
	"strings"
)

// reply is an answer, before it is known how it travels.
type reply struct {
	id      string
	created int64
	text    string
	calls   []toolCall
	finish  string
	usage   usage
}

// Finish reasons.
const (
	finishStop   = "stop"
	finishLength = "length"
	finishCalls  = "tool_calls"
)

// limit cuts a text that is longer than the caller pays for.
func (r *reply) limit(most int64) {
	if most > 0 && int64(len(r.text))/bytesPerToken > most {
		r.text = strings.ToValidUTF8(r.text[:most*bytesPerToken], "")
		r.finish = finishLength
	}
}

// count works out the usage of an answer to a prompt of so many bytes.
func (r *reply) count(prompt int) {
	size := len(r.text)
	for _, call := range r.calls {
		size += len(call.Function.Name) + len(call.Function.Arguments)
	}
	r.usage = usage{Prompt: tokens(prompt), Completion: tokens(size)}
	r.usage.Total = r.usage.Prompt + r.usage.Completion
}

// frame is what every answer and chunk begins with.
func (r *reply) frame(object string, choices []any) map[string]any {
	return map[string]any{
		"id": r.id, "object": object, "created": r.created, "model": Name, "system_fingerprint": "fp_offline", "choices": choices,
	}
}

func (r *reply) write(w http.ResponseWriter) {
	said := map[string]any{"role": "assistant", "content": nil, "refusal": nil}
	if r.text != "" {
		said["content"] = r.text
	}
	if len(r.calls) > 0 {
		said["tool_calls"] = r.calls
	}
	body := r.frame("chat.completion", []any{map[string]any{"index": 0, "message": said, "logprobs": nil, "finish_reason": r.finish}})
	body["usage"] = r.usage
	writeJSON(w, http.StatusOK, body)
}
