package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// mall is a catalogue of many tools, and a provider whose answers are given.
type mall struct {
	names   []string
	answers map[string]string
}

func newMall(servers int, own ...string) *mall {
	made := &mall{answers: map[string]string{}}
	for i := range servers {
		made.names = append(made.names, fmt.Sprintf("asaas__tool_%03d", i))
	}
	made.names = append(made.names, own...)
	return made
}

func (m *mall) Tools(context.Context, agent.Reach) []agent.Tool {
	tools := make([]agent.Tool, 0, len(m.names))
	for _, name := range m.names {
		tools = append(tools, agent.Tool{Name: name, Parameters: json.RawMessage(`{"type":"object"}`)})
	}
	return tools
}

func (m *mall) Safety(context.Context, agent.Reach, string, string) (agent.Safety, bool) {
	return agent.SafetyRead, true
}

func (m *mall) Call(_ context.Context, call agent.Call) agent.Result {
	return agent.Result{Status: events.ToolOK, Output: m.answers[call.Tool]}
}

func (m *mall) Lookup(context.Context, agent.Call) (agent.Result, bool) { return agent.Result{}, false }

// prompts runs a turn, and gives the names that each of its prompts offered.
func (b *testBundle) prompts(t *testing.T, m *mall) [][]string {
	t.Helper()
	loop, err := agent.New(agent.Config{Model: b.model, Catalogue: m, Provider: m})
	require.NoError(t, err)
	require.NoError(t, b.pages.Append(t.Context(), b.request))
	from := len(b.model.prompts)
	end, err := loop.Run(t.Context(), b.scope, b.pages)
	require.NoError(t, err)
	require.NoError(t, b.pages.Append(t.Context(), end))
	var offers [][]string
	for _, prompt := range b.model.prompts[from:] {
		var names []string
		for _, tool := range prompt.Tools {
			names = append(names, tool.Name)
		}
		offers = append(offers, names)
	}
	return offers
}

func TestAPromptOffersNoMoreToolsThanAModelTakes(t *testing.T) {
	t.Parallel()
	require.Equal(t, 128, agent.MaxPromptTools)
	for count, wanted := range map[int]int{127: 127, 128: 128, 129: 128, 300: 128} {
		m := newMall(count-1, "codespar_charge")
		offer := setup(t, says("done")).prompts(t, m)[0]
		require.Len(t, offer, wanted, count)
		if count <= 128 {
			require.Equal(t, m.names, offer, "all, in their order")
			continue
		}
		require.Equal(t, "codespar_charge", offer[0], "Feira's own come first")
		require.Equal(t, m.names[:127], offer[1:])
	}
}

func TestAPromptOffersWhatTheSessionHasMet(t *testing.T) {
	t.Parallel()
	m := newMall(200, "codespar_list_tools", "codespar_discover")
	m.answers["codespar_discover"] = `{"recommended":{"server_id":"asaas","tool_name":"asaas__tool_190"},"related":[{"tool_name":"asaas__tool_191"},{"tool_name":"stripe__none"}]}`
	m.answers["codespar_list_tools"] = `{"tools":[{"name":"asaas__tool_180","description":"asaas__tool_179"}]}`
	m.answers["tool_150"] = `{"note":"asaas__tool_199"}`
	b := setup(
		t,
		says("", tool("a", "asaas/tool_150", `{}`)), says("", tool("b", "codespar_discover", `{}`)), says("", tool("c", "codespar_list_tools", `{}`)), says("done"),
		says("", tool("d", "asaas__tool_170", `{}`)), says("done"),
	)
	first := b.prompts(t, m)
	own := []string{"codespar_list_tools", "codespar_discover"}
	require.Equal(t, append(slices.Clone(own), m.names[:126]...), first[0])
	require.Equal(t, "asaas__tool_150", first[1][2], "called under its other name")
	require.Equal(t, []string{"asaas__tool_190", "asaas__tool_191", "asaas__tool_150", "asaas__tool_000"}, first[2][2:6])
	require.Equal(t, []string{"asaas__tool_180", "asaas__tool_179", "asaas__tool_190", "asaas__tool_191", "asaas__tool_150"}, first[3][2:7])
	for _, offer := range first {
		require.Len(t, offer, 128)
		require.NotContains(t, offer, "asaas__tool_199", "what a provider says is no tool of ours")
		require.NotContains(t, offer, "stripe__none")
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(offer))), 128)
	}
	// Another turn remembers.
	b.pages.request, b.request = "req_2", &events.TurnStarted{Kind: events.KindTurn, Attempt: 1, Worker: "w2", Message: "again", RequestSequence: 8}
	second := b.prompts(t, m)
	require.Equal(t, first[3], second[0])
	require.Equal(t, []string{"asaas__tool_170", "asaas__tool_180"}, second[1][2:4])
}
