package app

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/budget"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/tenant"
)

func TestPricesOfBudgets(t *testing.T) {
	t.Parallel()
	card, err := rating.Default()
	require.NoError(t, err)
	prices, err := pricesOf(card)
	require.NoError(t, err)
	for _, test := range []struct {
		use  budget.Use
		want tenant.Amount
	}{
		{budget.Use{}, 0},
		{budget.Use{Calls: 1}, 5_000},
		{budget.Use{InputTokens: 1}, 15},
		{budget.Use{OutputTokens: 1_000_000}, tenant.Whole(60)},
		{budget.Use{Calls: 3, InputTokens: 2, OutputTokens: 1}, 15_090},
		{budget.Use{Calls: math.MaxInt64, OutputTokens: math.MaxInt64}, tenant.Whole(tenant.MaxBudget)},
	} {
		got, known := prices("BRL", test.use)
		require.True(t, known)
		require.Equal(t, test.want, got, "%+v", test.use)
	}
	_, known := prices("USD", budget.Use{Calls: 1})
	require.False(t, known)
	card, err = rating.Parse([]byte(`{"version":"v","currency":"BRL","effective_from":"2026-01-01T00:00:00Z","prices":[` +
		`{"line":"calls","meter":"tool_call","unit":"call","unit_price":"0.0000001"},` +
		`{"line":"in","meter":"model_reply","unit":"input_token","unit_price":"1","included":"10"},` +
		`{"line":"out","meter":"model_reply","unit":"output_token","unit_price":"1","per":1000000}]}`))
	require.NoError(t, err)
	prices, err = pricesOf(card)
	require.NoError(t, err)
	got, _ := prices("BRL", budget.Use{Calls: 11, InputTokens: 1})
	require.Equal(t, tenant.Amount(1_000_002), got, "rounded up once")
}
