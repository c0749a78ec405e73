package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/llm"
	"github.com/feira-dev/feira/internal/outcome"
)

func TestReplyReadsAnswers(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]agent.Reply{
		"text.json": wantText(), "text.sse": wantText(),
		"tools.json": wantTools("gpt-4.1-mini", "call_a", "call_b"), "tools.sse": wantTools("gpt-4.1-mini", "call_a", "call_b"),
		"tools_unnumbered.sse": wantTools("local", "a", "b"), "tools_all_zero.sse": wantTools("local", "a", "b"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := setup(t, func(w http.ResponseWriter, _ *http.Request, _ int) { send(t, w, name) })
			var heard strings.Builder
			var onDelta func(string)
			if strings.HasSuffix(name, ".sse") {
				onDelta = func(text string) { heard.WriteString(text) }
			}
			reply, err := bundle.client.Reply(t.Context(), prompt(), onDelta)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(want, reply))
			if onDelta != nil {
				require.Equal(t, want.Text, heard.String())
			}
			require.Equal(t, 1, bundle.attempts())
		})
	}
}

func TestReplyAsksAsOperatorsWantIt(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/chat/completions" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		if strings.Contains(r.Header.Get("Accept"), "event-stream") {
			send(t, w, "text.sse")
			return
		}
		send(t, w, "text.json")
	})
	asked := prompt()
	asked.Messages = append(asked.Messages,
		agent.Message{Role: agent.RoleAssistant, ToolCalls: []events.ToolCall{{ID: "1", Name: "correios__track", Arguments: `{"code":1}`}, {ID: "2", Name: "correios__track", Arguments: `{"cod`}}},
		agent.Message{Role: agent.RoleTool, CallID: "1", Text: "on its way"}, agent.Message{Role: agent.RoleTool, CallID: "2"})
	asked.Tools = append(asked.Tools, agent.Tool{Name: "nuvem-fiscal__list"})
	_, err := bundle.client.Reply(t.Context(), asked, nil)
	require.NoError(t, err)
	_, err = bundle.client.Reply(t.Context(), asked, func(string) {})
	require.NoError(t, err)

	whole, stream := bundle.requests[0], bundle.requests[1]
	require.Equal(t, false, whole["stream"])
	require.NotContains(t, whole, "stream_options")
	require.Equal(t, true, stream["stream"])
	require.Equal(t, map[string]any{"include_usage": true}, stream["stream_options"])
	require.NotContains(t, whole, "max_tokens")
	require.InDelta(t, 512, whole["max_completion_tokens"], 0)
	call := func(id, arguments string) map[string]any {
		return map[string]any{"id": id, "type": "function", "function": map[string]any{"name": "correios__track", "arguments": arguments}}
	}
	require.Empty(t, cmp.Diff([]any{
		map[string]any{"role": "system", "content": "You sell."},
		map[string]any{"role": "user", "content": "Where is it?"},
		map[string]any{"role": "assistant", "tool_calls": []any{call("1", `{"code":1}`), call("2", `{}`)}},
		map[string]any{"role": "tool", "tool_call_id": "1", "content": "on its way"},
		map[string]any{"role": "tool", "tool_call_id": "2", "content": "(empty)"},
	}, whole["messages"]))
	tool := func(name, description string, parameters map[string]any) map[string]any {
		function := map[string]any{"name": name, "parameters": parameters}
		if description != "" {
			function["description"] = description
		}
		return map[string]any{"type": "function", "function": function}
	}
	require.Empty(t, cmp.Diff([]any{
		tool("correios__track", "Tracks.", map[string]any{"type": "object"}),
		tool("nuvem-fiscal__list", "", map[string]any{"type": "object", "properties": map[string]any{}}),
	}, whole["tools"]))
	require.Equal(t, "Bearer "+canary, bundle.headers[0].Get("Authorization"))
	require.Equal(t, "feira/test", bundle.headers[0].Get("User-Agent"))
	body, err := json.Marshal(bundle.requests)
	require.NoError(t, err)
	require.NotContains(t, string(body), canary)
}

