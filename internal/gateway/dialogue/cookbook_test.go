package dialogue_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox/model"
)

// shop is a tenant of the cookbook, with what its customer wants.
type shop struct {
	tenant  string
	servers []string
	order   string
	// mentions is what only this shop's tools are called.
	mentions, never string
}

// shops are the two of the cookbook.
func shops() []shop {
	return []shop{
		{
			"tenant_acme",
			[]string{"stripe", "correios", "nuvem-fiscal"},
			"/call stripe__retrieve_balance {}\n/call correios__find_cep {\"cep\":\"01310100\"}\n/call correios__find_cep {\"cep\":\"20040020\"}\n/then\n/call stripe__list_payment_intents {}",
			"stripe__", "asaas__",
		},
		{
			"tenant_loja",
			[]string{"asaas", "melhor-envio", "z-api"},
			"/call asaas__get_balance {}\n/call asaas__list_customers {}\n/then\n/call asaas__list_payments {}",
			"asaas__", "stripe__",
		},
	}
}

// application is a SaaS that is written for CodeSpar: it knows a base URL, one
// key and a model.
type application struct {
	base  string
	key   string
	model string
}

// sandboxModel serves the offline model as OpenAI's API is served.
func sandboxModel(t *testing.T) string {
	t.Helper()
	stopping := make(chan struct{})
	server := httptest.NewServer(model.New(model.Config{}).Handler(stopping))
	t.Cleanup(func() {
		close(stopping)
		server.Close()
	})
	return server.URL + model.Prefix
}

// asked is what is asked of whom.
type asked struct{ method, url, key string }

// ask asks for JSON with JSON, and fails the test for any refusal.
func (a application) ask(t *testing.T, of asked, body, into any) {
	t.Helper()
	var sent bytes.Buffer
	if body != nil {
		require.NoError(t, json.NewEncoder(&sent).Encode(body))
	}
	request, err := http.NewRequestWithContext(t.Context(), of.method, of.url, &sent)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+of.key)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close() //nolint:errcheck // it is read to its end
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Less(t, answer.StatusCode, 300, "%s %s: %s", of.method, of.url, text)
	require.NoError(t, json.Unmarshal(text, into), "%s", text)
}

type chatCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type chatMessage struct {
	Role      string     `json:"role"`
	Content   string     `json:"content"`
	ToolCalls []chatCall `json:"tool_calls,omitempty"`
	CallID    string     `json:"tool_call_id,omitempty"`
}

// serve runs the cookbook's route: a session of the tenant's, its tools, the
// model until it has an answer, and an end. It returns how many tools were called.
func (a application) serve(t *testing.T, of shop) int {
	t.Helper()
	var session struct{ ID, Status string }
	a.ask(t, asked{"POST", a.base + "/v1/sessions", a.key}, map[string]any{"servers": of.servers, "user_id": of.tenant}, &session)
	defer func() {
		a.ask(t, asked{"DELETE", a.base + "/v1/sessions/" + session.ID, a.key}, nil, &session)
		require.Equal(t, "closed", session.Status)
	}()
	tools := a.tools(t, session.ID, of)
	messages := []chatMessage{{Role: "user", Content: of.order}}
	calls := 0
	for range 10 {
		var reply struct {
			Choices []struct{ Message chatMessage }
		}
		a.ask(t, asked{"POST", a.model + "/chat/completions", "sk-of-nobody"}, map[string]any{"model": model.Name, "messages": messages, "tools": tools}, &reply)
		require.Len(t, reply.Choices, 1)
		said := reply.Choices[0].Message
		messages = append(messages, said)
		if len(said.ToolCalls) == 0 {
			require.NotEmpty(t, said.Content)
			return calls
		}
		calls += len(said.ToolCalls)
		messages = append(messages, a.execute(t, session.ID, said.ToolCalls)...)
	}
	require.Fail(t, "the model does not come to an end")
	return 0
}

