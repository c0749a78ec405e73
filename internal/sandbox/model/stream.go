package model

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"
)

// pieceBytes is about how much of a text or of arguments one chunk carries.
const pieceBytes = 24

// stream sends a reply in chunks.
type stream struct {
	w      http.ResponseWriter
	flush  func() error
	pause  func(ctx context.Context, d time.Duration) bool
	delay  time.Duration
	reply  *reply
	usage  bool // the caller asked for a last chunk with the usage
	halved bool // the connection is to be cut half way
}

// send reports whether the whole reply went out.
func (s *stream) send(ctx context.Context) bool {
	s.w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	s.w.Header().Set("Cache-Control", "no-cache")
	s.w.WriteHeader(http.StatusOK)
	chunks := s.chunks()
	if s.halved {
		chunks = chunks[:(len(chunks)+1)/2]
	}
	for i, chunk := range chunks {
		if i > 0 && !s.pause(ctx, s.delay) {
			return false
		}
		data, err := json.Marshal(chunk)
		if err != nil || !s.event(data) {
			return false
		}
	}
	return !s.halved && s.event([]byte("[DONE]"))
}

func (s *stream) event(data []byte) bool {
	_, err := s.w.Write(append(append([]byte("data: "), data...), "\n\n"...))
	return err == nil && s.flush() == nil
}

func (s *stream) chunks() []map[string]any {
	deltas := []map[string]any{{"role": "assistant", "content": ""}}
	for _, piece := range pieces(s.reply.text) {
		deltas = append(deltas, map[string]any{"content": piece})
	}
	for i, call := range s.reply.calls {
		deltas = append(deltas, map[string]any{"tool_calls": []any{map[string]any{
			"index": i, "id": call.ID, "type": call.Type, "function": map[string]any{"name": call.Function.Name, "arguments": ""},
		}}})
		for _, piece := range pieces(call.Function.Arguments) {
			deltas = append(deltas, map[string]any{"tool_calls": []any{map[string]any{
				"index": i, "function": map[string]any{"arguments": piece},
			}}})
		}
	}
	var chunks []map[string]any
	for _, delta := range deltas {
		chunks = append(chunks, s.chunk(delta, nil))
	}
	chunks = append(chunks, s.chunk(map[string]any{}, s.reply.finish))
	if s.usage {
		last := s.reply.frame("chat.completion.chunk", []any{})
		last["usage"] = s.reply.usage
		chunks = append(chunks, last)
	}
	return chunks
}

func (s *stream) chunk(delta map[string]any, finish any) map[string]any {
	return s.reply.frame("chat.completion.chunk", []any{
		map[string]any{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": finish},
	})
}

// pieces cuts a text between characters.
func pieces(text string) []string {
	var all []string
	for len(text) > pieceBytes {
		at := pieceBytes
		for at > 0 && !utf8.RuneStart(text[at]) {
			at--
		}
		if at == 0 { // No text: arguments need be no UTF-8.
			at = pieceBytes
		}
		all = append(all, text[:at])
		text = text[at:]
	}
	if text != "" {
		all = append(all, text)
	}
	return all
}
