package mcp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
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

type text struct {
	Text string `json:"text"`
}

// echo is a server with one tool, which says what it is told, and how often
// that was.
func echo(t *testing.T, options *sdk.StreamableHTTPOptions) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var calls atomic.Int32
	host, _ := scripted(t, options, func(server *sdk.Server) {
		sdk.AddTool(server, &sdk.Tool{Name: "echo"}, func(_ context.Context, _ *sdk.CallToolRequest, in text) (*sdk.CallToolResult, any, error) {
			calls.Add(1)
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: in.Text}}}, nil, nil
		})
	})
	return host, &calls
}

// opener opens credentials as the test says.
type opener func(tenant events.TenantID) (Credential, error)

func (o opener) Open(_ context.Context, id events.TenantID, _ string, _ events.Environment) (Credential, error) {
	return o(id)
}

// TestWalls tries to get through each wall; no try may make the tool's call.
func TestWalls(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		endpoint func(host string) tenant.Endpoint
		config   func(*Config)
		attached func(*tenant.Attachment)
		call     func(*agent.Call)
		status   events.ToolStatus
		code     string
		says     string
	}{
		"a server of another session": {
			call:   func(c *agent.Call) { c.Reach.Servers = []string{"stripe"} },
			status: events.ToolRefused, code: events.FaultServerNotInSession, says: "there is no MCP server box in this session",
		},
		"a server that is not attached": {
			call:   func(c *agent.Call) { c.Reach.Tenant.MCP = nil },
			status: events.ToolRefused, code: events.FaultServerNotInSession, says: "there is no MCP server box",
		},
		"another tenant's reach": {
			call:   func(c *agent.Call) { c.Tenant = "rival" },
			status: events.ToolRefused, code: events.FaultServerNotInSession, says: "not of the session that it says",
		},
		"another environment's reach": {
			call:   func(c *agent.Call) { c.Environment = events.EnvironmentLive },
			status: events.ToolRefused, code: events.FaultServerNotInSession, says: "not of the session that it says",
		},
		"an environment without an endpoint": {
			call: func(c *agent.Call) {
				c.Environment, c.Reach.Environment = events.EnvironmentLive, events.EnvironmentLive
			},
			status: events.ToolRefused, code: events.FaultNoCredential, says: "box has no live environment",
		},
		"an environment that is none": {
			call:   func(c *agent.Call) { c.Environment, c.Reach.Environment = "staging", "staging" },
			status: events.ToolRefused, code: events.FaultNoCredential, says: "box has no staging environment",
		},
		"no credential where one is required": {
			attached: func(a *tenant.Attachment) { a.RequireCredential = true },
			status:   events.ToolRefused, code: events.FaultNoCredential, says: "there is no test credential for box",
		},
		"a credential that opens for nobody": {
			config: func(c *Config) {
				c.Credentials = opener(func(events.TenantID) (Credential, error) { return nil, errors.New("sealed with sk_live_51Habc") })
			},
			status: events.ToolRefused, code: events.FaultNoCredential, says: "the credential for box cannot be opened",
		},
		"a credential with a line break": {
			config: func(c *Config) { c.Credentials = keys{"acme": "token\r\nHost: x"} },
			status: events.ToolRefused, code: events.FaultNoCredential, says: "control character",
		},
		"a tool that is not in the list": {
			call:   func(c *agent.Call) { c.Tool = "rob_bank" },
			status: events.ToolRefused, code: events.FaultUnknownTool, says: "there is no tool rob_bank at box; there are echo",
		},
		"no argument": {
			call:   func(c *agent.Call) { c.Arguments = json.RawMessage(`{}`) },
			status: events.ToolRefused, code: events.FaultInvalidArguments, says: "is missing text",
		},
		"an argument of another kind": {
			call:   func(c *agent.Call) { c.Arguments = json.RawMessage(`{"text":7}`) },
			status: events.ToolRefused, code: events.FaultInvalidArguments, says: "/text: want string, got number",
		},
		"an argument too many": {
			call:   func(c *agent.Call) { c.Arguments = json.RawMessage(`{"text":"x","host":"y"}`) },
			status: events.ToolRefused, code: events.FaultInvalidArguments, says: "has no place for host",
		},
		"plain HTTP": {
			config: func(c *Config) { c.PrivateOrigins = nil },
			status: events.ToolRefused, code: events.FaultProviderError, says: "without encryption",
		},
		"plain HTTP at another port than the operator's": {
			config: func(c *Config) { c.PrivateOrigins = []string{"http://127.0.0.1:1"} },
			status: events.ToolRefused, code: events.FaultProviderError, says: "without encryption",
		},
		"loopback over TLS": {
			endpoint: func(host string) tenant.Endpoint {
				return tenant.Endpoint{URL: strings.Replace(host, "http", "https", 1)}
			},
			config: func(c *Config) { c.PrivateOrigins = nil },
			status: events.ToolRefused, code: events.FaultProviderError, says: "its address is not public",
		},
		"cloud metadata": {
			endpoint: func(string) tenant.Endpoint { return tenant.Endpoint{URL: "https://169.254.169.254/mcp"} },
			config:   func(c *Config) { c.PrivateOrigins = nil },
			status:   events.ToolRefused, code: events.FaultProviderError, says: "its address is not public",
		},
		"cloud metadata by the operator's word": {
			endpoint: func(string) tenant.Endpoint { return tenant.Endpoint{URL: "http://169.254.169.254/mcp"} },
			status:   events.ToolRefused, code: events.FaultProviderError, says: "its address is not public",
		},
		"a command that is not allowed": {
			endpoint: func(string) tenant.Endpoint { return tenant.Endpoint{Command: []string{"/bin/sh", "-c", "exit"}} },
			config:   func(c *Config) { c.Commands = []string{"/bin/cat", "/bin/sh -c true"} },
			status:   events.ToolRefused, code: events.FaultProviderError, says: "the operator does not allow the command",
		},
		"nobody there": {
			endpoint: func(string) tenant.Endpoint { return tenant.Endpoint{URL: "http://127.0.0.1:1/mcp"} },
			status:   events.ToolError, code: events.FaultProviderError, says: "box cannot be reached; nothing was sent",
		},
		"a command that is not there": {
			endpoint: func(string) tenant.Endpoint { return tenant.Endpoint{Command: []string{"/nowhere/crm"}} },
			status:   events.ToolError, code: events.FaultProviderError, says: "box cannot be reached; nothing was sent",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, calls := echo(t, nil)
			endpoint := tenant.Endpoint{URL: host.URL}
			if row.endpoint != nil {
				endpoint = row.endpoint(host.URL)
			}
			b := setup(t, endpoint, row.config)
			if row.attached != nil {
				row.attached(&b.attached)
			}
			call := b.request("echo", `{"text":"x"}`)
			if row.call != nil {
				row.call(&call)
			}
			result := b.client.Call(t.Context(), call)
			requireFault(t, result, row.status, row.code)
			require.Contains(t, result.Fault.Message, row.says)
			require.Zero(t, calls.Load())
			require.NotContains(t, b.logs.String()+result.Fault.Message, "51Habc")

			call.InDoubt = true
			result = b.client.Call(t.Context(), call)
			requireFault(t, result, events.ToolUnknown, events.FaultOutcomeUnknown)
			require.Contains(t, result.Fault.Message, "an earlier try may have had its effect")
		})
	}
}

