package llm

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/sashabaranov/go-openai"

	"github.com/feira-dev/feira/internal/agent"
)

// listener gathers the chunks of a stream.
type listener struct {
	reply  agent.Reply
	text   strings.Builder
	calls  callBuilder
	chunks int
	spoke  bool // a chunk had a choice
}

// listen reads a stream to its end. go-openai tells the end that the operator
// marks from a mere end of the body by nothing, so it is the finish reason that
// makes a reply complete.
func (c *Client) listen(ctx context.Context, stream *openai.ChatCompletionStream, onDelta func(string)) (agent.Reply, error) {
	var heard listener
	for {
		line, err := stream.RecvRaw()
		switch {
		case errors.Is(err, io.EOF):
			return c.endStream(&heard)
		case err != nil:
			return agent.Reply{}, c.brokenStream(ctx, err)
		}
		if told, ok := readStreamError(line); ok {
			return agent.Reply{}, c.toldWithin(told)
		}
		var chunk openai.ChatCompletionStreamResponse
		if err := json.Unmarshal(line, &chunk); err != nil {
			return agent.Reply{}, rubbish("chunk %d: %s", heard.chunks+1, shorten(c.scrub(err.Error())))
		}
		if err := heard.take(chunk, onDelta); err != nil {
			return agent.Reply{}, rubbish("chunk %d: %v", heard.chunks, err)
		}
	}
}

// take reads one chunk. The one with the usage has no choices.
func (l *listener) take(chunk openai.ChatCompletionStreamResponse, onDelta func(string)) error {
	l.chunks++
	if chunk.Model != "" {
		l.reply.Model = chunk.Model
	}
	if chunk.Usage != nil {
		l.reply.Usage = usageOf(chunk.Usage)
	}
	for _, choice := range chunk.Choices {
		if choice.Index != 0 {
			continue
		}
		l.spoke = true
		if text := choice.Delta.Content + choice.Delta.Refusal; text != "" {
			l.text.WriteString(text)
			onDelta(text)
		}
		for _, piece := range choice.Delta.ToolCalls {
			if err := l.calls.add(piece); err != nil {
				return err
			}
		}
		if choice.FinishReason != "" && choice.FinishReason != openai.FinishReasonNull {
			l.reply.FinishReason = string(choice.FinishReason)
		}
	}
	return nil
}

func (c *Client) endStream(heard *listener) (agent.Reply, error) {
	if heard.chunks > 0 && !heard.spoke {
		return agent.Reply{}, rubbish("it has no choices")
	}
	if heard.reply.FinishReason == "" {
		return agent.Reply{}, passing(io.ErrUnexpectedEOF, "the answer broke off: the stream ended before the reply did")
	}
	heard.reply.Text = heard.text.String()
	heard.reply.ToolCalls = heard.calls.calls
	return c.finish(heard.reply)
}

// brokenStream reads an error of the stream reader.
func (c *Client) brokenStream(ctx context.Context, err error) *failure {
	if told, ok := errors.AsType[*openai.APIError](err); ok {
		code, _ := told.Code.(string)
		return c.toldWithin(operatorError{Message: told.Message, Type: word(told.Type), Code: word(code)})
	}
	if errors.Is(err, openai.ErrTooManyEmptyStreamMessages) {
		return rubbish("the stream says nothing")
	}
	return c.brokenOff(ctx, err)
}

// readStreamError reads an error among the chunks. go-openai knows only those
// that begin with it, and returns nothing at all for one that it cannot read.
func readStreamError(line []byte) (operatorError, bool) {
	if len(line) == 0 {
		return operatorError{}, true
	}
	var outer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(line, &outer) != nil || len(outer.Error) == 0 {
		return operatorError{}, false
	}
	return readOperatorError(line)
}
