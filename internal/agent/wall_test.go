package agent_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
)

// TestNoNameButAToolsOwnPasses makes up names near those of the session's
// tools: only their two spellings are sent, and whatever is refused says why in
// a few words. internal/walls has a table of such names.
func TestNoNameButAToolsOwnPasses(t *testing.T) {
	t.Parallel()
	own := []string{"stripe__get_balance", "stripe/get_balance", "asaas__get_balance", "asaas/get_balance"}
	rapid.Check(t, func(rt *rapid.T) {
		piece := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"stripe", "asaas", "z-api", "get_balance", "__", "_", "/", "..", "Stripe", "\u0455tripe", "\u200b", "codespar_", "*", ".", " ",
		}))
		name := strings.Join(rapid.SliceOfN(piece, 1, 6).Draw(rt, "pieces"), "")
		b := setup(t, says("", tool("a", name, `{}`)), says("done"))
		_, err := b.run(t.Context(), t)
		require.NoError(rt, err)
		returned := b.pages.returned()
		require.Len(rt, returned, 1)
		if slices.Contains(own, name) {
			require.Equal(rt, events.ToolOK, returned[0].Status)
			return
		}
		require.Empty(rt, b.shop.sent, name)
		require.Equal(rt, events.ToolRefused, returned[0].Status)
		require.Contains(rt, []string{events.FaultServerNotInSession, events.FaultUnknownTool}, returned[0].Error.Code)
		require.Less(rt, len(returned[0].Error.Message), 1000)
	})
}
