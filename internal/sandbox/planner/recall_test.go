package planner

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const earlierOrder = "Order 79: charge R$ 64,90 by Pix to Davi Rocha (CPF 818.368.778-46, davi@example.com, phone 5551998761234), from CEP 01001-000 to CEP 90010-150, 2 kg"

func TestAnOrderIsRecalled(t *testing.T) {
	t.Parallel()
	said := []string{"charge R$ 5,00 to Ana Souza (ana@example.com)", earlierOrder, "What is the balance now?"}
	got := readOrder("pay_1 was paid (RECEIVED). Ship the order by Melhor Envio and notify the customer on WhatsApp.").recall(said)
	require.Equal(t, []intent{intentShip, intentNotify}, got.intents)
	require.Equal(t, "Davi Rocha", got.name)
	require.Equal(t, []string{"81836877846", "davi@example.com", "5551998761234", "01001000", "90010150", "79"},
		[]string{got.taxpayer, got.email, got.phone, got.from, got.to, got.reference})
	require.EqualValues(t, 64_90, got.amount)
	require.Equal(t, 2000, got.grams)

	for _, text := range []string{"ship to CEP 01310-100", "notify Maria Silva", "What is the balance now?"} {
		require.Equal(t, readOrder(text), readOrder(text).recall(said), "it is of somebody else, or of nobody")
	}
	require.Zero(t, readOrder("charge the customer").recall(said).amount, "what somebody owes is not taken from an old order")
	require.Equal(t, readOrder("ship it"), readOrder("ship it").recall([]string{"hello"}))
}
