package llm

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sashabaranov/go-openai"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// Finish reasons of a [agent.Reply].
const (
	// FinishStop: the model has said what it had to say.
	FinishStop = "stop"
	// FinishToolCalls: the model waits for its tool calls.
	FinishToolCalls = "tool_calls"
	// FinishLength: the reply was cut at its cap of tokens.
	FinishLength = "length"
	// FinishFilter: the operator's filter withheld the reply or part of it.
	FinishFilter = "content_filter"
	// FinishOther: the operator gave a reason that we do not know.
	FinishOther = "other"
)

// maxToolCalls is how many calls one reply may hold: beyond it is no plan.
const maxToolCalls = 128

// read turns a whole answer into a reply.
func (c *Client) read(answer openai.ChatCompletionResponse) (agent.Reply, error) {
	at := slices.IndexFunc(answer.Choices, func(choice openai.ChatCompletionChoice) bool { return choice.Index == 0 })
	if at < 0 {
		return agent.Reply{}, rubbish("it has no choices")
	}
	choice := answer.Choices[at]
	text := choice.Message.Content
	if text == "" {
		text = choice.Message.Refusal
	}
	calls := make([]events.ToolCall, 0, len(choice.Message.ToolCalls))
	for _, call := range choice.Message.ToolCalls {
		calls = append(calls, events.ToolCall{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
	}
	return c.finish(agent.Reply{Model: answer.Model, Text: text, ToolCalls: calls, FinishReason: string(choice.FinishReason), Usage: usageOf(&answer.Usage)})
}

// finish checks what both ways of reading have gathered. An answer may be
// empty: a filter or a cap can leave nothing.
func (c *Client) finish(reply agent.Reply) (agent.Reply, error) {
	if reply.Model == "" {
		reply.Model = c.config.Model
	}
	if len(reply.ToolCalls) > maxToolCalls {
		return agent.Reply{}, rubbish("it has %d tool calls", len(reply.ToolCalls))
	}
	if len(reply.ToolCalls) == 0 {
		reply.ToolCalls = nil
	}
	seen := make(map[string]bool, len(reply.ToolCalls))
	for i := range reply.ToolCalls {
		call := &reply.ToolCalls[i]
		if !validToolName(call.Name) {
			return agent.Reply{}, rubbish("tool call %d has no name that can be called", i)
		}
		// Some servers give no ids, or the same to all; a reply's must differ.
		for next := i; call.ID == "" || seen[call.ID]; next++ {
			call.ID = "call_" + strconv.Itoa(next)
		}
		seen[call.ID] = true
	}
	reply.FinishReason = finishReason(reply.FinishReason, len(reply.ToolCalls) > 0)
	return reply, nil
}

func finishReason(told string, calls bool) string {
	switch openai.FinishReason(told) {
	case openai.FinishReasonStop, openai.FinishReasonNull, "":
		if calls { // some servers say stop with tool calls too
			return FinishToolCalls
		}
		return FinishStop
	case openai.FinishReasonToolCalls, openai.FinishReasonFunctionCall:
		return FinishToolCalls
	case openai.FinishReasonLength:
		return FinishLength
	case openai.FinishReasonContentFilter:
		return FinishFilter
	default:
		return FinishOther
	}
}

func usageOf(usage *openai.Usage) events.TokenUsage {
	return events.TokenUsage{InputTokens: int64(max(0, usage.PromptTokens)), OutputTokens: int64(max(0, usage.CompletionTokens))}
}

// callBuilder puts tool calls together from the pieces of a stream.
type callBuilder struct {
	calls []events.ToolCall
	slots map[int]int // place among calls, by the index that the operator gives
}

// add takes one piece. Operators mostly number the calls; some number none,
// and some give every call the number 0: a new id with a name begins a call
// there. Some repeat id and name with each piece.
func (b *callBuilder) add(piece openai.ToolCall) error {
	at, known := b.find(piece)
	begins := !known || piece.ID != "" && b.calls[at].ID != "" && piece.ID != b.calls[at].ID && piece.Function.Name != ""
	if begins {
		if len(b.calls) == maxToolCalls {
			return fmt.Errorf("it has more than %d tool calls", maxToolCalls)
		}
		at = len(b.calls)
		b.calls = append(b.calls, events.ToolCall{})
		if piece.Index != nil {
			if b.slots == nil {
				b.slots = make(map[int]int)
			}
			b.slots[*piece.Index] = at
		}
	}
	call := &b.calls[at]
	if call.ID == "" {
		call.ID = piece.ID
	}
	if call.Name != piece.Function.Name {
		call.Name += piece.Function.Name
	}
	call.Arguments += piece.Function.Arguments
	return nil
}

func (b *callBuilder) find(piece openai.ToolCall) (int, bool) {
	if piece.Index != nil {
		at, known := b.slots[*piece.Index]
		return at, known
	}
	if piece.ID != "" {
		if at := slices.IndexFunc(b.calls, func(call events.ToolCall) bool { return call.ID == piece.ID }); at >= 0 {
			return at, true
		}
		return 0, false
	}
	// Without number and id, a name begins a call, and the rest continues it.
	return len(b.calls) - 1, len(b.calls) > 0 && piece.Function.Name == ""
}
