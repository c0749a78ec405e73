package sandbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	openai "github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/fault"
)

func prompt(text string, tools ...openai.Tool) openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model: "feira-offline", Tools: tools,
		Messages: []openai.ChatCompletionMessage{{Role: "system", Content: "You are an agent."}, {Role: "user", Content: text}},
	}
}

func sendText() openai.Tool {
	return openai.Tool{Type: "function", Function: &openai.FunctionDefinition{Name: "z-api__send_text", Parameters: json.RawMessage(`{"type":"object"}`)}}
}

// A stream and a whole answer say the same, and cost the same.
func TestStreamEqualsWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, text := range []string{
		"/say olá, ação, coração: a text that is longer than a chunk or two",
		"/call z-api__send_text {\"message\":\"não é um texto curto, é um texto longo\"}\n/call z-api__send_text not json",
	} {
		whole, err := b.openai("key").CreateChatCompletion(t.Context(), prompt(text, sendText()))
		require.NoError(t, err)
		request := prompt(text, sendText())
		streamed, usage := readStream(t, b, request)
		require.Empty(t, cmp.Diff(whole.Choices[0].Message, streamed))
		require.Equal(t, whole.Usage.CompletionTokens, usage.CompletionTokens)
		require.Equal(t, usage.TotalTokens, usage.PromptTokens+usage.CompletionTokens)
		require.Positive(t, usage.PromptTokens)
	}
	require.Len(t, b.Model().BoughtTwice(), 2)
	require.Equal(t, 4, b.Model().Answered())
}

func TestStreamWithoutUsage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stream, err := b.openai("key").CreateChatCompletionStream(t.Context(), prompt("/say hi"))
	require.NoError(t, err)
	defer func() { _ = stream.Close() }()
	var finished strings.Builder
	for {
		chunk, err := stream.Recv()
		if err != nil {
			require.ErrorContains(t, err, "EOF")
			break
		}
		require.Nil(t, chunk.Usage)
		finished.WriteString(string(chunk.Choices[0].FinishReason))
	}
	require.Equal(t, "stop", finished.String())
}

func TestModelKeysAndModels(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *sandbox.Config) { c.ModelKey = "right" })
	list, err := b.openai("right").ListModels(t.Context())
	require.NoError(t, err)
	require.Equal(t, "feira-offline", list.Models[0].ID)
	for _, key := range []string{"", "wrong"} {
		_, err := b.openai(key).CreateChatCompletion(t.Context(), prompt("hi"))
		requireAPIError(t, err, http.StatusUnauthorized, "invalid_api_key")
	}
	request := prompt("hi")
	request.Model = "gpt-9"
	_, err = b.openai("right").CreateChatCompletion(t.Context(), request)
	requireAPIError(t, err, http.StatusNotFound, "model_not_found")
}

func requireAPIError(t *testing.T, err error, status int, code string) {
	t.Helper()
	var apiErr *openai.APIError
	require.ErrorAs(t, err, &apiErr)
	require.Equal(t, status, apiErr.HTTPStatusCode)
	if code != "" {
		require.Equal(t, code, apiErr.Code)
	}
}

// What the real API refuses is refused.
func TestModelIsStrict(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *sandbox.Config) { c.ModelContext = 2000 })
	called := openai.ChatCompletionMessage{Role: "assistant", ToolCalls: []openai.ToolCall{{ID: "c1", Type: "function", Function: openai.FunctionCall{Name: "a__b", Arguments: "{}"}}}}
	answered := openai.ChatCompletionMessage{Role: "tool", ToolCallID: "c1", Content: "{}"}
	user := openai.ChatCompletionMessage{Role: "user", Content: "hi"}
	badName, badSchema := sendText(), sendText()
	badName.Function.Name = "z-api.send text"
	badSchema.Function = &openai.FunctionDefinition{Name: "a__b", Parameters: json.RawMessage(`{"type":"string"}`)}
	send := func(tools []openai.Tool, messages ...openai.ChatCompletionMessage) error {
		_, err := b.openai("key").CreateChatCompletion(t.Context(), openai.ChatCompletionRequest{Model: "feira-offline", Messages: messages, Tools: tools})
		return err
	}
	require.NoError(t, send(nil, user, called, answered))
	requireAPIError(t, send(nil), 400, "")
	requireAPIError(t, send(nil, user, called), 400, "")
	requireAPIError(t, send(nil, user, called, user), 400, "")
	requireAPIError(t, send(nil, user, answered), 400, "")
	requireAPIError(t, send(nil, user, called, answered, answered), 400, "")
	requireAPIError(t, send(nil, openai.ChatCompletionMessage{Role: "robot", Content: "hi"}), 400, "")
	requireAPIError(t, send([]openai.Tool{badName}, user), 400, "")
	requireAPIError(t, send([]openai.Tool{badSchema}, user), 400, "invalid_function_parameters")
	requireAPIError(t, send(nil, openai.ChatCompletionMessage{Role: "user", Content: strings.Repeat("x", 8001)}), 400, "context_length_exceeded")
	require.Equal(t, 1, b.Model().Answered(), "what is refused is not sold")
}

