package events_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// The list of cards is the same bytes whatever order they are told in, and what
// cannot be read is not taken for an empty one.
func TestRateCards(t *testing.T) {
	t.Parallel()
	a, b := events.KeyRateCard([]byte("a")), events.KeyRateCard([]byte("b"))
	require.NotEqual(t, a, b)
	one, err := events.RateCards{Zone: "America/Sao_Paulo", Cards: []string{b, a, b}}.Encode()
	require.NoError(t, err)
	two, err := events.RateCards{Zone: "America/Sao_Paulo", Cards: []string{a, b}}.Encode()
	require.NoError(t, err)
	require.Equal(t, string(one), string(two))
	read, err := events.ParseRateCards(one)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{a, b}, read.Cards)
	for _, bad := range []string{"", "{", "null", `{"cards":[]}`, `{"zone":"UTC","cards":"x"}`} {
		_, err := events.ParseRateCards([]byte(bad))
		require.ErrorIs(t, err, events.ErrRateCards, bad)
	}
}
