package sandbox_test

import (
	"encoding/base64"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox/journal"
)

func effects(b *bundle, server string) []string {
	var names []string
	for _, entry := range b.Journal().Entries(journal.Filter{Server: server}) {
		names = append(names, entry.Effect)
	}
	return names
}

func TestAsaasLifeOfAPayment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "asaas", loja)
	customer := p.ok(t, "POST", "/customers", `{"name":"Maria Silva","cpfCnpj":"529.982.247-25","externalReference":"c-1"}`).text("id")
	require.Len(t, customer, len("cus_")+12)
	require.Contains(t, p.ok(t, "GET", "/customers?cpfCnpj=52998224725", "").raw, customer)
	require.Equal(t, "0", p.ok(t, "GET", "/customers?externalReference=c-2", "").text("totalCount"))

	payment := func(kind, more string) string {
		return p.ok(t, "POST", "/payments", `{"customer":"`+customer+`","billingType":"`+kind+`","value":150.00,"dueDate":"2026-03-09"`+more+`}`).text("id")
	}
	pix := payment("PIX", `,"externalReference":"order-1001"`)
	code := p.ok(t, "GET", "/payments/"+pix+"/pixQrCode", "")
	require.True(t, strings.HasPrefix(code.text("payload"), "000201"))
	require.Contains(t, code.text("payload"), "5406150.00")
	_, err := png.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(code.text("encodedImage"))))
	require.NoError(t, err)
	require.Equal(t, 400, p.call(t, "GET", "/payments/"+pix+"/identificationField", "").status, "a Pix has no slip")

	slip := p.ok(t, "GET", "/payments/"+payment("BOLETO", "")+"/identificationField", "")
	require.Len(t, slip.text("identificationField"), 47)
	require.Len(t, slip.text("barCode"), 44)
	require.True(t, strings.HasSuffix(slip.text("identificationField"), "0000015000"), "the amount ends the line")

	found := p.ok(t, "GET", "/payments?externalReference=order-1001", "")
	require.Equal(t, "1", found.text("totalCount"))
	require.Contains(t, found.raw, pix)

	require.Contains(t, p.call(t, "POST", "/payments/"+pix+"/refund", "{}").raw, "invalid_action", "nobody has paid")
	p.ok(t, "POST", "/sandbox/payment/"+pix+"/confirm", "")
	require.Equal(t, "150.00", p.ok(t, "GET", "/finance/balance", "").text("balance"))
	require.Equal(t, "RECEIVED", p.ok(t, "POST", "/payments/"+pix+"/refund", `{"value":50.5}`).text("status"))
	require.Equal(t, 400, p.call(t, "POST", "/payments/"+pix+"/refund", `{"value":99.51}`).status, "more than is left")
	require.Equal(t, "REFUNDED", p.ok(t, "POST", "/payments/"+pix+"/refund", "").text("status"))
	require.Equal(t, "0.00", p.ok(t, "GET", "/finance/balance", "").text("balance"))
	require.Equal(t, 400, p.call(t, "DELETE", "/payments/"+pix, "").status)

	gone := payment("UNDEFINED", "")
	require.Equal(t, "20.00", p.ok(t, "PUT", "/payments/"+gone, `{"value":20}`).text("value"))
	p.ok(t, "DELETE", "/payments/"+gone, "")
	require.Equal(t, true, p.ok(t, "GET", "/payments/"+gone, "").body["deleted"])
	require.Equal(t, "CONFIRMED", p.ok(t, "GET", "/payments/"+payment("CREDIT_CARD", `,"creditCardToken":"t"`), "").text("status"))

	require.Equal(t, []string{
		"customer.created", "payment.created", "payment.created", "payment.received", "payment.refunded", "payment.refunded",
		"payment.created", "payment.updated", "payment.deleted", "payment.created", "payment.received",
	}, effects(b, "asaas"))
}

func TestAsaasRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "asaas", loja)
	customer := p.ok(t, "POST", "/customers", `{"name":"Maria","cpfCnpj":"52998224725"}`).text("id")
	for body, code := range map[string]string{
		`{"cpfCnpj":"52998224725"}`:                           "invalid_name",
		`{"name":"x"}`:                                        "invalid_cpfCnpj",
		`{"name":"x","cpfCnpj":"52998224726"}`:                "invalid_cpfCnpj",
		`{"name":"x","cpfCnpj":"52998224725","email":"mary"}`: "invalid_email",
		`[]`: "invalid_object",
	} {
		got := p.call(t, "POST", "/customers", body)
		require.Equal(t, 400, got.status)
		require.Contains(t, got.raw, code, body)
	}
	for fields, code := range map[string]string{
		`"customer":"cus_x","billingType":"PIX","value":1,"dueDate":"2026-03-09"`:              "invalid_customer",
		`"customer":"` + customer + `","value":1,"dueDate":"2026-03-09"`:                       "invalid_billingType",
		`"customer":"` + customer + `","billingType":"PIX","dueDate":"2026-03-09"`:             "invalid_value",
		`"customer":"` + customer + `","billingType":"PIX","value":0,"dueDate":"2026-03-09"`:   "invalid_value",
		`"customer":"` + customer + `","billingType":"PIX","value":1.5`:                        "invalid_dueDate",
		`"customer":"` + customer + `","billingType":"PIX","value":1,"dueDate":"2026-03-01"`:   "invalid_dueDate",
		`"customer":"` + customer + `","billingType":"PIX","value":1,"dueDate":"09/03/2026"`:   "invalid_dueDate",
		`"customer":"` + customer + `","billingType":"PIX","value":0.001,"dueDate":"09/03/26"`: "invalid_value",
	} {
		got := p.call(t, "POST", "/payments", "{"+fields+"}")
		require.Equal(t, 400, got.status)
		require.Contains(t, got.raw, code, fields)
	}
	require.Equal(t, 404, p.call(t, "GET", "/payments/pay_x", "").status)
	require.Equal(t, []string{"customer.created"}, effects(b, "asaas"))
}

func TestMelhorEnvioFlow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "melhor-envio", loja)
	quotes := p.ok(t, "POST", "/me/shipment/calculate", `{"from":{"postal_code":"01001000"},"to":{"postal_code":"90010150"},"products":[{"weight":2}]}`)
	require.Len(t, quotes.list, 4)

	made := p.call(t, "POST", "/me/cart", shipment)
	require.Equal(t, 201, made.status, made.raw)
	id := made.text("id")
	orders := `{"orders":["` + id + `"]}`
	require.Equal(t, 422, p.call(t, "POST", "/me/shipment/generate", orders).status, "not paid")
	require.Equal(t, "paid", p.ok(t, "POST", "/me/shipment/checkout", orders).text("purchase", "status"))
	require.Equal(t, 422, p.call(t, "POST", "/me/shipment/checkout", orders).status, "paid already")
	price := made.text("price")
	require.Equal(t, "18.10", price)
	require.Equal(t, "981.90", p.ok(t, "GET", "/me/balance", "").text("balance"), "the wallet is debited by the price")

	require.Equal(t, 422, p.call(t, "POST", "/me/shipment/print", orders).status, "no label yet")
	p.ok(t, "POST", "/me/shipment/generate", orders)
	require.Contains(t, p.ok(t, "POST", "/me/shipment/print", orders).text("url"), "https://")
	require.Equal(t, "generated", p.ok(t, "POST", "/me/shipment/tracking", orders).text(id, "status"))
	b.clock.advance(25 * time.Hour)
	require.Equal(t, "posted", p.ok(t, "GET", "/me/orders/"+id, "").text("status"))
	require.Equal(t, 422, p.call(t, "POST", "/me/shipment/cancel", `{"order":{"id":"`+id+`"}}`).status)
	b.clock.advance(72 * time.Hour)
	require.Equal(t, "delivered", p.ok(t, "GET", "/me/orders/"+id, "").text("status"))
	require.Len(t, p.ok(t, "GET", "/me/orders/search?q=order-1001", "").list, 1)

	second := p.ok(t, "POST", "/me/cart", shipment).text("id")
	p.ok(t, "POST", "/me/shipment/checkout", `{"orders":["`+second+`"]}`)
	p.ok(t, "POST", "/me/shipment/cancel", `{"order":{"id":"`+second+`","reason_id":"2","description":"x"}}`)
	require.Equal(t, "981.90", p.ok(t, "GET", "/me/balance", "").text("balance"), "a cancelled label is paid back")

	third := p.ok(t, "POST", "/me/cart", shipment).text("id")
	require.Equal(t, "1", p.ok(t, "GET", "/me/cart", "").text("total"))
	p.ok(t, "DELETE", "/me/cart/"+third, "")
	require.Equal(t, "0", p.ok(t, "GET", "/me/cart", "").text("total"))

	require.Equal(t, []string{
		"order.created", "order.paid", "label.generated", "order.created", "order.paid", "order.canceled", "order.created", "order.removed",
	}, effects(b, "melhor-envio"))
}

