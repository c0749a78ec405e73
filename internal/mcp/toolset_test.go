package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/egress"
	"github.com/feira-dev/feira/internal/tenant"
)

func box(trust bool) target {
	return target{
		key:      egress.LaneKey{Tenant: "acme", Server: "box", Environment: events.EnvironmentTest},
		attached: tenant.Attachment{ID: "box", TrustAnnotations: trust},
	}
}

// TestWhatIsTakenFromAList holds each bound of a tool at it and above it.
func TestWhatIsTakenFromAList(t *testing.T) {
	t.Parallel()
	schema := func(size int) any {
		empty := len(`{"description":"","type":"object"}`)
		return map[string]any{"type": "object", "description": strings.Repeat("x", size-empty)}
	}
	for name, row := range map[string]struct {
		tool sdk.Tool
		want string // why it is left out; empty when it is not
	}{
		"a plain one":             {sdk.Tool{Name: "find", InputSchema: map[string]any{"type": "object"}}, ""},
		"without a schema":        {sdk.Tool{Name: "find"}, ""},
		"without a type":          {sdk.Tool{Name: "find", InputSchema: map[string]any{}}, ""},
		"with separators":         {sdk.Tool{Name: "find__all"}, ""},
		"the longest name":        {sdk.Tool{Name: strings.Repeat("x", 64-len("box__"))}, ""},
		"a longer name":           {sdk.Tool{Name: strings.Repeat("x", 65-len("box__"))}, "has not at most 64 letters"},
		"no name":                 {sdk.Tool{}, "has not at most 64 letters"},
		"a name of other letters": {sdk.Tool{Name: "olá"}, "has not at most 64 letters"},
		"a name with a slash":     {sdk.Tool{Name: "a/b"}, "has not at most 64 letters"},
		"a name with a line":      {sdk.Tool{Name: "a\nb"}, "has not at most 64 letters"},
		"the largest schema":      {sdk.Tool{Name: "find", InputSchema: schema(maxSchema)}, ""},
		"a larger schema":         {sdk.Tool{Name: "find", InputSchema: schema(maxSchema + 1)}, "over 16384 bytes"},
		"a schema of a list":      {sdk.Tool{Name: "find", InputSchema: map[string]any{"type": "array"}}, "not that of an object"},
		"a schema that is a list": {sdk.Tool{Name: "find", InputSchema: []any{}}, "is no object"},
		"a schema that is wrong":  {sdk.Tool{Name: "find", InputSchema: map[string]any{"properties": 7}}, "cannot be read"},
		"a schema from elsewhere": {sdk.Tool{Name: "find", InputSchema: map[string]any{"$ref": "file:///etc/passwd"}}, ""},
	} {
		made, leftOut := assemble(box(false), []*sdk.Tool{&row.tool})
		if row.want == "" {
			require.Empty(t, leftOut, name)
			require.Len(t, made.shown, 1, name)
			require.Contains(t, string(made.shown[0].Parameters), `"type":"object"`)
			continue
		}
		require.Empty(t, made.shown, name)
		require.Len(t, leftOut, 1)
		require.Contains(t, leftOut[0], row.want, name)
		require.NotContains(t, leftOut[0], "\n")
	}
}

func TestAListIsBounded(t *testing.T) {
	t.Parallel()
	var many []*sdk.Tool
	for i := range maxTools + 1 {
		many = append(many, &sdk.Tool{Name: "t" + strconv.Itoa(i)})
	}
	made, leftOut := assemble(box(false), many)
	require.Len(t, made.shown, maxTools)
	require.Equal(t, []string{"t128: it is beyond the first 128"}, leftOut)

	made, leftOut = assemble(box(false), []*sdk.Tool{{Name: "a", Description: "first"}, {Name: "a", Description: "second"}})
	require.Len(t, made.shown, 1)
	require.Equal(t, "As its server box describes it: first", made.shown[0].Description)
	require.Equal(t, []string{"a: it is there twice"}, leftOut)

	long := map[string]any{"type": "object", "description": strings.Repeat("x", maxSchema-64)}
	var large []*sdk.Tool
	for i := range 20 {
		large = append(large, &sdk.Tool{Name: "t" + strconv.Itoa(i), InputSchema: long})
	}
	made, leftOut = assemble(box(false), large)
	require.Len(t, made.shown, 8)
	require.Contains(t, leftOut[0], "the list has over 131072 bytes")
	size := 0
	for _, tool := range made.shown {
		size += len(tool.Description) + len(tool.Parameters)
	}
	require.LessOrEqual(t, size, maxListBytes)
}