func (a application) tools(t *testing.T, session string, of shop) []map[string]any {
	t.Helper()
	var listed struct {
		Servers []struct {
			ID        string
			Connected bool
		}
		Tools []Tool
	}
	a.ask(t, asked{"GET", a.base + "/v1/sessions/" + session + "/connections", a.key}, nil, &listed)
	require.Len(t, listed.Servers, len(of.servers))
	var functions []map[string]any
	mine := 0
	for _, tool := range listed.Tools {
		require.False(t, strings.HasPrefix(tool.Name, of.never), "%s is another tenant's", tool.Name)
		if strings.HasPrefix(tool.Name, of.mentions) {
			mine++
		}
		functions = append(functions, map[string]any{
			"type": "function", "function": map[string]any{"name": tool.Name, "description": tool.Description, "parameters": tool.InputSchema},
		})
	}
	require.Positive(t, mine)
	return functions
}

// Tool is a tool as the SDK reads it.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	InputSchema json.RawMessage `json:"input_schema"`
}

// execute has the tools called side by side, as an application does.
func (a application) execute(t *testing.T, session string, calls []chatCall) []chatMessage {
	t.Helper()
	results := make([]chatMessage, len(calls))
	var all sync.WaitGroup
	for n, call := range calls {
		all.Go(func() {
			var result struct {
				Success bool
				Error   *string
				Tool    string
				CallID  string `json:"tool_call_id"`
			}
			body := map[string]any{"tool": call.Function.Name, "input": json.RawMessage(call.Function.Arguments)}
			a.ask(t, asked{"POST", a.base + "/v1/sessions/" + session + "/execute", a.key}, body, &result)
			if !result.Success || result.Error != nil || result.Tool != call.Function.Name || result.CallID == "" {
				t.Errorf("%s came back as %+v", call.Function.Name, result)
			}
			results[n] = chatMessage{Role: "tool", CallID: call.ID, Content: `{"success":true}`}
		})
	}
	all.Wait()
	return results
}

// usage groups the tool calls as the cookbook's billing job does.
func (a application) usage(t *testing.T) (perTenant map[string]int, sessions map[string]string) {
	t.Helper()
	perTenant, sessions = map[string]int{}, map[string]string{}
	cursor := ""
	for {
		var page struct {
			Calls []struct {
				SessionID string `json:"session_id"`
				Metadata  map[string]string
			} `json:"tool_calls"`
			Next *string `json:"next_cursor"`
		}
		a.ask(t, asked{"GET", a.base + "/v1/usage?limit=2&cursor=" + cursor, a.key}, nil, &page)
		for _, call := range page.Calls {
			perTenant[call.Metadata["tenant_id"]]++
			sessions[call.SessionID] = call.Metadata["tenant_id"]
		}
		if page.Next == nil {
			return perTenant, sessions
		}
		cursor = *page.Next
	}
}

// The cookbook's application by plain HTTP: two tenants side by side, each with
// its servers alone, and a bill that is the calls that were made.
func TestCookbook(t *testing.T) {
	t.Parallel()
	b := Start(t, nil)
	a := application{base: b.Dev.HTTP, key: b.Dev.Key, model: sandboxModel(t)}
	made := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, of := range shops() {
		for range 3 { // customers of the shop
			all.Go(func() {
				calls := a.serve(t, of)
				mu.Lock()
				defer mu.Unlock()
				made[of.tenant] += calls
			})
		}
	}
	all.Wait()
	require.Equal(t, map[string]int{"tenant_acme": 12, "tenant_loja": 9}, made)
	require.Eventually(t, func() bool { // the meter has come so far
		billed, _ := a.usage(t)
		return billed["tenant_acme"] >= 12 && billed["tenant_loja"] >= 9
	}, patience, 50*time.Millisecond)
	billed, sessions := a.usage(t)
	require.Equal(t, made, billed)
	require.Len(t, sessions, 6)
}