func TestMelhorEnvioWalletIsNotOverdrawn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "melhor-envio", loja)
	ids := make([]string, 0, 60)
	for range cap(ids) {
		ids = append(ids, p.ok(t, "POST", "/me/cart", shipment).text("id"))
	}
	got := p.call(t, "POST", "/me/shipment/checkout", `{"orders":["`+strings.Join(ids, `","`)+`"]}`)
	require.Equal(t, 422, got.status)
	require.Contains(t, got.text("error"), "Saldo insuficiente")
	require.Equal(t, "1000.00", p.ok(t, "GET", "/me/balance", "").text("balance"), "all or none")
	require.Zero(t, b.Journal().Count(journal.Filter{Effect: "order.paid"}))

	bad := p.call(t, "POST", "/me/cart", `{"service":9,"from":{"name":"x"},"products":[{"weight":1}]}`)
	require.Equal(t, 422, bad.status)
	for _, field := range []string{"service", "from.address", "from.postal_code", "products.0.name", `"to"`} {
		require.Contains(t, bad.raw, field)
	}
}

func TestCorreiosParcels(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "correios", acme)
	simple := p.ok(t, "POST", "/preco/v1/nacional", `{"cepOrigem":"01001000","cepDestino":"90010150","peso":500}`)
	require.Len(t, simple.list, 2)
	lot := p.ok(t, "POST", "/preco/v1/nacional", `{"idLote":"1","parametrosProduto":[{"coProduto":"03220","cepOrigem":"01001000","cepDestino":"90010150","psObjeto":"500"}]}`)
	require.Len(t, lot.list, 1)
	require.Equal(t, 400, p.call(t, "POST", "/preco/v1/nacional", `{"cepOrigem":"01001000","cepDestino":"1","peso":500}`).status)
	require.Equal(t, 400, p.call(t, "POST", "/preco/v1/nacional", `{"cepOrigem":"01001000","cepDestino":"90010150","peso":"NaN"}`).status)
	require.Equal(t, "13", p.ok(t, "GET", "/prazo/v1/nacional/03298?cepOrigem=01001000&cepDestino=90010150", "").text("prazoEntrega"))
	require.Equal(t, "Avenida Paulista", p.ok(t, "GET", "/cep/v2/enderecos/01310100", "").text("logradouro"))
	require.Equal(t, 404, p.call(t, "GET", "/cep/v2/enderecos/00000000", "").status)

	require.Contains(t, p.call(t, "POST", "/prepostagem/v1/prepostagens", `{"codigoServico":"03298"}`).raw, "remetente")
	made := p.ok(t, "POST", "/prepostagem/v1/prepostagens", prepost)
	id, label := made.text("id"), made.text("codigoObjeto")
	require.Contains(t, p.ok(t, "GET", "/srorastro/v1/objetos/"+label+"?resultado=T", "").raw, "Etiqueta emitida")
	require.Contains(t, p.ok(t, "GET", "/srorastro/v1/objetos/AA000000005BR", "").raw, "SRO-020")
	require.Equal(t, "2", p.ok(t, "GET", "/srorastro/v1/objetos?codigosObjetos="+label+",AA000000005BR", "").text("quantidade"))

	p.ok(t, "DELETE", "/prepostagem/v1/prepostagens/"+id, "")
	require.Equal(t, "CANCELADO", p.ok(t, "GET", "/prepostagem/v1/prepostagens/"+id, "").text("descStatusAtual"))
	require.Equal(t, 400, p.call(t, "DELETE", "/prepostagem/v1/prepostagens/"+id, "").status)

	second := p.ok(t, "POST", "/prepostagem/v1/prepostagens", prepost)
	b.clock.advance(23 * time.Hour)
	p.header = b.peer(t, "correios", acme).header
	require.NotContains(t, p.ok(t, "GET", "/srorastro/v1/objetos/"+second.text("codigoObjeto"), "").raw, "postado")
	b.clock.advance(50 * time.Hour)
	p.header = b.peer(t, "correios", acme).header
	require.Contains(t, p.ok(t, "GET", "/srorastro/v1/objetos/"+second.text("codigoObjeto"), "").raw, "Objeto entregue")
	require.Equal(t, 400, p.call(t, "DELETE", "/prepostagem/v1/prepostagens/"+second.text("id"), "").status, "it has been posted")
	require.Contains(t, p.ok(t, "GET", "/prepostagem/v1/prepostagens?situacao=POSTADO", "").raw, second.text("id"))
	require.Equal(t, []string{"prepost.created", "prepost.cancelled", "prepost.created"}, effects(b, "correios"))
}