func TestWordsOfAServerAreClean(t *testing.T) {
	t.Parallel()
	to := box(false)
	to.token = "tok-7788"
	made, leftOut := assemble(to, []*sdk.Tool{{
		Name: "find", Description: "Finds\u202e it\x1b[31m for tok-7788 " + strings.Repeat("é", 4096),
		InputSchema: map[string]any{"properties": map[string]any{"x\x00": map[string]any{"description": "a\u200fb sk_live_51Habc"}}},
	}})
	require.Empty(t, leftOut)
	require.True(t, strings.HasPrefix(made.shown[0].Description, "As its server box describes it: Finds it[31m for [redacted] é"))
	require.LessOrEqual(t, len(made.shown[0].Description), maxDescription)
	require.JSONEq(t, `{"type":"object","properties":{"x":{"description":"ab [redacted]"}}}`, string(made.shown[0].Parameters))
}

func TestAServersWordOnSafetyCountsWhereItIsTrusted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		trust bool
		hints *sdk.ToolAnnotations
		want  agent.Safety
	}{
		{false, &sdk.ToolAnnotations{ReadOnlyHint: true}, agent.SafetyUnsafe},
		{false, &sdk.ToolAnnotations{IdempotentHint: true}, agent.SafetyUnsafe},
		{true, nil, agent.SafetyUnsafe},
		{true, &sdk.ToolAnnotations{}, agent.SafetyUnsafe},
		{true, &sdk.ToolAnnotations{ReadOnlyHint: true}, agent.SafetyRead},
		{true, &sdk.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true}, agent.SafetyRead},
		{true, &sdk.ToolAnnotations{IdempotentHint: true}, agent.SafetyIdempotent},
	} {
		made, _ := assemble(box(row.trust), []*sdk.Tool{{Name: "find", Annotations: row.hints}})
		require.Equal(t, row.want, made.byName["find"].safety)
	}
}

// TestAListFollowsItsServer adds a tool and takes one away, and has the list
// follow without waiting for its time to live.
func TestAListFollowsItsServer(t *testing.T) {
	t.Parallel()
	ask := func(context.Context, *sdk.CallToolRequest, any) (*sdk.CallToolResult, any, error) {
		return &sdk.CallToolResult{}, nil, nil
	}
	host, server := scripted(t, nil, func(server *sdk.Server) { sdk.AddTool(server, &sdk.Tool{Name: "old"}, ask) })
	b := setup(t, tenant.Endpoint{URL: host.URL}, nil)
	require.Equal(t, []string{"box__old"}, b.names(t))
	sdk.AddTool(server, &sdk.Tool{Name: "young"}, ask)
	require.Eventually(t, func() bool { return len(b.names(t)) == 2 }, 5*time.Second, 5*time.Millisecond)
	requireOK(t, b.call(t, "young", `{}`))
	server.RemoveTools("old")
	require.Eventually(t, func() bool { return len(b.names(t)) == 1 }, 5*time.Second, 5*time.Millisecond)
	requireFault(t, b.call(t, "old", `{}`), events.ToolRefused, events.FaultUnknownTool)
	safety, ok := b.client.Safety(t.Context(), b.reach(), "box", "old")
	require.True(t, ok, "a call in doubt of a tool that is gone would be said to be refused")
	require.Equal(t, agent.SafetyUnsafe, safety)
	_, ok = b.client.Safety(t.Context(), b.reach(), "stripe", "old")
	require.False(t, ok)
}

