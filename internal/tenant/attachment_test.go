package tenant_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
)

func attached(change func(*tenant.Attachment)) tenant.Tenant {
	crm := tenant.Attachment{ID: "crm", Live: tenant.Endpoint{URL: "https://mcp.crm.example/mcp"}}
	if change != nil {
		change(&crm)
	}
	return acme(func(t *tenant.Tenant) {
		t.Servers = append(t.Servers, crm.ID)
		t.MCP = []tenant.Attachment{crm}
	})
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1024)
	for name, change := range map[string]func(*tenant.Attachment){
		"live":          nil,
		"both":          func(a *tenant.Attachment) { a.Test = a.Live },
		"a command":     func(a *tenant.Attachment) { a.Live = tenant.Endpoint{Command: []string{"/usr/bin/crm", "--stdio"}} },
		"plain HTTP":    func(a *tenant.Attachment) { a.Live.URL = "http://127.0.0.1:3001/mcp?v=1" },
		"longest id":    func(a *tenant.Attachment) { a.ID = strings.Repeat("x", 32) },
		"longest words": func(a *tenant.Attachment) { a.Live = tenant.Endpoint{Command: []string{"/" + long[1:], long}} },
		"most words": func(a *tenant.Attachment) {
			a.Live = tenant.Endpoint{Command: strings.Split("/x"+strings.Repeat(" x", 31), " ")}
		},
		"a header":   func(a *tenant.Attachment) { a.Header = "X-Api-Key" },
		"a variable": func(a *tenant.Attachment) { a.Variable = "CRM_API_KEY" },
		"longest URL": func(a *tenant.Attachment) {
			a.Live.URL = "https://crm.example/" + strings.Repeat("x", 2048-len("https://crm.example/"))
		},
	} {
		require.NoError(t, attached(change).Validate(), name)
	}
}

func TestFaultsOfAttachmentsNameTheirFields(t *testing.T) {
	t.Parallel()
	command := func(words ...string) func(*tenant.Attachment) {
		return func(a *tenant.Attachment) { a.Live = tenant.Endpoint{Command: words} }
	}
	at := func(url string) func(*tenant.Attachment) { return func(a *tenant.Attachment) { a.Live.URL = url } }
	for want, changes := range map[string][]func(*tenant.Attachment){
		"mcp[0].id has to match": {
			func(a *tenant.Attachment) { a.ID = "" }, func(a *tenant.Attachment) { a.ID = "CRM" },
			func(a *tenant.Attachment) { a.ID = "-crm" }, func(a *tenant.Attachment) { a.ID = "c_rm" },
			func(a *tenant.Attachment) { a.ID = strings.Repeat("x", 33) }, func(a *tenant.Attachment) { a.ID = "crm\n" },
		},
		`mcp[0].id: "codespar" is Feira's own`: {func(a *tenant.Attachment) { a.ID = "codespar" }},
		"mcp[0] has neither live nor test":     {at("")},
		"mcp[0].live has both url and command": {func(a *tenant.Attachment) { a.Live.Command = []string{"/x"} }},
		"mcp[0].live.url has to begin":         {at("ftp://crm.example"), at("https://"), at("crm.example/mcp"), at("https://:443/mcp")},
		"mcp[0].live.url may have no user":     {at("https://me:secret@crm.example"), at("https://crm.example/#x")},
		"mcp[0].live.url is no URL":            {at("https://crm.example/%zz"), at("https://crm.example/" + strings.Repeat("x", 2029))},
		"mcp[0].live.command[0] has to be":     {command("npx", "crm"), command("./crm")},
		"mcp[0].live.command has 33 words":     {command(strings.Split("/x"+strings.Repeat(" x", 32), " ")...)},
		"mcp[0].live.command[1] has over":      {command("/x", strings.Repeat("x", 1025)), command("/x", "a\x00b"), command("/x", "\xff")},
		"mcp[0].test.url":                      {func(a *tenant.Attachment) { a.Test.URL = "x" }},
		"mcp[0].header is none that may carry": {func(a *tenant.Attachment) { a.Header = "X Key" }, func(a *tenant.Attachment) { a.Header = "Host" }, func(a *tenant.Attachment) { a.Header = "Mcp-Session-Id" }},
		"mcp[0].variable has to match":         {func(a *tenant.Attachment) { a.Variable = "LD_PRELOAD" }, func(a *tenant.Attachment) { a.Variable = "token" }},
	} {
		for i, change := range changes {
			err := attached(change).Validate()
			require.ErrorIs(t, err, tenant.ErrInvalid, "%s %d", want, i)
			require.ErrorContains(t, err, want, strconv.Itoa(i))
			require.NotContains(t, err.Error(), "secret")
		}
	}
}

