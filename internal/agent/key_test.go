package agent_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/agent"
)

func TestNamesOfTools(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"stripe__create_refund":  {"stripe", "create_refund"},
		"stripe/create_refund":   {"stripe", "create_refund"},
		"stripe__a__b":           {"stripe", "a__b"},
		"stripe/a__b":            {"stripe", "a__b"},
		"codespar_charge":        {agent.OwnServer, "codespar_charge"},
		"codespar_list_tools":    {agent.OwnServer, "codespar_list_tools"},
		"codespar__charge":       {agent.OwnServer, "charge"},
		"codespar/charge":        {agent.OwnServer, "charge"},
		"codespar_crm__charge":   {"codespar_crm", "charge"},
		"codespar_crm/a_payment": {"codespar_crm", "a_payment"},
	} {
		server, tool, ok := agent.SplitTool(name)
		require.True(t, ok, name)
		require.Equal(t, want, [2]string{server, tool}, name)
	}
	for _, name := range []string{"", "charge", "codespar", "codespar_", "__charge", "stripe__", "/charge", "stripe/"} {
		_, _, ok := agent.SplitTool(name)
		require.False(t, ok, name)
	}
	require.Equal(t, "stripe__create_refund", agent.ToolName("stripe", "create_refund"))
	require.Equal(t, "codespar_charge", agent.ToolName(agent.OwnServer, "codespar_charge"))
}
