package planner

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
)

func TestReadOrder(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]order{
		"Order 1001: charge R$ 150,00 to Maria Silva (CPF 529.982.247-25, maria@example.com, phone 5511987654321), ship it to CEP 01310-100": {
			amount: 15000, to: "01310100", taxpayer: "52998224725", phone: "5511987654321", email: "maria@example.com", name: "Maria Silva", reference: "1001",
		},
		"charge R$150.00 for Ana de Souza":                   {amount: 15000, name: "Ana de Souza"},
		"cobrar BRL 89.90 do cliente José Antônio":           {amount: 8990, name: "José Antônio"},
		"charge R$ 1.234.567,8":                              {amount: 123456780},
		"charge 150 reais":                                   {amount: 15000},
		"charge R$ 1.500":                                    {amount: 150000},
		"CNPJ 11.222.333/0001-81":                            {taxpayer: "11222333000181"},
		"CPF 529.982.247-24 has a wrong digit":               {},
		"ship from CEP 20040-020 to CEP 01310-100":           {from: "20040020", to: "01310100"},
		"ship 20040-020 -> 01310-100":                        {from: "20040020", to: "01310100"},
		"ship to 01310-100 from 20040-020":                   {from: "20040020", to: "01310100"},
		"CEP 01310100, 2.5 kg":                               {to: "01310100", grams: 2500},
		"phone (11) 98765-4321":                              {phone: "5511987654321"},
		"whatsapp +55 11 98765-4321":                         {phone: "5511987654321"},
		"pedido nº A-77 para Maria Silva":                    {reference: "A-77", name: "Maria Silva"},
		"order the usual for the customer":                   {},
		"call 12345678901, which is no CPF and has no word":  {},
		"order 529.982.247-25x: an order is not a CPF's end": {reference: "529", taxpayer: ""},
	} {
		got := readOrder(text)
		if want.grams == 0 {
			want.grams = defaultGrams
		}
		want.text, want.intents = text, got.intents
		require.Equal(t, want, got, text)
	}
}

func TestRecogniseIntents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]intent{
		"charge R$ 1, ship it, issue the invoice and notify her": {intentCharge, intentShip, intentInvoice, intentNotify},
		"cobrar, enviar, emitir a nota fiscal e avisar":          {intentCharge, intentShip, intentInvoice, intentNotify},
		"enviar mensagem para Maria":                             {intentNotify},
		"what is the status of my payment and shipment?":         {intentTrack},
		"refund the payment pay_abc":                             {intentRefund},
		"qual o saldo?":                                          {intentBalance},
		"how much is shipping to 01310-100?":                     {intentQuote},
		"a pix of R$ 10":                                         {intentCharge},
		"mail pay@ship.com.br, please":                           nil,
		"the sacred texts of shipwrecks":                         nil,
		"hello":                                                  nil,
	} {
		require.Equal(t, want, recogniseIntents(text), text)
	}
}

// Whatever is said, reading it comes to an end and makes nothing up.
func TestReadOrderOfAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		got := readOrder(rapid.String().Draw(t, "text"))
		if got.taxpayer != "" && !brazil.IsTaxpayer(got.taxpayer) {
			t.Fatalf("taxpayer %q", got.taxpayer)
		}
		if got.amount < 0 || got.grams < 0 {
			t.Fatalf("negative: %+v", got)
		}
	})
}