func TestNuvemFiscalDocuments(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "nuvem-fiscal", acme)
	made := p.ok(t, "POST", "/nfe", invoice)
	require.Equal(t, "pendente", made.text("status"))
	id := made.text("id")
	got := p.ok(t, "GET", "/nfe/"+id, "")
	require.Equal(t, "autorizado", got.text("status"))
	require.Len(t, got.text("chave"), 44)
	require.Equal(t, 404, p.call(t, "GET", "/nfse/"+id, "").status, "a document of another kind")
	require.Contains(t, p.ok(t, "GET", "/nfe?referencia=order-1001", "").raw, id)

	flat := `{"ambiente":2,"natureza_operacao":"Venda","emitente":{"a":1},"destinatario":{"a":1},"itens":[{"a":1}],"pagamento":{"a":1}}`
	require.Equal(t, "2", p.ok(t, "POST", "/nfe", flat).text("numero"))
	require.Contains(t, p.call(t, "POST", "/nfe", `{"ambiente":"homologacao","infNFe":{"emit":{"CNPJ":"1"}}}`).raw, "det")
	require.Contains(t, p.call(t, "POST", "/nfe", `{"ambiente":"teste"}`).raw, "ambiente")

	require.Equal(t, 400, p.call(t, "POST", "/nfe/"+id+"/cancelamento", `{"justificativa":"curta"}`).status)
	p.ok(t, "POST", "/nfe/"+id+"/cancelamento", `{"justificativa":"O cliente desistiu da compra"}`)
	require.Equal(t, "cancelado", p.ok(t, "GET", "/nfe/"+id, "").text("status"))
	require.Equal(t, 400, p.call(t, "POST", "/nfe/"+id+"/cancelamento", `{"justificativa":"O cliente desistiu da compra"}`).status)

	service := p.ok(t, "POST", "/nfse", `{"ambiente":"homologacao","prestador":{"a":1},"tomador":{"a":1},"servico":{"a":1}}`)
	require.Equal(t, "autorizado", p.ok(t, "GET", "/nfse/"+service.text("id"), "").text("status"))
	require.Equal(t, "Ativa", p.ok(t, "GET", "/cnpj/11222333000181", "").text("situacao_cadastral", "descricao"))
	require.Equal(t, 400, p.call(t, "GET", "/cnpj/11222333000180", "").status)
	require.Equal(t, "3550308", p.ok(t, "GET", "/cep/01310100", "").text("codigo_ibge"))
	p.ok(t, "POST", "/empresas", `{"cpf_cnpj":"11222333000181","nome_razao_social":"Loja"}`)
	require.Equal(t, 400, p.call(t, "POST", "/empresas", `{"cpf_cnpj":"11222333000181","nome_razao_social":"Loja"}`).status)
	require.Equal(t, []string{"nfe.created", "nfe.created", "nfe.cancelled", "nfse.created", "empresa.created"}, effects(b, "nuvem-fiscal"))
}

func TestZAPIMessages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "z-api", loja)
	require.Equal(t, true, p.ok(t, "GET", "/status", "").body["connected"])
	require.Equal(t, true, p.ok(t, "GET", "/phone-exists/5511987654321", "").body["exists"])
	require.Equal(t, false, p.ok(t, "GET", "/phone-exists/5511987650000", "").body["exists"])
	sent := p.ok(t, "POST", "/send-text", `{"phone":"5511987654321","message":"Olá"}`)
	require.Len(t, sent.text("messageId"), 32)
	p.ok(t, "POST", "/send-image", `{"phone":"5511987654321","image":"https://example.com/a.png"}`)
	p.ok(t, "POST", "/send-document/pdf", `{"phone":"5511987654321","document":"https://example.com/a.pdf"}`)
	p.ok(t, "POST", "/send-document", `{"phone":"5511987654321","document":"https://example.com/a.pdf"}`)
	for _, body := range []string{`{"message":"x"}`, `{"phone":"5511987654321"}`, `{"phone":"12","message":"x"}`, `{"phone":"+5511987654321","message":"x"}`, `nonsense`} {
		require.Equal(t, 400, p.call(t, "POST", "/send-text", body).status, body)
	}
	require.Len(t, p.ok(t, "GET", "/messages/5511987654321", "").list, 4)
	require.Len(t, p.ok(t, "GET", "/contacts", "").list, 1)
	p.ok(t, "POST", "/read-message", `{"phone":"5511987654321","messageId":"`+sent.text("messageId")+`"}`)
	require.Equal(t, 404, p.call(t, "POST", "/read-message", `{"phone":"5511987654321","messageId":"x"}`).status)
	require.Equal(t, []string{"message.sent", "message.sent", "message.sent", "message.sent", "message.read"}, effects(b, "z-api"))
}
