package mcp

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/tenant"
)

// counted is an echo server that counts the sessions that are opened with it.
func counted(t *testing.T) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	inner, _ := echo(t, nil)
	var opened atomic.Int32
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if method(r) == "initialize" {
			opened.Add(1)
		}
		inner.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	return front, &opened
}

func TestASessionIsUsedAgainUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	host, opened := counted(t)
	token := atomic.Pointer[string]{}
	first, second := "tok-first", "tok-second"
	token.Store(&first)
	var later atomic.Int64
	b := setup(t, tenant.Endpoint{URL: host.URL}, func(c *Config) {
		c.Credentials = opener(func(events.TenantID) (Credential, error) { return oneField(*token.Load()), nil })
		c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	call := func() int32 {
		before := opened.Load()
		require.Equal(t, "x", requireOK(t, b.call(t, "echo", `{"text":"x"}`)))
		return opened.Load() - before
	}
	require.EqualValues(t, 1, call())
	require.Zero(t, call())
	require.Equal(t, 1, b.client.pool.size())

	token.Store(&second)
	require.EqualValues(t, 1, call(), "the credential that was replaced is used on")
	b.attached.Test.URL += "/mcp"
	require.EqualValues(t, 1, call(), "the endpoint that was left is used on")
	later.Store(int64(maxAge) + 1)
	require.EqualValues(t, 1, call(), "the session is used for ever")
	require.Equal(t, 1, b.client.pool.size())
}

func TestAnIdleSessionIsClosed(t *testing.T) {
	t.Parallel()
	host, opened := counted(t)
	b := setup(t, tenant.Endpoint{URL: host.URL}, func(c *Config) { c.Idle = 30 * time.Millisecond })
	requireOK(t, b.call(t, "echo", `{"text":"x"}`))
	require.Eventually(t, func() bool { return b.client.pool.size() == 0 }, 5*time.Second, 5*time.Millisecond)
	requireOK(t, b.call(t, "echo", `{"text":"x"}`))
	require.EqualValues(t, 2, opened.Load())
}

// TestASessionThatTheServerForgotIsOpenedAgain answers 404 to a call, which says
// that the call was not made.
func TestASessionThatTheServerForgotIsOpenedAgain(t *testing.T) {
	t.Parallel()
	inner, calls := echo(t, nil)
	var forgets, sent atomic.Int32
	forgets.Store(1)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := method(r)
		// Sessions with an id are those of the protocol before 2026-07-28.
		if kind == "server/discover" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		if kind == "tools/call" && sent.Add(1) <= forgets.Load() {
			http.Error(w, "session not found", http.StatusNotFound)
			return
		}
		inner.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	b := setup(t, tenant.Endpoint{URL: front.URL}, nil)
	result := b.call(t, "echo", `{"text":"x"}`)
	require.Equal(t, "x", requireOK(t, result))
	require.Equal(t, 2, result.Attempts)
	require.EqualValues(t, 1, calls.Load())

	forgets.Store(100)
	sent.Store(0)
	result = b.call(t, "echo", `{"text":"x"}`)
	requireFault(t, result, events.ToolError, events.FaultProviderError)
	require.Contains(t, result.Fault.Message, "answered 404")
	require.EqualValues(t, 2, sent.Load())
	forgets.Store(0)
	requireOK(t, b.call(t, "echo", `{"text":"x"}`))
}

// TestACommandThatDiesIsStartedAgain kills a server between calls and within one.
func TestACommandThatDiesIsStartedAgain(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	script := filepath.Join(folder, "once.sh")
	// It answers as its helper does, but for the word "die".
	require.NoError(t, os.WriteFile(script, []byte(`#!/bin/sh
while read -r line; do
  case "$line" in *'"die"'*) exit 1;; esac
  printf '%s\n' "$line"
done | "$1"
`), 0o700))
	b := setup(t, tenant.Endpoint{Command: []string{script, example(t, "everything")}}, nil)
	require.Equal(t, "Hi Ana", requireOK(t, b.call(t, "greet", `{"name":"Ana"}`)))
	result := b.call(t, "greet", `{"name":"die"}`)
	requireFault(t, result, events.ToolUnknown, events.FaultOutcomeUnknown)
	require.Contains(t, result.Fault.Message, "broke the connection off")
	require.Equal(t, "Hi Bia", requireOK(t, b.call(t, "greet", `{"name":"Bia"}`)))
}

// TestASessionThatEndsAtOnceIsNotOpenedForEver has a command that dies as soon
// as it was greeted.
func TestASessionThatEndsAtOnceIsNotOpenedForEver(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	script, count := filepath.Join(folder, "short.sh"), filepath.Join(folder, "count")
	require.NoError(t, os.WriteFile(script, []byte(`#!/bin/sh
echo started >> "$2"
while read -r line; do
  case "$line" in *notifications/initialized*|*tools/list*) exit 1;; esac
  printf '%s\n' "$line"
done | "$1"
`), 0o700))
	b := setup(t, tenant.Endpoint{Command: []string{script, example(t, "everything"), count}}, nil)
	require.Empty(t, b.names(t))
	result := b.call(t, "greet", `{"name":"Ana"}`)
	require.Equal(t, events.ToolError, result.Status, "%+v", result)
	started, err := os.ReadFile(count)
	require.NoError(t, err)
	require.LessOrEqual(t, strings.Count(string(started), "\n"), acquireTries+1)
}

// TestAClosedClientRefuses ends a client while a call is under way.
func TestAClosedClientRefuses(t *testing.T) {
	t.Parallel()
	entered, free := make(chan struct{}, 1), make(chan struct{})
	defer close(free)
	host, _ := scripted(t, nil, func(server *sdk.Server) {
		sdk.AddTool(server, &sdk.Tool{Name: "wait"}, func(context.Context, *sdk.CallToolRequest, any) (*sdk.CallToolResult, any, error) {
			entered <- struct{}{}
			<-free // it hears of no cancellation: its caller is gone
			return &sdk.CallToolResult{}, nil, nil
		})
	})
	b := setup(t, tenant.Endpoint{URL: host.URL}, nil)
	done := make(chan agent.Result, 1)
	go func() { done <- b.client.Call(t.Context(), b.request("wait", `{}`)) }()
	<-entered
	b.client.Close()
	requireFault(t, <-done, events.ToolUnknown, events.FaultOutcomeUnknown)
	requireFault(t, b.call(t, "wait", `{}`), events.ToolRefused, events.FaultProviderError)
	require.Empty(t, b.names(t))
	b.client.Close()
}

// TestACommandThatDoesNotReadIsLeft has a server that stops reading: a write to
// its pipe then takes for ever, whatever the context says.
func TestACommandThatDoesNotReadIsLeft(t *testing.T) {
	t.Parallel()
	deaf := filepath.Join(t.TempDir(), "deaf.sh")
	// After the list it holds its input open and reads no more of it.
	require.NoError(t, os.WriteFile(deaf, []byte(`#!/bin/bash
mkfifo in
"$1" <in &
exec 3>in
while read -r line; do
  printf '%s\n' "$line" >&3
  case "$line" in *tools/list*) sleep 1000;; esac
done
`), 0o700))
	b := setup(t, tenant.Endpoint{Command: []string{deaf, example(t, "everything")}}, func(c *Config) { c.Timeout = 500 * time.Millisecond })
	require.NotEmpty(t, b.names(t))
	began := time.Now()
	result := b.call(t, "greet", `{"name":"`+strings.Repeat("x", 200<<10)+`"}`)
	requireFault(t, result, events.ToolUnknown, events.FaultOutcomeUnknown)
	require.Contains(t, result.Fault.Message, "did not answer in time")
	require.Less(t, time.Since(began), 10*time.Second)
	require.Eventually(t, func() bool { return b.client.pool.size() == 0 }, 5*time.Second, 5*time.Millisecond)
}

func TestSessionsAreBoundedByTenantAndInAll(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	var within atomic.Int32
	host, _ := scripted(t, nil, func(server *sdk.Server) {
		sdk.AddTool(server, &sdk.Tool{Name: "wait"}, func(ctx context.Context, _ *sdk.CallToolRequest, _ any) (*sdk.CallToolResult, any, error) {
			within.Add(1)
			select {
			case <-free:
			case <-ctx.Done():
			}
			return &sdk.CallToolResult{}, nil, nil
		})
	})
	b := setup(t, tenant.Endpoint{URL: host.URL}, func(c *Config) { c.Sessions, c.TenantSessions = 3, 2 })
	call := func(id events.TenantID, server, tool string) agent.Call {
		call := b.request(tool, `{}`)
		attached := b.attached
		attached.ID = server
		call.Tenant, call.Server = id, server
		call.Reach.Tenant = tenant.Tenant{ID: id, Servers: []string{server}, MCP: []tenant.Attachment{attached}}
		call.Reach.Servers = []string{server}
		return call
	}
	results := make(chan agent.Result, 8)
	begin := func(id events.TenantID, server string) {
		before := within.Load()
		go func() { results <- b.client.Call(t.Context(), call(id, server, "wait")) }()
		require.Eventually(t, func() bool { return within.Load() > before }, 5*time.Second, time.Millisecond)
	}
	begin("acme", "one")
	begin("acme", "two")
	held := b.client.Call(t.Context(), call("acme", "three", "wait"))
	require.Equal(t, events.FaultProviderLimited, held.Fault.Code)
	require.Contains(t, held.Fault.Message, "this business has 2 MCP servers in use, which is the most at a time; nothing was sent")
	begin("rival", "one")
	held = b.client.Call(t.Context(), call("other", "one", "wait"))
	require.Contains(t, held.Fault.Message, "3 MCP servers in use")
	require.Equal(t, 3, b.client.pool.size())
	close(free)
	for range 3 {
		requireOK(t, <-results)
	}
	// The idle ones make room.
	requireOK(t, b.client.Call(t.Context(), call("fresh", "one", "wait")))
	requireOK(t, b.client.Call(t.Context(), call("fresh", "two", "wait")))
	requireOK(t, b.client.Call(t.Context(), call("fresh", "three", "wait")))
	require.LessOrEqual(t, b.client.pool.size(), 3)
}

// TestADeadServerDelaysNobodyElse has one tenant's server take connections and
// say nothing, while the other servers of that tenant and of others are used.
func TestADeadServerDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	var knocks atomic.Int32
	dead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		knocks.Add(1)
		_ = method(r) // a body that is not read hides that the caller has gone
		hang(w, r)
	}))
	t.Cleanup(func() {
		dead.CloseClientConnections()
		dead.Close()
	})
	alive, _ := echo(t, nil)
	b := setup(t, tenant.Endpoint{URL: alive.URL}, func(c *Config) {
		c.PrivateOrigins = append(c.PrivateOrigins, dead.URL)
		c.ConnectTimeout = 3 * time.Second
	})
	waiting := b.request("echo", `{"text":"x"}`)
	waiting.Server = "dead"
	waiting.Reach.Tenant.MCP = append(waiting.Reach.Tenant.MCP, tenant.Attachment{ID: "dead", Test: tenant.Endpoint{URL: dead.URL}})
	waiting.Reach.Servers = append(waiting.Reach.Servers, "dead")
	done := make(chan agent.Result, 1)
	began := time.Now()
	go func() { done <- b.client.Call(t.Context(), waiting) }()
	for range 20 {
		requireOK(t, b.call(t, "echo", `{"text":"x"}`))
		other := b.request("echo", `{"text":"y"}`)
		other.Tenant, other.Reach.Tenant.ID = "rival", "rival"
		requireOK(t, b.client.Call(t.Context(), other))
	}
	require.Less(t, time.Since(began), 2900*time.Millisecond, "the dead one was waited for")
	result := <-done
	require.Equal(t, events.ToolError, result.Status)
	require.Contains(t, result.Fault.Message, "dead did not open a session in time; nothing was sent")

	knocked := knocks.Load()
	require.Len(t, b.client.Tools(t.Context(), waiting.Reach), 1)
	require.Equal(t, knocked, knocks.Load(), "what cannot be reached was tried again at once")
	safety, ok := b.client.Safety(t.Context(), waiting.Reach, "dead", "anything")
	require.True(t, ok, "a call in doubt would be said to be refused")
	require.Equal(t, agent.SafetyUnsafe, safety)
}

