package model

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/sandbox/planner"
)

// Server is the offline model. It is safe for concurrent use.
type Server struct {
	config Config
	counts counts
}

// New returns a model.
func New(config Config) *Server {
	return &Server{config: config.withDefaults(), counts: counts{byHash: map[string]Conversation{}}}
}

// Handler serves the API. Requests that hang end when stopping is closed.
func (s *Server) Handler(stopping <-chan struct{}) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Prefix+"/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		s.complete(w, r, pauser(stopping))
	})
	mux.HandleFunc("GET "+Prefix+"/models", s.listModels)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.Refuse(w, r, http.StatusNotFound) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := fake.Bearer(r)
		if key == "" || s.config.Key != "" && key != s.config.Key {
			s.Refuse(w, r, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// pause waits, and reports whether the time passed: false when the caller left
// or the sandbox stops. A negative time passes never.
type pause = func(ctx context.Context, d time.Duration) bool

func pauser(stopping <-chan struct{}) pause {
	return func(ctx context.Context, d time.Duration) bool {
		if d == 0 {
			return ctx.Err() == nil
		}
		var tick <-chan time.Time
		if d > 0 {
			timer := time.NewTimer(d)
			defer timer.Stop()
			tick = timer.C
		}
		select {
		case <-tick:
			return true
		case <-ctx.Done():
		case <-stopping:
		}
		return false
	}
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"object": "list", "data": []any{map[string]any{"id": Name, "object": "model", "created": 1735689600, "owned_by": "feira"}},
	})
}

func (s *Server) complete(w http.ResponseWriter, r *http.Request, wait pause) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		invalid("The body cannot be read.").write(w)
		return
	}
	var asked request
	if err := json.Unmarshal(body, &asked); err != nil {
		invalid("We could not parse the JSON body of your request: " + err.Error()).write(w)
		return
	}
	if refused := asked.check(); refused != nil {
		refused.write(w)
		return
	}
	if used := tokens(len(body)); used > s.config.Context {
		refuse(http.StatusBadRequest, "invalid_request_error", "context_length_exceeded",
			"This model's maximum context length is exceeded. Please reduce the length of the messages.").write(w)
		return
	}
	t := turn(asked.Messages, s.config.Now())
	told := readOrders(t.Text)
	conversation := hash(asked.Messages)
	s.counts.add(conversation, len(asked.Messages), 1, 0)
	if told.wait > 0 && !wait(r.Context(), told.wait) || !wait(r.Context(), s.config.Latency) || told.hang && !wait(r.Context(), -1) {
		fault.Cut(w)
		return
	}
	if s.misbehave(w, r, told) {
		return
	}
	answer := s.reply(asked, t, told)
	answer.count(len(body))
	s.counts.add(conversation, len(asked.Messages), 0, 1)
	s.send(w, r, answer, delivery{asked: asked, cut: told.cut, wait: wait})
}

// misbehave answers as a fault that was asked for; false when there is none.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, told orders) bool {
	switch {
	case told.fail != 0:
		if told.fail == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		s.Refuse(w, r, told.fail)
	case told.garbage:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>502 Bad Gateway</body></html>")
	case told.empty:
		writeJSON(w, http.StatusOK, map[string]any{"id": "chatcmpl-empty", "object": "chat.completion", "model": Name, "choices": []any{}})
	default:
		return false
	}
	return true
}

// reply makes the answer to a request.
func (s *Server) reply(asked request, t planner.Turn, told orders) *reply {
	conversation := hash(asked.Messages)
	answer := &reply{id: "chatcmpl-" + conversation[:24], created: s.config.Now().Unix(), finish: finishStop}
	tools := offered(asked.Tools)
	switch {
	case told.long > 0:
		answer.text = planner.Mark + strings.Repeat("x", told.long)
	case told.badArgs && len(tools) > 0 && len(t.Rounds) == 0:
		answer.calls = numbered([]planner.Call{{Name: tools[0].Name, Arguments: `{"half": "an argu`}}, conversation)
	default:
		planned := planner.Plan(t, tools)
		answer.text, answer.calls = planned.Text, numbered(planned.Calls, conversation)
	}
	if len(answer.calls) > 0 && asked.ToolChoice.none {
		answer.text, answer.calls = planner.Mark+"I was asked to call no more tools.", nil
	}
	if len(answer.calls) > 0 {
		answer.finish = finishCalls
	}
	answer.limit(max(asked.MaxTokens, asked.MaxCompletionTokens))
	return answer
}

// delivery is how an answer travels.
type delivery struct {
	asked request
	cut   bool
	wait  pause
}

func (s *Server) send(w http.ResponseWriter, r *http.Request, answer *reply, by delivery) {
	if !by.asked.Stream {
		if by.cut {
			fault.Cut(w)
			return
		}
		answer.write(w)
		return
	}
	out := &stream{
		w: w, flush: http.NewResponseController(w).Flush, pause: by.wait, delay: s.config.ChunkDelay, reply: answer,
		usage: by.asked.StreamOptions != nil && by.asked.StreamOptions.IncludeUsage, halved: by.cut,
	}
	if !out.send(r.Context()) {
		fault.Cut(w)
	}
}
