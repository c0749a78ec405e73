package usage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/usage"
)

func TestRateCardFaultsNameTheirPlace(t *testing.T) {
	t.Parallel()
	base := callCard("0.01")
	for name, row := range map[string]struct{ text, want string }{
		"no yaml":          {"{", ""},
		"empty":            {"", ""},
		"unknown field":    {strings.Replace(base, "version", "comment: x, version", 1), "comment"},
		"unknown in price": {strings.Replace(base, "line:", "discount: x, line:", 1), "discount"},
		"float price":      {strings.Replace(base, `"0.01"`, "0.01", 1), "/prices/0/unit_price"},
		"negative price":   {strings.Replace(base, `"0.01"`, `"-0.01"`, 1), "/prices/0/unit_price"},
		"exponent":         {strings.Replace(base, `"0.01"`, `"1e3"`, 1), "/prices/0/unit_price"},
		"per three":        {strings.Replace(base, "unit: call", "unit: call, per: 3", 1), "/prices/0/per"},
		"currency":         {strings.Replace(base, "BRL", "XXX", 1), "/currency"},
		"date alone":       {strings.Replace(base, "2026-01-01T00:00:00-03:00", "2026-01-01", 1), "/effective_from"},
		"listed twice":     {strings.Replace(base, "prices: [", `prices: [{line: x, meter: tool_call, unit: call, unit_price: "1"}, `, 1), "prices[1]"},
		"no prices":        {base[:strings.Index(base, "[")] + "[]}", "/prices"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := usage.ParseRateCard([]byte(row.text))
			require.ErrorIs(t, err, usage.ErrInvalidRateCard)
			require.ErrorContains(t, err, row.want)
		})
	}
}

func TestDefaultRateCardBillsEveryMeterOfFeira(t *testing.T) {
	t.Parallel()
	standard, err := usage.DefaultRateCard()
	require.NoError(t, err)
	require.Equal(t, usage.CurrencyBRL, standard.Currency)
	bill, err := usage.Rate(standard, usage.Totals{
		calls(t, "asaas", "x", "1"), tokens(t, "m", "input_token", "1"), tokens(t, "m", "output_token", "1"),
	})
	require.NoError(t, err)
	require.Empty(t, bill.Unpriced)
	var meters []string
	for _, line := range bill.Lines {
		meters = append(meters, line.Meter)
	}
	require.Equal(t, []string{"tool_calls", "input_tokens", "output_tokens"}, meters)
}

func TestCardInForceIsTheLatestThatHasBegun(t *testing.T) {
	t.Parallel()
	older, newer := card(t, callCard("1")), card(t, strings.Replace(callCard("2"), "2026-01-01", "2026-06-01", 1))
	cards := usage.RateCards{newer, older}
	june := time.Date(2026, time.June, 1, 0, 0, 0, 0, zone(t, ""))

	for moment, want := range map[time.Time]*usage.RateCard{june.Add(-1): older, june: newer, june.AddDate(9, 0, 0): newer} {
		got, err := cards.At(moment)
		require.NoError(t, err)
		require.Same(t, want, got)
	}
	_, err := cards.At(june.AddDate(-1, 0, 0))
	require.ErrorIs(t, err, usage.ErrNoRateCard)
}
