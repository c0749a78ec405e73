package commerce

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// open is a catalogue that knows every tool, and a provider that does whatever
// it is asked.
type open struct{ sent int }

func (o *open) Tools(context.Context, agent.Reach) []agent.Tool { return nil }

func (o *open) Safety(context.Context, agent.Reach, string, string) (agent.Safety, bool) {
	return agent.SafetyRead, true
}

func (o *open) Call(context.Context, agent.Call) agent.Result {
	o.sent++
	return agent.Result{Status: events.ToolOK, Output: "{}"}
}

func (o *open) Lookup(context.Context, agent.Call) (agent.Result, bool) { return agent.Result{}, false }

// A recipe that named a server out of reach, by mistake, would not get there;
// nor does one reach Feira's own tools, which would be a recipe within itself.
func TestNoStepLeavesTheReach(t *testing.T) {
	t.Parallel()
	within := &open{}
	market, err := New(Config{Catalogue: within, Provider: within, Now: time.Now})
	require.NoError(t, err)
	r := &run{market: market, tool: market.tools[0], call: agent.Call{Reach: agent.Reach{Servers: []string{"asaas"}, Opened: []string{"asaas"}}}}
	for _, server := range []string{"stripe", agent.OwnServer, ""} {
		_, err := r.do(t.Context(), step{name: "x", server: server, tool: "get_balance"})
		var halt *haltError
		require.ErrorAs(t, err, &halt)
		require.Equal(t, events.FaultServerNotInSession, halt.result.Fault.Code)
		require.Equal(t, events.ToolRefused, halt.result.Status)
	}
	require.Zero(t, within.sent)
	_, err = r.do(t.Context(), step{name: "x", server: "asaas", tool: "get_balance"})
	require.NoError(t, err)
	require.Equal(t, 1, within.sent)
}