func TestModelLimitsAndChoices(t *testing.T) {
	t.Parallel()
	b := setup(t)
	request := prompt("/long 1000")
	request.MaxCompletionTokens = 10
	response, err := b.openai("key").CreateChatCompletion(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, openai.FinishReasonLength, response.Choices[0].FinishReason)
	require.Equal(t, 10, response.Usage.CompletionTokens)

	forbidden := prompt("/call z-api__send_text {}", sendText())
	forbidden.ToolChoice = "none"
	response, err = b.openai("key").CreateChatCompletion(t.Context(), forbidden)
	require.NoError(t, err)
	require.Empty(t, response.Choices[0].Message.ToolCalls)

	loop := prompt("/loop z-api__send_text {}", sendText())
	for range 3 {
		response, err = b.openai("key").CreateChatCompletion(t.Context(), loop)
		require.NoError(t, err)
		call := response.Choices[0].Message.ToolCalls[0]
		loop.Messages = append(loop.Messages, response.Choices[0].Message, openai.ChatCompletionMessage{Role: "tool", ToolCallID: call.ID, Content: "{}"})
	}
	require.NotEqual(t, loop.Messages[2].ToolCalls[0].ID, loop.Messages[4].ToolCalls[0].ID, "ids differ from reply to reply")
}

func TestModelDirectivesOfFaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ask := func(text string) (openai.ChatCompletionResponse, error) {
		return b.openai("key").CreateChatCompletion(t.Context(), prompt(text, sendText()))
	}
	_, err := ask("/garbage")
	require.Error(t, err)
	empty, err := ask("/empty")
	require.NoError(t, err)
	require.Empty(t, empty.Choices)
	_, err = ask("/fail 429")
	requireAPIError(t, err, 429, "rate_limit_exceeded")
	_, err = ask("/cut")
	require.ErrorContains(t, err, "EOF")
	bad, err := ask("/badargs")
	require.NoError(t, err)
	require.False(t, json.Valid([]byte(bad.Choices[0].Message.ToolCalls[0].Function.Arguments)))

	require.Equal(t, 2, b.Model().Answered(), "the cut one and the bad one were sold, the others not")

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = b.openai("key").CreateChatCompletion(ctx, prompt("/hang"))
	require.ErrorIs(t, err, context.DeadlineExceeded)

	stream, err := b.openai("key").CreateChatCompletionStream(t.Context(), prompt("/cut\n/long 500"))
	require.NoError(t, err)
	defer func() { _ = stream.Close() }()
	for received := 0; ; received++ {
		if _, err := stream.Recv(); err != nil {
			require.Positive(t, received, "half of it comes")
			require.ErrorContains(t, err, "unexpected EOF")
			break
		}
	}
}

func TestModelFaultsOnDemand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ask := func() error {
		_, err := b.openai("key").CreateChatCompletion(t.Context(), prompt("/say hi"))
		return err
	}
	require.NoError(t, b.Fault(fault.Fault{Server: sandbox.ModelServer, Kind: fault.KindStatus, Status: 429, RetryAfter: time.Second, Times: 2}))
	requireAPIError(t, ask(), 429, "rate_limit_exceeded")
	requireAPIError(t, ask(), 429, "")
	require.NoError(t, ask())
	require.Equal(t, 1, b.Model().Answered(), "a refused request is not sold")

	require.NoError(t, b.Fault(fault.Fault{Server: sandbox.ModelServer, Kind: fault.KindGarbage, Body: `{"choices":[]}`}))
	require.NoError(t, ask())
	require.NoError(t, b.Fault(fault.Fault{Server: sandbox.ModelServer, Kind: fault.KindStatus, Status: 500, AfterEffect: true}))
	requireAPIError(t, ask(), 500, "")
	require.NoError(t, ask())
	bought := b.Model().BoughtTwice()
	require.Len(t, bought, 1)
	require.Equal(t, 3, bought[0].Answered, "one was sold though its answer never came")
}

func TestModelLatencyAndPauses(t *testing.T) {
	t.Parallel()
	const latency, pause = 20 * time.Millisecond, 5 * time.Millisecond
	b := setup(t, func(c *sandbox.Config) { c.ModelLatency, c.ModelChunkDelay = latency, pause })
	began := time.Now()
	message, _ := readStream(t, b, prompt("/say "+strings.Repeat("x", 200)))
	require.GreaterOrEqual(t, time.Since(began), latency+8*pause)
	require.Len(t, message.Content, len("[offline model] ")+200)
}

func TestConversationsOverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 2 {
		_, err := b.openai("key").CreateChatCompletion(t.Context(), prompt("/say hi"))
		require.NoError(t, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), "GET", strings.Replace(b.JournalURL(), "journal", "conversations", 1), nil)
	require.NoError(t, err)
	require.Contains(t, b.do(t, request).raw, `"messages":2,"asked":2,"answered":2`)
}