// TestACancelledCallIsCancelledAtTheServer ends a call's context and has the
// server hear of it, through both transports.
func TestACancelledCallIsCancelledAtTheServer(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}, 1), make(chan struct{}, 1)
	host, _ := scripted(t, nil, func(server *sdk.Server) {
		sdk.AddTool(server, &sdk.Tool{Name: "wait"}, func(ctx context.Context, _ *sdk.CallToolRequest, _ any) (*sdk.CallToolResult, any, error) {
			entered <- struct{}{}
			<-ctx.Done()
			left <- struct{}{}
			return nil, nil, ctx.Err()
		})
	})
	b := setup(t, tenant.Endpoint{URL: host.URL}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan agent.Result, 1)
	go func() { done <- b.client.Call(ctx, b.request("wait", `{}`)) }()
	<-entered
	cancel()
	requireFault(t, <-done, events.ToolUnknown, events.FaultOutcomeUnknown)
	select {
	case <-left:
	case <-time.After(5 * time.Second):
		require.Fail(t, "the server goes on")
	}
	busy, idle := b.client.lanes.Size()
	require.Zero(t, busy+idle, "a cancelled call counts against the server")
}

// TestAStreamOfNotificationsIsOptional has servers that refuse, break, or never
// answer the request for one: sessions live all the same.
func TestAStreamOfNotificationsIsOptional(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string]http.HandlerFunc{
		"405": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"404": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"a page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>"))
		},
		"a cut":              cut,
		"no answer":          hang,
		"a stream that ends": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/event-stream") },
		"a stream of comments": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = w.Write([]byte("event: ping\ndata:\n\n"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			b := through(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				switch kind := method(r); {
				case kind == "server/discover":
					http.Error(w, "no", http.StatusBadRequest)
				case r.Method == http.MethodGet:
					asked.Add(1)
					stream(w, r)
				default:
					next.ServeHTTP(w, r)
				}
			})
			for range 3 {
				requireOK(t, b.call(t, "echo", `{"text":"x"}`))
			}
			require.Positive(t, asked.Load())
			require.Equal(t, 1, b.client.pool.size())
		})
	}
}