// TestARedirectIsNotFollowed lets a server send its callers elsewhere, when a
// session is opened and when a call is made.
func TestARedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var strangers atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	t.Cleanup(stranger.Close)
	away := http.RedirectHandler(stranger.URL, http.StatusTemporaryRedirect)
	host := httptest.NewServer(away)
	t.Cleanup(host.Close)
	b := setup(t, tenant.Endpoint{URL: host.URL}, nil)
	require.Empty(t, b.names(t))
	result := b.call(t, "echo", `{"text":"x"}`)
	require.Contains(t, result.Fault.Message, "it answered 307; nothing was sent")

	c := through(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if method(r) == "tools/call" {
			away.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
	result = c.call(t, "echo", `{"text":"x"}`)
	requireFault(t, result, events.ToolUnknown, events.FaultOutcomeUnknown)
	require.Contains(t, result.Fault.Message, "answered with a redirect, which is not followed (307)")
	require.Zero(t, strangers.Load())
}

// method is what a request asks of the protocol; the body is put back.
func method(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	var asked struct {
		Method string `json:"method"`
	}
	_ = json.Unmarshal(body, &asked)
	return asked.Method
}

// through is a client of an echo server behind a proxy that the test plays.
func through(t *testing.T, proxy func(w http.ResponseWriter, r *http.Request, next http.Handler), change ...func(*Config)) *testBundle {
	t.Helper()
	inner, _ := echo(t, nil)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { proxy(w, r, inner.Config.Handler) }))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	return setup(t, tenant.Endpoint{URL: front.URL}, func(c *Config) {
		for _, one := range change {
			one(c)
		}
	})
}