func TestAttachmentsTogether(t *testing.T) {
	t.Parallel()
	twice := attached(nil)
	twice.MCP = append(twice.MCP, twice.MCP[0])
	require.ErrorContains(t, twice.Validate(), `mcp[1].id: "crm" is there twice`)
	unlisted := attached(nil)
	unlisted.Servers = []string{"stripe"}
	require.ErrorContains(t, unlisted.Validate(), `mcp[0].id: "crm" is not among servers`)

	many := acme(func(t *tenant.Tenant) { t.Servers = nil })
	for i := range tenant.MaxAttachments {
		id := "s" + strconv.Itoa(i)
		many.Servers = append(many.Servers, id)
		many.MCP = append(many.MCP, tenant.Attachment{ID: id, Test: tenant.Endpoint{URL: "https://a.example"}})
	}
	require.NoError(t, many.Validate())
	many.MCP = append(many.MCP, tenant.Attachment{ID: "s20"})
	require.ErrorContains(t, many.Validate(), "mcp has 21 entries, at most 20 are allowed")
}

func TestAnAttachmentIsFoundByIDAndEnvironment(t *testing.T) {
	t.Parallel()
	customer := attached(nil)
	found, ok := customer.Attachment("crm")
	require.True(t, ok)
	live, ok := found.Endpoint(events.EnvironmentLive)
	require.True(t, ok)
	require.Equal(t, "https://mcp.crm.example/mcp", live.URL)
	_, ok = found.Endpoint(events.EnvironmentTest)
	require.False(t, ok, "a test session would reach the live endpoint")
	_, ok = found.Endpoint("staging")
	require.False(t, ok)
	_, ok = customer.Attachment("stripe")
	require.False(t, ok)
}

func TestAttachmentsAreReadByTheirNamesAndShareNothing(t *testing.T) {
	t.Parallel()
	var fromYAML, fromJSON tenant.Tenant
	require.NoError(t, yaml.UnmarshalWithOptions([]byte(`
mcp:
  - id: crm
    live: {url: https://mcp.crm.example/mcp}
    test: {command: [/usr/bin/crm, --test]}
    header: X-Api-Key
    variable: CRM_KEY
    trust_annotations: true
    require_credential: true
`), &fromYAML, yaml.Strict()))
	want := tenant.Tenant{MCP: []tenant.Attachment{{
		ID: "crm", Live: tenant.Endpoint{URL: "https://mcp.crm.example/mcp"}, Test: tenant.Endpoint{Command: []string{"/usr/bin/crm", "--test"}},
		Header: "X-Api-Key", Variable: "CRM_KEY", TrustAnnotations: true, RequireCredential: true,
	}}}
	require.Empty(t, cmp.Diff(want, fromYAML))
	text, err := json.Marshal(want)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &fromJSON))
	require.Empty(t, cmp.Diff(want, fromJSON))

	theirs := want.WithDefaults()
	theirs.MCP[0].Test.Command[0], theirs.MCP[0].ID = "/bin/sh", "other"
	require.Equal(t, "/usr/bin/crm", want.MCP[0].Test.Command[0])
	require.Equal(t, "crm", want.MCP[0].ID)
}
