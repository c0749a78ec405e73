package brazil_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
)

func TestTaxpayers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"529.982.247-25": true, "52998224725": true, "11222333000181": true, "11.222.333/0001-81": true,
		"52998224724": false, "00000000000": false, "11222333000180": false, "": false, "529": false,
	} {
		require.Equal(t, want, brazil.IsTaxpayer(text), text)
	}
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.String().Draw(t, "seed")
		if !brazil.IsCPF(brazil.CPF(seed)) || !brazil.IsCNPJ(brazil.CNPJ(seed)) {
			t.Fatalf("made %s and %s", brazil.CPF(seed), brazil.CNPJ(seed))
		}
	})
}

func TestCents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]brazil.Cents{"150": 15000, "89.9": 8990, "0.01": 1, "1.5e2": 15000, "-2.50": -250, "150.000": 15000} {
		got, err := brazil.ParseCents(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "x", "0.001", "NaN", "Infinity", "1e999999999", "1e-999999999", "99999999999999999999"} {
		_, err := brazil.ParseCents(text)
		require.ErrorIs(t, err, brazil.ErrMalformed, text)
	}
	require.Equal(t, "-0,05", brazil.Cents(-5).Comma())
	rapid.Check(t, func(t *rapid.T) {
		want := brazil.Cents(rapid.Int64Range(-math.MaxInt32*1000, math.MaxInt32*1000).Draw(t, "cents"))
		data, err := json.Marshal(want)
		require.NoError(t, err)
		var got brazil.Cents
		require.NoError(t, json.Unmarshal(data, &got))
		require.Equal(t, want, got)
	})
}

func TestCodesHaveTheirCheckDigits(t *testing.T) {
	t.Parallel()
	require.Equal(t, "RB473124829BR", strings.Replace(brazil.ParcelLabel("RB", "47312482"), " ", "", 1))
	code := brazil.PixCode("example.com/qr/1", "LOJA", 15000, "ref")
	require.Contains(t, code, "5406150.00")
	require.Contains(t, code, "5303986")
	require.Regexp(t, "6304[0-9A-F]{4}$", code)

	slip := brazil.NewBoleto("461", "123", 15000, time.Date(2025, 2, 23, 0, 0, 0, 0, time.UTC))
	require.Len(t, slip.BarCode, 44)
	require.Len(t, slip.Line, 47)
	require.Equal(t, "10010000015000", slip.Line[33:], "due factor and amount")
	require.Equal(t, slip.BarCode[4:5], slip.Line[32:33], "the check digit of the whole")
	require.Equal(t, slip.BarCode[19:24], slip.Line[4:9])
	require.Equal(t, slip.BarCode[24:34], slip.Line[10:20])
	require.Equal(t, slip.BarCode[34:44], slip.Line[21:31])
}

// The manual of Pix gives this code with its checksum.
func TestPixChecksumIsTheManuals(t *testing.T) {
	t.Parallel()
	const manual = "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5913Fulano de Tal6008BRASILIA62070503***63041D3D"
	require.Equal(t, manual, brazil.WithChecksum(strings.TrimSuffix(manual, "1D3D")))
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	paulista, ok := brazil.FindPlace("01310-100")
	require.True(t, ok)
	require.Equal(t, "Avenida Paulista", paulista.Street)
	for cep, uf := range map[string]string{"20000000": "RJ", "69900000": "AM", "72000000": "DF", "74000000": "GO", "88000000": "SC", "99999999": "RS"} {
		place, ok := brazil.FindPlace(cep)
		require.True(t, ok)
		require.Equal(t, uf, place.UF, cep)
	}
	for _, cep := range []string{"", "00999999", "1310100", "013101000", "01310 - 100"} {
		_, ok := brazil.FindPlace(cep)
		require.False(t, ok, cep)
	}
}