// TestFaultsOfACall breaks the answer to a call in every way: what may have
// arrived is unknown unless the call only reads.
func TestFaultsOfACall(t *testing.T) {
	t.Parallel()
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	const asJSON, asEvents = "application/json", "text/event-stream"
	protocolError := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			answer(200, asJSON, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"no\u0007 way\nhere"}}`, idOf(r), code))(w, r)
		}
	}
	long := strings.Repeat("x", 1<<20)
	for name, row := range map[string]struct {
		handler http.HandlerFunc
		unsafe  events.ToolStatus
		reading events.ToolStatus
		code    string
		says    string
	}{
		"invalid params":          {protocolError(-32602), events.ToolError, events.ToolError, events.FaultProviderError, "does not take the arguments (-32602): no way here"},
		"no such tool":            {protocolError(-32601), events.ToolError, events.ToolError, events.FaultProviderError, "has no such tool"},
		"invalid request":         {protocolError(-32600), events.ToolError, events.ToolError, events.FaultProviderError, "does not understand the call"},
		"internal error":          {protocolError(-32603), events.ToolUnknown, events.ToolError, events.FaultProviderError, "answered with an error (-32603)"},
		"an error of its own":     {protocolError(-32042), events.ToolUnknown, events.ToolError, events.FaultProviderError, "answered with an error (-32042)"},
		"400":                     {answer(400, "text/plain", "no"), events.ToolError, events.ToolError, events.FaultProviderError, "box answered 400"},
		"400 with a reason":       {answer(400, asJSON, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"bad shape"}}`), events.ToolError, events.ToolError, events.FaultProviderError, "box answered 400: bad shape"},
		"401":                     {answer(401, "text/plain", ""), events.ToolError, events.ToolError, events.FaultProviderError, "refuses the credential (401)"},
		"403":                     {answer(403, "text/plain", ""), events.ToolError, events.ToolError, events.FaultProviderError, "refuses the credential (403)"},
		"429":                     {answer(429, "text/plain", ""), events.ToolError, events.ToolError, events.FaultProviderLimited, "asks to be left alone (429)"},
		"500":                     {answer(500, "text/plain", ""), events.ToolUnknown, events.ToolError, events.FaultProviderError, "box answered 500"},
		"503":                     {answer(503, "text/plain", ""), events.ToolUnknown, events.ToolError, events.FaultProviderError, "box answered 503"},
		"a cut":                   {cut, events.ToolUnknown, events.ToolError, events.FaultProviderError, "broke the connection off"},
		"a cut in the answer":     {cutInside, events.ToolUnknown, events.ToolError, events.FaultProviderError, "broke the connection off"},
		"an empty stream":         {answer(200, asEvents, ""), events.ToolUnknown, events.ToolError, events.FaultProviderError, "broke the connection off"},
		"no JSON":                 {answer(200, asJSON, "<html>"), events.ToolUnknown, events.ToolError, events.FaultProviderError, "broke the connection off"},
		"another kind":            {answer(200, "text/html", "<html>"), events.ToolUnknown, events.ToolError, events.FaultProviderError, "broke the connection off"},
		"a long answer":           {answerID(asJSON, `{"content":[{"type":"text","text":"`+long+`"}]}`), events.ToolUnknown, events.ToolError, events.FaultResultTooLarge, "with more than 1048576 bytes"},
		"a long stream":           {answer(200, asEvents, "data: "+long+"\n\n"), events.ToolUnknown, events.ToolError, events.FaultResultTooLarge, "with more than 1048576 bytes"},
		"a stream without an end": {flood, events.ToolUnknown, events.ToolError, events.FaultResultTooLarge, "with more than 1048576 bytes"},
		"a long error":            {answer(500, asJSON, long+long), events.ToolUnknown, events.ToolError, events.FaultResultTooLarge, "with more than 1048576 bytes"},
		"no answer":               {hang, events.ToolUnknown, events.ToolError, events.FaultProviderTimeout, "did not answer in time"},
		"a stream that waits":     {streamHang, events.ToolUnknown, events.ToolError, events.FaultProviderTimeout, "did not answer in time"},
		"a body that drips":       {drip, events.ToolUnknown, events.ToolError, events.FaultProviderTimeout, "did not answer in time"},
	} {
		for _, safety := range []agent.Safety{agent.SafetyUnsafe, agent.SafetyRead} {
			t.Run(name+" "+string(safety), func(t *testing.T) {
				t.Parallel()
				var sent atomic.Int32
				b := through(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					if method(r) == "tools/call" {
						sent.Add(1)
						row.handler(w, r)
						return
					}
					next.ServeHTTP(w, r)
				}, func(c *Config) { c.Timeout = 2 * time.Second })
				want := row.unsafe
				if safety == agent.SafetyRead {
					want = row.reading
					b.client.lists.fetch = reading(b.client)
				}
				require.NotEmpty(t, b.names(t))
				result := b.call(t, "echo", `{"text":"x"}`)
				require.Equal(t, want, result.Status, "%+v", result.Fault)
				require.Contains(t, result.Fault.Message, row.says)
				if want == events.ToolError {
					require.Equal(t, row.code, result.Fault.Code)
				}
				require.EqualValues(t, 1, sent.Load(), "it was sent again")
			})
		}
	}
}

