package events

import (
	"errors"
	"fmt"
)

// TypeModelReplied names [ModelReplied].
const TypeModelReplied Type = "feira.model.replied.v1"

// ModelReplied is one answer of the model, bought once. Its tool calls are the
// durable intent: they are written before any of them is sent.
type ModelReplied struct {
	// Iteration counts the model's replies within the turn from 1.
	Iteration    int        `json:"iteration"`
	Model        string     `json:"model"`
	Text         string     `json:"text,omitempty"`
	ToolCalls    []ToolCall `json:"tool_calls,omitempty"`
	FinishReason string     `json:"finish_reason"`
	Usage        TokenUsage `json:"usage"`
	DurationMS   int64      `json:"duration_ms"`
}

// ToolCall is a tool that the model asks for.
type ToolCall struct {
	// ID is the model's own, unique within the reply.
	ID string `json:"id"`
	// Name is the tool as the model wrote it, "server__tool".
	Name string `json:"name"`
	// Arguments are as the model wrote them, which need not be JSON.
	Arguments string `json:"arguments"`
}

// TokenUsage counts tokens as the model's operator bills them.
type TokenUsage struct {
	InputTokens  int64 `json:"input_tokens"`
	OutputTokens int64 `json:"output_tokens"`
}

// Add returns the sum of u and other.
func (u TokenUsage) Add(other TokenUsage) TokenUsage {
	return TokenUsage{InputTokens: u.InputTokens + other.InputTokens, OutputTokens: u.OutputTokens + other.OutputTokens}
}

// Total is input and output tokens together.
func (u TokenUsage) Total() int64 { return u.InputTokens + u.OutputTokens }

// EventType implements [Event].
func (*ModelReplied) EventType() Type { return TypeModelReplied }

// Validate implements [Event].
func (e *ModelReplied) Validate() error {
	var faults []error
	if e.Iteration < 1 {
		faults = append(faults, fmt.Errorf("iteration is %d, want 1 or more", e.Iteration))
	}
	if e.Usage.InputTokens < 0 || e.Usage.OutputTokens < 0 {
		faults = append(faults, errors.New("usage is negative"))
	}
	return errors.Join(faults...)
}