// TestAListIsRememberedForItsTimeAndServesInTrouble moves the clock.
func TestAListIsRememberedForItsTimeAndServesInTrouble(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var down atomic.Bool
	var later atomic.Int64
	b := through(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if method(r) == "tools/list" {
			asked.Add(1)
			if down.Load() {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
		}
		next.ServeHTTP(w, r)
	}, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) } })
	ask := func() int {
		before := asked.Load()
		names := b.names(t)
		require.LessOrEqual(t, len(names), 1)
		return int(asked.Load()-before)*10 + len(names)
	}
	require.Equal(t, 11, ask())
	require.Equal(t, 1, ask(), "it was asked for again at once")
	later.Add(int64(DefaultListTTL) - int64(time.Second))
	require.Equal(t, 1, ask())
	later.Add(int64(2 * time.Second))
	require.Equal(t, 11, ask(), "it is remembered for ever")

	down.Store(true)
	later.Add(int64(DefaultListTTL) + 1)
	require.Equal(t, 11, ask(), "it does not serve while there is no newer one")
	require.Equal(t, 1, ask(), "a server in trouble is asked at once again")
	later.Add(int64(listRetry) + 1)
	require.Equal(t, 11, ask())
	later.Add(int64(listKeep))
	require.Equal(t, 10, ask(), "it serves for ever")
	down.Store(false)
	require.Equal(t, 0, ask())
	later.Add(int64(listRetry) + 1)
	require.Equal(t, 11, ask())
}

// TestPagesAreBounded has a server whose list does not end.
func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	for _, pages := range []int{1, maxPages, maxPages + 1} {
		var asked atomic.Int32
		b := through(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if method(r) != "tools/list" {
				next.ServeHTTP(w, r)
				return
			}
			n := int(asked.Add(1))
			cursor := ""
			if n < pages {
				cursor = `,"nextCursor":"` + strconv.Itoa(n) + `"`
			}
			answerID("application/json", fmt.Sprintf(`{"tools":[{"name":"t%d","inputSchema":{"type":"object"}}]%s}`, n, cursor))(w, r)
		})
		want := pages
		if pages > maxPages {
			want = 0
		}
		require.Len(t, b.names(t), want)
		require.EqualValues(t, min(pages, maxPages), asked.Load())
	}
}

// TestHostileAnswersBreakNothing plays answers that are wrong in every part:
// nothing panics, and a server that answers well is used afterwards.
func TestHostileAnswersBreakNothing(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	for _, at := range []string{"server/discover", "initialize", "tools/list", "tools/call"} {
		for i, result := range []string{
			`null`, `7`, `"x"`, `[]`, `{}`, `{"tools":null}`, `{"tools":[null]}`, `{"tools":[7]}`, `{"tools":[{}]}`, `{"tools":[{"name":7}]}`,
			`{"tools":[{"name":"echo","inputSchema":null}]}`, `{"tools":[{"name":"echo","inputSchema":[1]}]}`, `{"tools":[{"name":"echo","inputSchema":{"properties":{"x":{"x-mcp-header":7}}}}]}`,
			`{"tools":[{"name":"echo","annotations":7,"inputSchema":{}}]}`, `{"content":null}`, `{"content":[null]}`, `{"content":[7]}`, `{"content":[{}]}`, `{"content":[{"type":"text"}]}`,
			`{"content":[{"type":"image"}]}`, `{"content":[{"type":"resource"}]}`, `{"content":[{"type":"resource","resource":null}]}`, `{"content":[{"type":"resource","resource":{}}]}`,
			`{"content":[{"type":"hologram","data":"x"}]}`, `{"content":[],"structuredContent":` + deep + `}`, `{"content":"` + strings.Repeat("[", 100_000) + `"}`,
			`{"content":[],"inputRequests":{"x":null},"resultType":"input_required"}`, `{"content":[],"inputRequests":{"x":{"method":"roots/list"}},"resultType":"input_required"}`,
			`{"supportedVersions":null}`, `{"supportedVersions":["9999-99-99"],"capabilities":null}`, `{"protocolVersion":"1999-01-01"}`, `{"protocolVersion":"2025-11-25","capabilities":null,"serverInfo":null}`,
		} {
			t.Run(at+" "+strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				var hostile atomic.Bool
				hostile.Store(true)
				b := through(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					if method(r) == at && hostile.Load() {
						answerID("application/json", result)(w, r)
						return
					}
					next.ServeHTTP(w, r)
				}, func(c *Config) { c.Timeout, c.ConnectTimeout = 2*time.Second, 2*time.Second })
				b.names(t)
				b.call(t, "echo", `{"text":"x"}`)
				hostile.Store(false)
				to, fault := b.client.target(b.reach(), "box")
				require.Nil(t, fault)
				b.client.lists.changed(to.key)
				b.client.pool.mu.Lock()
				open := slices.Collect(maps.Values(b.client.pool.open)) // those that are over leave it meanwhile
				b.client.pool.mu.Unlock()
				for _, one := range open {
					b.client.pool.retire(one)
				}
				require.Equal(t, "x", requireOK(t, b.call(t, "echo", `{"text":"x"}`)))
			})
		}
	}
}

