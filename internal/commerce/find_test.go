package commerce_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/commerce"
)

type page struct {
	Tools []struct{ Name, Server, Description string }
	Total int
	Next  *int `json:"next_offset"`
}

func TestListTools(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", "z-api")
	var all page
	b.ok(t, "codespar_list_tools", `{}`, &all)
	require.Equal(t, 6+8, all.Total)
	require.Nil(t, all.Next)
	require.Equal(t, "codespar_list_tools", all.Tools[0].Name)
	require.Equal(t, "codespar", all.Tools[0].Server)
	last := all.Tools[len(all.Tools)-1]
	require.Equal(t, "Does z-api__send_text.", last.Description, "the first sentence")

	var some page
	b.ok(t, "codespar_list_tools", `{"server":"asaas","limit":2}`, &some)
	require.Equal(t, 6, some.Total)
	require.Len(t, some.Tools, 2)
	require.Equal(t, 2, *some.Next)
	b.ok(t, "codespar_list_tools", `{"server":"asaas","limit":4,"offset":2}`, &some)
	require.Len(t, some.Tools, 4)
	var none page
	b.ok(t, "codespar_list_tools", `{"server":"stripe"}`, &none)
	require.Empty(t, none.Tools)
	b.ok(t, "codespar_list_tools", `{"offset":100000}`, &none)
	require.Empty(t, none.Tools)
	require.Contains(t, b.do(t, "codespar_list_tools", `{"limit":101}`).Fault.Message, "/limit: is more than 100")
	require.Contains(t, b.do(t, "codespar_list_tools", `{"limit":0}`).Fault.Message, "/limit: is less than 1")
}

// A page is never larger than an answer may be, and nothing is lost between pages.
func TestListToolsInPages(t *testing.T) {
	t.Parallel()
	b := setup(t, "big")
	for i := range 300 {
		b.stand.tools[fmt.Sprintf("big__%055d", i)] = agent.SafetyRead
	}
	seen := map[string]bool{}
	for offset := 0; ; {
		var one page
		result := b.do(t, "codespar_list_tools", fmt.Sprintf(`{"limit":100,"offset":%d}`, offset))
		require.LessOrEqual(t, len(result.Output), 32<<10)
		b.ok(t, "codespar_list_tools", fmt.Sprintf(`{"limit":100,"offset":%d}`, offset), &one)
		for _, tool := range one.Tools {
			require.False(t, seen[tool.Name])
			seen[tool.Name] = true
		}
		if one.Next == nil {
			break
		}
		offset = *one.Next
	}
	require.Len(t, seen, 303)
}

type matched struct {
	ServerID         string   `json:"server_id"`
	ToolName         string   `json:"tool_name"`
	HTTPMethod       string   `json:"http_method"`
	EndpointTemplate string   `json:"endpoint_template"`
	CosineDistance   *float64 `json:"cosine_distance"`
	Similarity       *float64 `json:"trigram_similarity"`
	Status           string   `json:"connection_status"`
	Pitfalls         []string `json:"known_pitfalls"`
	Plan             []struct {
		Step                        int
		Description, Prereq, Action string
	} `json:"recommended_plan"`
}

type discovery struct {
	UseCase     string `json:"use_case"`
	Strategy    string `json:"search_strategy"`
	Recommended *matched
	Related     []matched
	NextSteps   []string `json:"next_steps"`
}

func fair() []commerce.Server {
	return []commerce.Server{
		{
			ID: "asaas", Name: "Asaas", Docs: "https://docs.asaas.example", Category: "payments", Country: "BR", Auth: commerce.AuthAPIKey, Environments: []events.Environment{"live", "test"},
			Fields: []commerce.Field{{Name: "api_key", Hint: "API key", Secret: true}, {Name: "wallet", Optional: true}},
			Tools: []commerce.Listing{
				{Name: "create_payment", Description: "Charge a customer by Pix, boleto or card.", Method: "POST", Path: "/payments", Safety: agent.SafetyUnsafe, Stakes: "money"},
				{Name: "refund_payment", Description: "Give a received payment back.", Method: "POST", Path: "/payments/{id}/refund", Safety: agent.SafetyUnsafe, Stakes: "money", Doubt: "Nobody\nknows."},
			},
		},
		{
			ID: "z-api", Name: "Z-API", Category: "messaging", Country: "BR", Auth: commerce.AuthPathSecret, Environments: []events.Environment{"live"},
			Tools: []commerce.Listing{{Name: "send_text", Description: "Send a WhatsApp text message.", Method: "POST", Path: "/send-text", Stakes: "irreversible"}},
		},
	}
}