func TestAServerThatFailsIsLeftAloneAndOneThatAsksIsWaitedFor(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	var sent atomic.Int32
	b := through(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if method(r) == "tools/call" {
			sent.Add(1)
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(int(status.Load()))
			return
		}
		next.ServeHTTP(w, r)
	}, func(c *Config) { c.BreakerFailures = 2 })
	status.Store(http.StatusBadGateway)
	for range 2 {
		requireFault(t, b.call(t, "echo", `{"text":"x"}`), events.ToolUnknown, events.FaultOutcomeUnknown)
	}
	held := b.call(t, "echo", `{"text":"x"}`)
	requireFault(t, held, events.ToolError, events.FaultProviderError)
	require.Contains(t, held.Fault.Message, "box has failed 2 times in a row or more")
	require.EqualValues(t, 2, sent.Load())

	status.Store(http.StatusTooManyRequests)
	rival := b.request("echo", `{"text":"x"}`)
	rival.Tenant, rival.Reach.Tenant.ID = "rival", "rival"
	limited := b.client.Call(t.Context(), rival)
	requireFault(t, limited, events.ToolError, events.FaultProviderLimited)
	require.Contains(t, limited.Fault.Message, "try again in 60 s")
	paused := b.client.Call(t.Context(), rival)
	requireFault(t, paused, events.ToolError, events.FaultProviderLimited)
	require.Contains(t, paused.Fault.Message, "box has asked to be left alone; nothing was sent")
	require.EqualValues(t, 3, sent.Load())
}