func TestAResultIsTextForTheModel(t *testing.T) {
	t.Parallel()
	b := setup(t, tenant.Endpoint{URL: "http://127.0.0.1:1"}, func(c *Config) { c.MaxOutput = 256 })
	text := func(text string) sdk.Content { return &sdk.TextContent{Text: text} }
	for name, row := range map[string]struct {
		result sdk.CallToolResult
		want   string
	}{
		"nothing":            {sdk.CallToolResult{}, "[no content]"},
		"texts":              {sdk.CallToolResult{Content: []sdk.Content{text("a"), text("b")}}, "a\nb"},
		"a structure":        {sdk.CallToolResult{StructuredContent: map[string]any{"a": 1.0, "b": "<c>"}}, `{"a":1,"b":"<c>"}`},
		"both, the same":     {sdk.CallToolResult{Content: []sdk.Content{text(`{"a": 12345678901234567890}`)}, StructuredContent: map[string]any{"a": 12345678901234567890.0}}, `{"a": 12345678901234567890}`},
		"both, different":    {sdk.CallToolResult{Content: []sdk.Content{text("found")}, StructuredContent: map[string]any{"a": 1.0}}, "found\n" + `{"a":1}`},
		"an image":           {sdk.CallToolResult{Content: []sdk.Content{&sdk.ImageContent{MIMEType: "image/png", Data: []byte("123")}}}, "[image image/png, 3 bytes]"},
		"a sound":            {sdk.CallToolResult{Content: []sdk.Content{&sdk.AudioContent{MIMEType: "audio/wav", Data: []byte("1")}}}, "[audio audio/wav, 1 bytes]"},
		"a link":             {sdk.CallToolResult{Content: []sdk.Content{&sdk.ResourceLink{Name: "n", URI: "u"}}}, "[link to n: u]"},
		"a resource":         {sdk.CallToolResult{Content: []sdk.Content{&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "u", Text: "t"}}}}, "[resource u]\nt"},
		"a blob":             {sdk.CallToolResult{Content: []sdk.Content{&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "u", MIMEType: "m", Blob: []byte("12")}}}}, "[resource u m, 2 bytes]"},
		"no resource":        {sdk.CallToolResult{Content: []sdk.Content{&sdk.EmbeddedResource{}}}, "[resource]"},
		"control characters": {sdk.CallToolResult{Content: []sdk.Content{text("a\x1b[2J\u202eb\tc")}}, "a[2Jb\tc"},
		"the longest":        {sdk.CallToolResult{Content: []sdk.Content{text(strings.Repeat("x", 256))}}, strings.Repeat("x", 256)},
		"a longer one": {
			sdk.CallToolResult{Content: []sdk.Content{text(strings.Repeat("x", 257))}},
			strings.Repeat("x", 256-len("\n[cut: the whole answer has 257 bytes]")-len("…")) + "…\n[cut: the whole answer has 257 bytes]",
		},
	} {
		require.Equal(t, row.want, b.client.outputOf(box(false), &row.result), name)
	}
	secret := box(false)
	secret.token = "tok-7788"
	cutting := sdk.CallToolResult{Content: []sdk.Content{text(strings.Repeat("x", 215) + "tok-7788")}, StructuredContent: json.Number("1")}
	require.NotContains(t, b.client.outputOf(secret, &cutting), "tok")
}

