package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// request is what the API takes, as far as this model heeds it.
type request struct {
	Model               string     `json:"model"`
	Messages            []message  `json:"messages"`
	Tools               []tool     `json:"tools"`
	ToolChoice          toolChoice `json:"tool_choice"`
	Stream              bool       `json:"stream"`
	StreamOptions       *options   `json:"stream_options"`
	MaxTokens           int64      `json:"max_tokens"`
	MaxCompletionTokens int64      `json:"max_completion_tokens"`
}

type options struct {
	IncludeUsage bool `json:"include_usage"`
}

// message is one of a conversation.
type message struct {
	Role       string     `json:"role"`
	Content    content    `json:"content"`
	ToolCalls  []toolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type toolCall struct {
	ID       string   `json:"id"`
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type tool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// content is a text, or parts of which the texts count.
type content string

// UnmarshalJSON implements [json.Unmarshaler].
func (c *content) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		*c = ""
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*c = content(text)
		return nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return fmt.Errorf("content is neither a text nor a list of parts: %w", err)
	}
	var all strings.Builder
	for _, part := range parts {
		all.WriteString(part.Text)
	}
	*c = content(all.String())
	return nil
}

// toolChoice is "none", "auto", "required", or an object that names a tool.
type toolChoice struct{ none bool }

// UnmarshalJSON implements [json.Unmarshaler].
func (c *toolChoice) UnmarshalJSON(data []byte) error {
	c.none = bytes.Equal(bytes.TrimSpace(data), []byte(`"none"`))
	return nil
}

// usage counts tokens.
type usage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
}

// bytesPerToken is how tokens are counted.
const bytesPerToken = 4

func tokens(n int) int64 { return int64((n + bytesPerToken - 1) / bytesPerToken) }
