package llm_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/llm"
)

// canary is the key; it may be seen in the request's header alone.
const canary = "canary-7f3b-key-of-the-operator"

// fakeTime is a clock that waits move on, at once.
type fakeTime struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
	fired chan time.Time
	stuck bool // waits do not end
}

func (f *fakeTime) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fakeTime) Start(wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waits = append(f.waits, wait)
	if !f.stuck {
		f.now = f.now.Add(wait)
		f.fired <- f.now
	}
}

func (f *fakeTime) Stop() {}

func (f *fakeTime) C() <-chan time.Time { return f.fired }

// handler answers the attempt of this number, counted from 1.
type handler func(w http.ResponseWriter, r *http.Request, attempt int)

type testBundle struct {
	client *llm.Client
	time   *fakeTime
	log    *bytes.Buffer

	mu       sync.Mutex
	requests []map[string]any
	headers  []http.Header
}

func (b *testBundle) attempts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.requests)
}

func setup(t *testing.T, answer handler, adjust ...func(*llm.Config)) *testBundle {
	t.Helper()
	bundle := &testBundle{
		time: &fakeTime{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), fired: make(chan time.Time, 1)},
		log:  &bytes.Buffer{},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request map[string]any
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Errorf("the request is no JSON: %v", err)
		}
		bundle.mu.Lock()
		bundle.requests = append(bundle.requests, request)
		bundle.headers = append(bundle.headers, r.Header.Clone())
		attempt := len(bundle.requests)
		bundle.mu.Unlock()
		answer(w, r, attempt)
	}))
	t.Cleanup(server.Close)
	config := llm.Config{
		BaseURL: server.URL + "/v1", Key: canary, Model: "gpt-4.1-mini", Timeout: 30 * time.Second, MaxElapsed: time.Minute,
		Logger: slog.New(slog.NewTextHandler(bundle.log, nil)), UserAgent: "feira/test",
		Now: bundle.time.Now, NewTimer: func() backoff.Timer { return bundle.time },
	}
	for _, change := range adjust {
		change(&config)
	}
	client, err := llm.New(config)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	bundle.client = client
	return bundle
}

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return data
}

// send answers with a fixture, a stream when its name says so.
func send(t *testing.T, w http.ResponseWriter, name string) {
	t.Helper()
	w.Header().Set("Content-Type", "application/json")
	if filepath.Ext(name) == ".sse" {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	}
	_, _ = w.Write(fixture(t, name))
}

func sendText(w http.ResponseWriter, kind string, status int, text string) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// cut ends the connection in the middle of an answer.
func cut(w http.ResponseWriter, kind, text string) {
	sendText(w, kind, http.StatusOK, text)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func prompt() agent.Prompt {
	return agent.Prompt{
		Tenant: "acme", Session: "ses_1", MaxOutputTokens: 512,
		Messages: []agent.Message{{Role: agent.RoleSystem, Text: "You sell."}, {Role: agent.RoleUser, Text: "Where is it?"}},
		Tools:    []agent.Tool{{Name: "correios__track", Description: "Tracks.", Parameters: json.RawMessage(`{"type":"object"}`)}},
	}
}

func wantText() agent.Reply {
	return agent.Reply{
		Model: "gpt-4.1-mini-2025-04-14", Text: "O pedido saiu.", FinishReason: llm.FinishStop,
		Usage: events.TokenUsage{InputTokens: 31, OutputTokens: 5},
	}
}

func wantTools(model, first, second string) agent.Reply {
	return agent.Reply{
		Model: model, FinishReason: llm.FinishToolCalls, Usage: events.TokenUsage{InputTokens: 120, OutputTokens: 40},
		ToolCalls: []events.ToolCall{
			{ID: first, Name: "stripe__create_charge", Arguments: `{"amount":1990}`},
			{ID: second, Name: "correios__track", Arguments: `{"code":"BR1"}`},
		},
	}
}