func TestReplyWithoutKeyAndCap(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(w http.ResponseWriter, _ *http.Request, _ int) { send(t, w, "text.json") },
		func(config *llm.Config) { config.Key, config.MaxOutputTokens = "", 77 })
	asked := prompt()
	asked.MaxOutputTokens = 0
	_, err := bundle.client.Reply(t.Context(), asked, nil)
	require.NoError(t, err)
	require.Empty(t, bundle.headers[0].Get("Authorization"))
	require.InDelta(t, 77, bundle.requests[0]["max_completion_tokens"], 0)
}

func TestReplyRefusesPromptsThatNobodyTakes(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*agent.Prompt){
		"a tool without name":    func(p *agent.Prompt) { p.Tools[0].Name = "" },
		"a tool with a dot":      func(p *agent.Prompt) { p.Tools[0].Name = "correios.track" },
		"a tool of a long name":  func(p *agent.Prompt) { p.Tools[0].Name = strings.Repeat("a", 65) },
		"a message of no role":   func(p *agent.Prompt) { p.Messages[0].Role = "developer" },
		"a schema that is wrong": func(p *agent.Prompt) { p.Tools[0].Parameters = json.RawMessage(`{`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := setup(t, func(w http.ResponseWriter, _ *http.Request, _ int) { send(t, w, "text.json") })
			asked := prompt()
			spoil(&asked)
			_, err := bundle.client.Reply(t.Context(), asked, nil)
			require.ErrorIs(t, err, agent.ErrModelRefused)
			require.Zero(t, bundle.attempts())
		})
	}
}

func TestReplyHandsTheCauseOn(t *testing.T) {
	t.Parallel()
	for name, onDelta := range map[string]func(string){"whole": nil, "stream": func(string) {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			bundle := setup(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				w.Header().Set("Content-Type", "text/event-stream")
				_ = http.NewResponseController(w).Flush()
				cancel(outcome.ErrStopping)
				<-r.Context().Done() // hangs until the client is gone
			})
			_, err := bundle.client.Reply(ctx, prompt(), onDelta)
			require.ErrorIs(t, err, outcome.ErrStopping)
			require.Equal(t, outcome.ActionRelease, outcome.Of(ctx, err).Action)
			require.Equal(t, 1, bundle.attempts())
		})
	}
}

func TestReplyStopsWaitingWithItsContext(t *testing.T) {
	t.Parallel()
	bundle := setup(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		sendText(w, "text/plain", http.StatusServiceUnavailable, "busy")
	})
	bundle.time.stuck = true
	gone := errors.New("the caller has hung up")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, gone)
	defer cancel()
	_, err := bundle.client.Reply(ctx, prompt(), nil)
	require.ErrorIs(t, err, gone)
	require.Equal(t, 1, bundle.attempts())
}

func TestReplyTriesAgainAfterATryThatHangs(t *testing.T) {
	t.Parallel()
	for name, onDelta := range map[string]func(string){"whole": nil, "stream": func(string) {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := setup(t, func(w http.ResponseWriter, r *http.Request, attempt int) {
				if attempt == 1 {
					<-r.Context().Done()
					return
				}
				send(t, w, map[bool]string{true: "text.json", false: "text.sse"}[onDelta == nil])
			}, func(config *llm.Config) { config.Timeout = 300 * time.Millisecond })
			_, err := bundle.client.Reply(t.Context(), prompt(), onDelta)
			require.NoError(t, err)
			require.GreaterOrEqual(t, bundle.attempts(), 2)
			require.Contains(t, bundle.log.String(), "no whole answer in time: 300ms")
		})
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := llm.New(llm.Config{BaseURL: "ftp://me:" + canary + "@host", Timeout: -1})
	require.ErrorIs(t, err, llm.ErrInvalidConfig)
	require.ErrorContains(t, err, "base url")
	require.ErrorContains(t, err, "model is missing")
	require.ErrorContains(t, err, "a bound is negative")
	require.NotContains(t, err.Error(), canary)
	_, err = llm.New(llm.Config{Model: "a", BaseURL: "https://me:" + canary + "@host"})
	require.ErrorContains(t, err, "base url holds a user")
	_, err = llm.New(llm.Config{Model: "a"})
	require.NoError(t, err)
}
