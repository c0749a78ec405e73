package rating_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/money"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/usage"
)

func TestRateCardFaultsNameTheirPlace(t *testing.T) {
	t.Parallel()
	base := callCard("0.01")
	for name, row := range map[string]struct{ text, want string }{
		"no yaml":             {"{", ""},
		"empty":               {"", ""},
		"unknown field":       {strings.Replace(base, "version", "comment: x, version", 1), "comment"},
		"unknown in price":    {strings.Replace(base, "line:", "discount: x, line:", 1), "discount"},
		"float price":         {strings.Replace(base, `"0.01"`, "0.01", 1), "/prices/0/unit_price"},
		"negative price":      {strings.Replace(base, `"0.01"`, `"-0.01"`, 1), "/prices/0/unit_price"},
		"exponent":            {strings.Replace(base, `"0.01"`, `"1e3"`, 1), "/prices/0/unit_price"},
		"per three":           {strings.Replace(base, "unit: call", "unit: call, per: 3", 1), "/prices/0/per"},
		"currency":            {strings.Replace(base, "BRL", "XXX", 1), "/currency"},
		"date alone":          {strings.Replace(base, "2026-01-01T00:00:00-03:00", "2026-01-01", 1), "/effective_from"},
		"listed twice":        {strings.Replace(base, "prices: [", `prices: [{line: x, meter: tool_call, unit: call, unit_price: "1"}, `, 1), "prices[1]"},
		"two ways":            {strings.Replace(base, "unit_price:", `percentage: {rate: "1"}, unit_price:`, 1), "/prices/0"},
		"no way":              {strings.Replace(base, `, unit_price: "0.01"`, "", 1), "/prices/0"},
		"percentage of calls": {strings.Replace(base, `unit_price: "0.01"`, `percentage: {rate: "1"}`, 1), "prices[0]: percentage"},
		"minimum above cap":   {strings.Replace(base, `unit: call, unit_price: "0.01"`, `unit: BRL, percentage: {rate: "1", minimum: "2", cap: "1"}`, 1), "prices[0]: percentage.minimum"},
		"last step ends":      {strings.Replace(base, `unit_price: "0.01"`, `tiers: {mode: volume, steps: [{up_to: "1", unit_price: "1"}]}`, 1), "prices[0]: tiers.steps[0].up_to"},
		"step has no end":     {strings.Replace(base, `unit_price: "0.01"`, `tiers: {mode: volume, steps: [{unit_price: "1"}, {unit_price: "1"}]}`, 1), "prices[0]: tiers.steps[0].up_to"},
		"steps stand still":   {strings.Replace(base, `unit_price: "0.01"`, `tiers: {mode: volume, steps: [{up_to: "1", unit_price: "1"}, {up_to: "1", unit_price: "1"}, {unit_price: "1"}]}`, 1), "prices[0]: tiers.steps[1].up_to"},
		"mode":                {strings.Replace(base, `unit_price: "0.01"`, `tiers: {mode: x, steps: [{unit_price: "1"}]}`, 1), "/prices/0/tiers/mode"},
		"minimum of a cost":   {strings.Replace(base, "prices:", `kind: cost, minimum_fee: "1", prices:`, 1), "minimum_fee"},
		"minimum in tenths":   {strings.Replace(base, "prices:", `minimum_fee: "1.001", prices:`, 1), "minimum_fee"},
		"no prices":           {base[:strings.Index(base, "[")] + "[]}", "/prices"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := rating.Parse([]byte(row.text))
			require.ErrorIs(t, err, rating.ErrInvalidCard)
			require.ErrorContains(t, err, row.want)
		})
	}
}

func TestDefaultRateCardBillsEveryMeterOfFeira(t *testing.T) {
	t.Parallel()
	standard, err := rating.Default()
	require.NoError(t, err)
	require.Equal(t, money.CurrencyBRL, standard.Currency)
	bill, err := rate(standard, usage.Totals{
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
	cards := rating.Cards{newer, older}
	june := time.Date(2026, time.June, 1, 0, 0, 0, 0, saoPaulo(t))

	for moment, want := range map[time.Time]*rating.Card{june.Add(-1): older, june: newer, june.AddDate(9, 0, 0): newer} {
		got, err := cards.At(moment, rating.KindPrice, "acme")
		require.NoError(t, err)
		require.Same(t, want, got)
	}
	_, err := cards.At(june.AddDate(-1, 0, 0), rating.KindPrice, "acme")
	require.ErrorIs(t, err, rating.ErrNoCard)
}

func saoPaulo(t *testing.T) *time.Location {
	t.Helper()
	zone, err := usage.Zone("")
	require.NoError(t, err)
	return zone
}

func TestCardOfATenantGoesBeforeThatOfAll(t *testing.T) {
	t.Parallel()
	all, own := card(t, callCard("1")), card(t, strings.Replace(callCard("2"), "prices:", "tenants: [acme], prices:", 1))
	newer := card(t, strings.Replace(callCard("3"), "2026-01-01", "2026-06-01", 1))
	cost := card(t, strings.Replace(callCard("4"), "prices:", "kind: cost, prices:", 1))
	later := time.Date(2026, time.July, 1, 0, 0, 0, 0, time.UTC)
	for _, cards := range []rating.Cards{{all, own, newer, cost}, {cost, newer, own, all}} {
		for tenant, want := range map[events.TenantID]*rating.Card{"acme": own, "loja": newer} {
			got, err := cards.At(later, rating.KindPrice, tenant)
			require.NoError(t, err)
			require.Same(t, want, got, tenant)
		}
		got, err := cards.At(later, rating.KindCost, "acme")
		require.NoError(t, err)
		require.Same(t, cost, got)
	}
}
