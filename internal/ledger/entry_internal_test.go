package ledger

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/usage"
)

// What is spelled by hand is what the JSON package spells, whatever the texts.
func TestTextsAreThoseOfJSON(t *testing.T) {
	t.Parallel()
	text := rapid.OneOf(rapid.StringMatching(`[a-z_.]{0,8}`), rapid.String(), rapid.StringMatching("[ -~\x7f<&>\"\\\\]{0,4}"))
	quantity := rapid.Custom(func(t *rapid.T) usage.Quantity {
		amount, err := usage.AmountOf(rapid.Int64Range(0, 1<<40).Draw(t, "whole"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano"))
		require.NoError(t, err)
		return usage.Quantity{Unit: text.Draw(t, "unit"), Amount: amount}
	})
	rapid.Check(t, func(t *rapid.T) {
		quantities := rapid.SliceOfN(quantity, 0, 4).Draw(t, "quantities")
		want, err := json.Marshal(quantities)
		require.NoError(t, err)
		got, err := quantitiesText(quantities)
		require.NoError(t, err)
		require.Equal(t, string(want), got)

		metadata := rapid.MapOfN(text, text, 0, 2).Draw(t, "metadata")
		want, err = json.Marshal(metadata)
		require.NoError(t, err)
		got, err = metadataText(metadata)
		require.NoError(t, err)
		require.Equal(t, string(want), got)
	})
}