func TestDiscover(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas", "own")
	b.park.servers, b.park.held["asaas"] = fair(), time.Unix(0, 0)
	b.stand.tools["asaas__refund_payment"] = agent.SafetyUnsafe
	b.stand.tools["own__count_parrots"] = agent.SafetyRead
	var found discovery
	b.ok(t, "codespar_discover", `{"use_case":"Refund a payment"}`, &found)
	require.Equal(t, "trigram", found.Strategy)
	require.Equal(t, "Refund a payment", found.UseCase)
	require.Equal(t, "asaas__refund_payment", found.Recommended.ToolName)
	require.Equal(t, "asaas", found.Recommended.ServerID)
	require.Equal(t, "POST", found.Recommended.HTTPMethod)
	require.Equal(t, "/payments/{id}/refund", found.Recommended.EndpointTemplate)
	require.Nil(t, found.Recommended.CosineDistance)
	require.InDelta(t, 1, *found.Recommended.Similarity, 0.01)
	require.Equal(t, "connected", found.Recommended.Status)
	require.Contains(t, found.Recommended.Pitfalls, "Nobody knows.")
	require.Contains(t, found.Recommended.Pitfalls[0], "moves money")
	require.Len(t, found.Recommended.Plan, 1)
	require.Equal(t, "asaas__refund_payment", found.Recommended.Plan[0].Action)
	for i, one := range found.Related {
		require.LessOrEqual(t, *one.Similarity, *found.Recommended.Similarity, i)
	}

	// A server beyond the session is shown, with what it takes.
	b.ok(t, "codespar_discover", `{"use_case":"send whatsapp text","limit":1}`, &found)
	require.Equal(t, "z-api__send_text", found.Recommended.ToolName)
	require.Equal(t, "disconnected", found.Recommended.Status)
	require.Len(t, found.Recommended.Plan, 3)
	require.Equal(t, "codespar_manage_connections", found.Recommended.Plan[0].Action)
	require.Empty(t, found.Related)
	// One of the session that no directory knows is found by its name.
	b.ok(t, "codespar_discover", `{"use_case":"parrots"}`, &found)
	require.Equal(t, "own__count_parrots", found.Recommended.ToolName)
	require.Equal(t, "not_required", found.Recommended.Status)

	b.ok(t, "codespar_discover", `{"use_case":"send text","category":"payments"}`, &found)
	require.True(t, found.Recommended == nil || found.Recommended.ServerID == "asaas")
	b.ok(t, "codespar_discover", `{"use_case":"refund payment","country":"MX"}`, &found)
	require.True(t, found.Recommended == nil || found.Recommended.ServerID != "asaas")
	for _, nothing := range []string{"qqqq xxxx", "!!!", "日本"} {
		found = discovery{}
		b.ok(t, "codespar_discover", `{"use_case":"`+nothing+`"}`, &found)
		require.Equal(t, "empty", found.Strategy)
		require.Nil(t, found.Recommended)
		require.NotEmpty(t, found.NextSteps)
	}
	require.Contains(t, b.do(t, "codespar_discover", `{"use_case":"x","limit":21}`).Fault.Message, "/limit")
	require.Contains(t, b.do(t, "codespar_discover", `{}`).Fault.Message, "is missing use_case")
	require.Empty(t, b.stand.sent, "nothing is asked of a provider")
}

type wizard struct {
	Action      string
	Connections []struct {
		ServerID    string `json:"server_id"`
		AuthType    string `json:"auth_type"`
		Status      string
		Difficulty  string
		ConnectedAt *string `json:"connected_at"`
	}
	Status   *struct{ Status string }
	Initiate *struct {
		ConnectURL      *string                       `json:"connect_url"`
		RequiredSecrets []struct{ Name, Hint string } `json:"required_secrets"`
		Pitfalls        []string                      `json:"known_pitfalls"`
		Instructions    []string
	}
}

func TestManageConnections(t *testing.T) {
	t.Parallel()
	b := setup(t, "own", "asaas")
	b.park.servers, b.park.held["asaas"] = fair(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var told wizard
	b.ok(t, "codespar_manage_connections", `{}`, &told)
	require.Equal(t, "list", told.Action)
	require.Nil(t, told.Status)
	require.Nil(t, told.Initiate)
	require.Len(t, told.Connections, 3)
	require.Equal(t, []string{"own", "asaas", "z-api"}, []string{told.Connections[0].ServerID, told.Connections[1].ServerID, told.Connections[2].ServerID})
	require.Equal(t, []string{"not_required", "connected", "disconnected"}, []string{told.Connections[0].Status, told.Connections[1].Status, told.Connections[2].Status})
	require.Equal(t, "2026-03-01T00:00:00Z", *told.Connections[1].ConnectedAt)
	require.Equal(t, "path_secret", told.Connections[2].AuthType)
	require.Equal(t, "medium", told.Connections[2].Difficulty)

	b.ok(t, "codespar_manage_connections", `{"action":"status","server_id":"asaas","environment":"test"}`, &told)
	require.Equal(t, "connected", told.Status.Status)
	b.ok(t, "codespar_manage_connections", `{"action":"initiate","server_id":"asaas"}`, &told)
	require.Len(t, told.Initiate.RequiredSecrets, 1)
	require.Equal(t, "api_key", told.Initiate.RequiredSecrets[0].Name)
	require.Nil(t, told.Initiate.ConnectURL)
	require.Contains(t, strings.Join(told.Initiate.Instructions, " "), "https://docs.asaas.example")
	b.ok(t, "codespar_manage_connections", `{"action":"initiate","server_id":"z-api"}`, &told)
	require.Contains(t, strings.Join(told.Initiate.Pitfalls, " "), "no test environment")
	require.Contains(t, strings.Join(told.Initiate.Pitfalls, " "), "none of this tenant's servers")
	for _, env := range b.park.asked {
		require.Equal(t, events.EnvironmentTest, env)
	}

	for arguments, wanted := range map[string]string{
		`{"environment":"live"}`: "/environment: is not that of this session", `{"action":"status"}`: "/server_id: is missing",
		`{"action":"status","server_id":"nowhere"}`: "/server_id", `{"action":"revoke"}`: "/action: want one of list, status, initiate",
	} {
		require.Contains(t, b.do(t, "codespar_manage_connections", arguments).Fault.Message, wanted)
	}
	b.park.broken = true
	result := b.do(t, "codespar_manage_connections", `{}`)
	require.Equal(t, events.ToolError, result.Status)
	require.NotContains(t, result.Fault.Message, "secret")
}
