package money_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/money"
)

func amount(t *testing.T, minor int64, currency money.Currency) money.Amount {
	t.Helper()
	made, err := money.New(minor, currency)
	require.NoError(t, err)
	return made
}

func TestMoneyAdds(t *testing.T) {
	t.Parallel()
	sum, err := amount(t, 199, money.CurrencyBRL).Add(amount(t, -1_204, money.CurrencyBRL))
	require.NoError(t, err)
	require.Equal(t, "BRL -10.05", sum.String())

	_, err = amount(t, 1, money.CurrencyBRL).Add(amount(t, 1, money.CurrencyUSD))
	require.ErrorIs(t, err, money.ErrCurrencyMismatch)
	_, err = amount(t, math.MaxInt64, money.CurrencyBRL).Add(amount(t, 1, money.CurrencyBRL))
	require.ErrorIs(t, err, money.ErrOverflow)
	_, err = amount(t, math.MinInt64, money.CurrencyBRL).Add(amount(t, -1, money.CurrencyBRL))
	require.ErrorIs(t, err, money.ErrOverflow)
	_, err = money.New(1, "XXX")
	require.ErrorIs(t, err, money.ErrUnknownCurrency)
}

func TestMoneyText(t *testing.T) {
	t.Parallel()
	for want, made := range map[string]money.Amount{
		"0.00": amount(t, 0, money.CurrencyBRL), "0.05": amount(t, 5, money.CurrencyBRL), "1234567.89": amount(t, 123_456_789, money.CurrencyBRL),
		"5": amount(t, 5, money.CurrencyCLP), "92233720368547758.07": amount(t, math.MaxInt64, money.CurrencyUSD),
	} {
		text, err := json.Marshal(made)
		require.NoError(t, err)
		require.Equal(t, `"`+want+`"`, string(text))
	}
}

func TestParseRefusesWhatIsNoAmount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"12.30": "12.30", "12": "12.00", "-0.05": "-0.05", "12.300": "12.30"} {
		parsed, err := money.Parse(text, money.CurrencyBRL)
		require.NoError(t, err)
		require.Equal(t, want, parsed.Text())
		require.Zero(t, parsed.Decimal().Cmp(parsed.Negate().Negate().Decimal()))
	}
	for _, text := range []string{"", "x", "1.234", "NaN", "Infinity", "1,5"} {
		_, err := money.Parse(text, money.CurrencyBRL)
		require.ErrorIs(t, err, money.ErrInvalid, text)
	}
	_, err := money.Parse("1.5", money.CurrencyCLP)
	require.ErrorIs(t, err, money.ErrInvalid, "no minor unit")
	_, err = money.Parse("99999999999999999999", money.CurrencyBRL)
	require.ErrorIs(t, err, money.ErrOverflow)
	_, err = money.Parse("1", "XXX")
	require.ErrorIs(t, err, money.ErrUnknownCurrency)
}
