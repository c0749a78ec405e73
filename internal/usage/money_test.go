package usage_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/usage"
)

func money(t *testing.T, minor int64, currency usage.Currency) usage.Money {
	t.Helper()
	made, err := usage.NewMoney(minor, currency)
	require.NoError(t, err)
	return made
}

func TestMoneyAdds(t *testing.T) {
	t.Parallel()
	sum, err := money(t, 199, usage.CurrencyBRL).Add(money(t, -1_204, usage.CurrencyBRL))
	require.NoError(t, err)
	require.Equal(t, "BRL -10.05", sum.String())

	_, err = money(t, 1, usage.CurrencyBRL).Add(money(t, 1, usage.CurrencyUSD))
	require.ErrorIs(t, err, usage.ErrCurrencyMismatch)
	_, err = money(t, math.MaxInt64, usage.CurrencyBRL).Add(money(t, 1, usage.CurrencyBRL))
	require.ErrorIs(t, err, usage.ErrOverflow)
	_, err = money(t, math.MinInt64, usage.CurrencyBRL).Add(money(t, -1, usage.CurrencyBRL))
	require.ErrorIs(t, err, usage.ErrOverflow)
	_, err = usage.NewMoney(1, "XXX")
	require.ErrorIs(t, err, usage.ErrUnknownCurrency)
}

func TestMoneyText(t *testing.T) {
	t.Parallel()
	for want, made := range map[string]usage.Money{
		"0.00": money(t, 0, usage.CurrencyBRL), "0.05": money(t, 5, usage.CurrencyBRL), "1234567.89": money(t, 123_456_789, usage.CurrencyBRL),
		"5": money(t, 5, usage.CurrencyCLP), "92233720368547758.07": money(t, math.MaxInt64, usage.CurrencyUSD),
	} {
		text, err := json.Marshal(made)
		require.NoError(t, err)
		require.Equal(t, `"`+want+`"`, string(text))
	}
}
