package usage_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/usage"
)

func TestParseAmount(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"0": "0", "1": "1", "007": "7", "1.50": "1.5", "0.000000001": "0.000000001", "10000000000": "10000000000", "12.0": "12",
	} {
		amount, err := usage.ParseAmount(text)
		require.NoError(t, err, text)
		require.Equal(t, want, amount.String(), text)
	}
	for _, text := range []string{
		"", ".", "1.", ".5", "-1", "+1", "1e3", "1E1000000000", "NaN", "Infinity", "0x10", "1_000", " 1", "1 ", "1,5",
		"1.0000000001", "10000000001", "99999999999999999999", "1.2.3", "١",
	} {
		_, err := usage.ParseAmount(text)
		require.ErrorIs(t, err, usage.ErrInvalidAmount, text)
	}
}

func amounts() *rapid.Generator[usage.Amount] {
	return rapid.Custom(func(t *rapid.T) usage.Amount {
		amount, err := usage.AmountOf(rapid.Int64Range(0, usage.MaxAmount-1).Draw(t, "whole"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano"))
		require.NoError(t, err)
		return amount
	})
}

func TestAmountTextRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount := amounts().Draw(t, "amount")
		read, err := usage.ParseAmount(amount.String())
		require.NoError(t, err)
		require.Equal(t, amount, read)
	})
}

func TestAmountAddIsExact(t *testing.T) {
	t.Parallel()
	nanos := func(amount usage.Amount) *big.Int {
		whole := new(big.Int).Mul(big.NewInt(amount.Whole()), big.NewInt(1_000_000_000))
		return whole.Add(whole, big.NewInt(amount.Nano()))
	}
	rapid.Check(t, func(t *rapid.T) {
		var sum usage.Amount
		want := new(big.Int)
		for _, amount := range rapid.SliceOf(amounts()).Draw(t, "amounts") {
			var err error
			sum, err = sum.Add(amount)
			require.NoError(t, err)
			want.Add(want, nanos(amount))
		}
		require.Zero(t, want.Cmp(nanos(sum)))
	})
}

func TestAmountOverflowIsAnError(t *testing.T) {
	t.Parallel()
	most, err := usage.AmountOf(math.MaxInt64, 999_999_999)
	require.NoError(t, err)
	least, err := usage.AmountOf(0, 1)
	require.NoError(t, err)
	_, err = most.Add(least)
	require.ErrorIs(t, err, usage.ErrOverflow)
	_, err = usage.AmountOf(math.MaxInt64, 1_000_000_000)
	require.ErrorIs(t, err, usage.ErrOverflow)
	_, err = usage.AmountOf(-1, 0)
	require.ErrorIs(t, err, usage.ErrInvalidAmount)
}

func TestSumsAreReadBack(t *testing.T) {
	t.Parallel()
	sum, err := usage.WholeAmount(usage.MaxAmount).Add(usage.WholeAmount(usage.MaxAmount))
	require.NoError(t, err)
	text, err := sum.MarshalText()
	require.NoError(t, err)
	var read usage.Amount
	require.NoError(t, read.UnmarshalText(text))
	require.Equal(t, sum, read)
	require.Error(t, read.UnmarshalText([]byte("9223372036854775808")))
	_, err = usage.ParseAmount(string(text))
	require.ErrorIs(t, err, usage.ErrInvalidAmount, "of one event")
}

func TestAmountsSubtractAndMultiply(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := amounts().Draw(t, "a"), amounts().Draw(t, "b")
		sum, err := a.Add(b)
		require.NoError(t, err)
		back, err := sum.Subtract(b)
		require.NoError(t, err)
		require.Equal(t, a, back)
		twice, err := a.Times(2)
		require.NoError(t, err)
		double, err := a.Add(a)
		require.NoError(t, err)
		require.Equal(t, double, twice)
	})
	_, err := usage.WholeAmount(1).Subtract(usage.WholeAmount(2))
	require.ErrorIs(t, err, usage.ErrOverflow)
	_, err = usage.WholeAmount(usage.MaxAmount).Times(1_000_000_000)
	require.ErrorIs(t, err, usage.ErrOverflow)
	_, err = usage.WholeAmount(1).Times(-1)
	require.ErrorIs(t, err, usage.ErrOverflow)
}