func TestAnAnswerIsHeldAgainstItsSchema(t *testing.T) {
	t.Parallel()
	text := []sdk.Content{&sdk.TextContent{Text: "found"}}
	numbers := map[string]any{"type": "object", "required": []any{"a"}, "properties": map[string]any{"a": map[string]any{"type": "integer"}}}
	for name, row := range map[string]struct {
		schema any
		result sdk.CallToolResult
		want   bool
	}{
		"no schema":                   {nil, sdk.CallToolResult{Content: text}, true},
		"what it says":                {numbers, sdk.CallToolResult{Content: text, StructuredContent: map[string]any{"a": 1.0}}, true},
		"another type":                {numbers, sdk.CallToolResult{Content: text, StructuredContent: map[string]any{"a": "1"}}, false},
		"a part is missing":           {numbers, sdk.CallToolResult{StructuredContent: map[string]any{}}, false},
		"no structure":                {numbers, sdk.CallToolResult{Content: text}, false},
		"a schema that is none":       {map[string]any{"type": 7}, sdk.CallToolResult{Content: text}, true},
		"a schema that is very large": {map[string]any{"type": "object", "description": strings.Repeat("x", maxSchema)}, sdk.CallToolResult{}, true},
	} {
		made, _, err := prepare(box(false), &sdk.Tool{Name: "find", OutputSchema: row.schema})
		require.NoError(t, err, name)
		require.Equal(t, row.want, made.promised(&row.result), name)
	}
	b := setup(t, tenant.Endpoint{URL: "http://127.0.0.1:1"}, nil)
	for safety, want := range map[agent.Safety]events.ToolStatus{agent.SafetyRead: events.ToolError, agent.SafetyUnsafe: events.ToolUnknown} {
		made := &tool{name: "find", safety: safety, returns: returnsOf(numbers)}
		result := b.client.judge(errand{to: box(false), tool: made}, reply{result: &sdk.CallToolResult{Content: text}})
		require.Equal(t, want, result.Status)
		require.Contains(t, result.Fault.Message, "its own schema")
		require.Empty(t, result.Output)
	}
}

func TestFaultsOfAConfigNameTheirFields(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]Config{
		"Credentials is missing":              {},
		"PrivateOrigins[0] has to begin":      {Credentials: keys{}, PrivateOrigins: []string{"ftp://x"}},
		"PrivateOrigins[1] may have nothing":  {Credentials: keys{}, PrivateOrigins: []string{"http://x/", "http://x/mcp"}},
		"PrivateOrigins[0] is no URL":         {Credentials: keys{}, PrivateOrigins: []string{"http://%zz"}},
		"Commands[0] has to begin":            {Credentials: keys{}, Commands: []string{"npx"}},
		"Commands[1] has to begin":            {Credentials: keys{}, Commands: []string{"/x", ""}},
		"Timeout, ConnectTimeout, ListTTL":    {Credentials: keys{}, ListTTL: -1},
		"Sessions, TenantSessions, Concurren": {Credentials: keys{}, MaxOutput: -1},
	} {
		_, err := New(config)
		require.ErrorContains(t, err, "mcp: "+want)
	}
}