// reading makes every tool of a server one that reads.
func reading(c *Client) fetchFunc {
	return func(ctx context.Context, to target) (*toolset, *agent.Result) {
		set, failed := c.fetch(ctx, to)
		if failed == nil {
			for _, one := range set.byName {
				one.safety = agent.SafetyRead
			}
		}
		return set, failed
	}
}

func idOf(r *http.Request) string {
	var asked struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.NewDecoder(r.Body).Decode(&asked)
	return string(asked.ID)
}

func answerID(kind, result string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, idOf(r), result)
	}
}

func cut(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

func cutInside(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"res`)
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func streamHang(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-every.C:
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
		}
	}
}

func flood(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	pad := strings.Repeat("x", 16<<10)
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"`+pad+`"}}`+"\n\n"); err != nil {
			return
		}
	}
}

// TestACredentialThatIsToldBackIsScrubbed lets a server tell what it was sent,
// in a result, an error, a list and a failure, plain and written otherwise.
func TestACredentialThatIsToldBackIsScrubbed(t *testing.T) {
	t.Parallel()
	const token = "crm/token+7f3a9c=="
	forms := []string{token, url.QueryEscape(token), base64.StdEncoding.EncodeToString([]byte(token))}
	telling := strings.Join(forms, " ")
	host, _ := scripted(t, nil, func(server *sdk.Server) {
		server.AddTool(&sdk.Tool{
			Name: "told", Description: "knows " + telling,
			InputSchema: json.RawMessage(`{"type":"object","properties":{"x":{"type":"string","description":"` + telling + `"}}}`),
		}, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			header := r.Extra.Header.Get("X-Crm-Key")
			var args struct{ X string }
			_ = json.Unmarshal(r.Params.Arguments, &args)
			switch args.X {
			case "error":
				return nil, errors.New("you said " + header + " " + telling)
			case "failure":
				return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: header + telling}}}, nil
			default:
				return &sdk.CallToolResult{
					Content:           []sdk.Content{&sdk.TextContent{Text: header + " " + telling}, &sdk.ResourceLink{Name: token, URI: "https://x/" + url.QueryEscape(token)}},
					StructuredContent: map[string]any{header: []any{telling}},
				}, nil
			}
		})
	})
	b := setup(t, tenant.Endpoint{URL: host.URL}, func(c *Config) { c.Credentials = keys{"acme": token} })
	b.attached.Header = "X-Crm-Key"
	output := requireOK(t, b.call(t, "told", `{"x":"result"}`))
	require.Contains(t, output, "[redacted]", "the header did not arrive")
	all := output
	for _, kind := range []string{"error", "failure"} {
		result := b.call(t, "told", `{"x":"`+kind+`"}`)
		require.NotNil(t, result.Fault, kind)
		require.Contains(t, result.Fault.Message, "[redacted]")
		all += result.Fault.Message
	}
	for _, tool := range b.client.Tools(t.Context(), b.reach()) {
		all += tool.Description + string(tool.Parameters)
	}
	all += b.logs.String()
	for _, form := range forms {
		require.NotContains(t, all, form)
	}
}

// TestTheHeaderIsTheAttachments holds the header to what the attachment says.
func TestTheHeaderIsTheAttachments(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{"": "Bearer tok-1234", "X-Api-Key": "tok-1234"} {
		var seen atomic.Pointer[http.Header]
		b := through(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			kept := r.Header.Clone()
			seen.Store(&kept)
			next.ServeHTTP(w, r)
		}, func(c *Config) { c.Credentials = keys{"acme": "tok-1234"} })
		b.attached.Header = header
		requireOK(t, b.call(t, "echo", `{"text":"x"}`))
		name := header
		orDefault(&name, "Authorization")
		require.Equal(t, want, seen.Load().Get(name))
		require.Equal(t, "feira/dev", seen.Load().Get("User-Agent"))
		if header != "" {
			require.Empty(t, seen.Load().Get("Authorization"))
		}
	}
}

// TestACommandSeesNothingOfFeira runs a command that tells its environment and
// its folder.
func TestACommandSeesNothingOfFeira(t *testing.T) {
	t.Setenv("FEIRA_VAULT_KEK", "canary-of-the-operator")
	node, script := reference(t)
	b := setup(t, tenant.Endpoint{Command: []string{node, script}}, func(c *Config) { c.Credentials = keys{"acme": "tok-5678"} })
	b.attached.Variable = "CRM_API_KEY"
	var seen map[string]string
	require.NoError(t, json.Unmarshal([]byte(requireOK(t, b.call(t, "get-env", `{}`))), &seen))
	require.Equal(t, "[redacted]", seen["CRM_API_KEY"])
	home := seen["HOME"]
	delete(seen, "CRM_API_KEY")
	require.Equal(t, map[string]string{"PATH": DefaultPath, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"}, seen)
	require.DirExists(t, home)
	b.client.Close()
	_, err := os.Stat(home)
	require.ErrorIs(t, err, os.ErrNotExist)
}
