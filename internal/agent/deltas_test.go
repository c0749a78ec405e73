package agent_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// speaker is a model that tells its text in two pieces, or nobody when nobody asks.
type speaker struct {
	*replies
	asked []bool
}

func (s *speaker) Reply(ctx context.Context, prompt agent.Prompt, onDelta func(string)) (agent.Reply, error) {
	s.asked = append(s.asked, onDelta != nil)
	if onDelta != nil {
		onDelta("good ")
		onDelta("day")
	}
	return s.replies.Reply(ctx, prompt, onDelta)
}

func TestTextIsToldAsItArrives(t *testing.T) {
	t.Parallel()
	b := setup(t, says("", tool("a", "stripe__get_balance", `{}`)), fails(agent.ErrModelGarbage))
	model := &speaker{replies: b.model}
	type told struct {
		Delta  agent.Delta
		Events int // that were written by then
	}
	var heard []told
	loop, err := agent.New(agent.Config{Model: model, Catalogue: b.shop, Provider: b.shop, OnDelta: func(d agent.Delta) {
		heard = append(heard, told{d, len(b.pages.log)})
	}})
	require.NoError(t, err)
	require.NoError(t, b.pages.Append(t.Context(), b.request))
	end, err := loop.Run(t.Context(), b.scope, b.pages)
	require.NoError(t, err)
	require.Equal(t, events.TurnFailed, end.Status)
	delta := func(iteration int, text string, over bool) agent.Delta {
		return agent.Delta{Tenant: "tenant_acme", Session: "ses_1", Request: "req_1", Iteration: iteration, Text: text, Over: over}
	}
	require.Empty(t, cmp.Diff([]told{
		{delta(1, "good ", false), 2},
		{delta(1, "day", false), 2},
		{delta(1, "", true), 2},
		{delta(2, "good ", false), 4},
		{delta(2, "day", false), 4},
		{delta(2, "", true), 4},
	}, heard), "a reply is over before it is written down, and when it has failed")
	require.Equal(t, []bool{true, true}, model.asked)
}

func TestWholeRepliesAreAskedForWhereNobodyHears(t *testing.T) {
	t.Parallel()
	b := setup(t, says("good day"))
	model := &speaker{replies: b.model}
	loop, err := agent.New(agent.Config{Model: model, Catalogue: b.shop, Provider: b.shop})
	require.NoError(t, err)
	require.NoError(t, b.pages.Append(t.Context(), b.request))
	_, err = loop.Run(t.Context(), b.scope, b.pages)
	require.NoError(t, err)
	require.Equal(t, []bool{false}, model.asked)
}
