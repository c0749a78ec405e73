package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox/journal"
)

func TestStripeSubscriptionsAndTheirInvoices(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	customer := p.ok(t, "POST", "/customers", "name=Maria").text("id")
	once := p.ok(t, "POST", "/prices", "currency=brl&unit_amount=500&product_data[name]=Tea").text("id")
	monthly := p.ok(t, "POST", "/prices", "currency=brl&unit_amount=4990&product_data[name]=Club&recurring[interval]=month").text("id")
	subscribe := func(more string) answer {
		return p.call(t, "POST", "/subscriptions", "customer="+customer+"&items[0][price]="+monthly+"&items[0][quantity]=2"+more)
	}
	require.Equal(t, 400, p.call(t, "POST", "/subscriptions", "customer="+customer+"&items[0][price]="+once).status, "no price of a period")
	require.Equal(t, "parameter_missing", p.call(t, "POST", "/subscriptions", "customer="+customer).text("error", "code"))
	require.Equal(t, "parameter_unknown", subscribe("&coupon=X").text("error", "code"), "discounts, not coupon")

	paid := subscribe("&default_payment_method=pm_card_visa")
	require.Equal(t, "active", paid.text("status"))
	require.Contains(t, p.ok(t, "GET", "/balance", "").raw, `"amount":9980`)
	open := subscribe("")
	require.Equal(t, "incomplete", open.text("status"))
	first := open.text("latest_invoice")
	require.Contains(t, p.ok(t, "GET", "/invoices?status=open&subscription="+open.text("id"), "").raw, first)
	require.Equal(t, 400, p.call(t, "POST", "/invoices/"+first+"/pay", "").status, "nothing to pay with")
	require.Equal(t, 402, p.call(t, "POST", "/invoices/"+first+"/pay", "payment_method=pm_card_chargeDeclined").status)
	require.Equal(t, "paid", p.ok(t, "POST", "/invoices/"+first+"/pay", "payment_method=pm_card_visa").text("status"))
	require.Contains(t, p.ok(t, "GET", "/subscriptions?status=active", "").raw, open.text("id"), "its first invoice is paid")
	for _, verb := range []string{"pay", "void", "finalize", "send"} {
		require.Equal(t, 400, p.call(t, "POST", "/invoices/"+first+"/"+verb, "").status, verb)
	}
	require.Equal(t, "trialing", subscribe("&trial_period_days=7").text("status"))

	empty := p.ok(t, "POST", "/invoices", "customer="+customer)
	require.Equal(t, "0", empty.text("amount_due"))
	require.Equal(t, "paid", p.ok(t, "POST", "/invoices/"+empty.text("id")+"/finalize", "").text("status"), "of nothing")

	require.Equal(t, "canceled", p.ok(t, "DELETE", "/subscriptions/"+paid.text("id"), "").text("status"))
	require.Equal(t, 404, p.call(t, "DELETE", "/subscriptions/"+paid.text("id"), "").status)
	require.NotContains(t, p.ok(t, "GET", "/subscriptions", "").raw, paid.text("id"))
	require.Contains(t, p.ok(t, "GET", "/subscriptions?status=canceled&price="+monthly, "").raw, paid.text("id"))
}

func TestStripePagesGoBothWays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	ids := make([]string, 4)
	for i := range ids {
		ids[i] = p.ok(t, "POST", "/products", "name=x").text("id")
		b.clock.advance(time.Second)
	}
	page := p.ok(t, "GET", "/products?limit=2&starting_after="+ids[3], "")
	require.Contains(t, page.raw, ids[2])
	require.Contains(t, page.raw, ids[1])
	require.Equal(t, true, page.body["has_more"])
	page = p.ok(t, "GET", "/products?limit=2&ending_before="+ids[0], "")
	require.Contains(t, page.raw, ids[2])
	require.Contains(t, page.raw, ids[1])
	require.Equal(t, true, page.body["has_more"])
	require.Equal(t, false, p.ok(t, "GET", "/products?limit=3&ending_before="+ids[0], "").body["has_more"])
}

func TestStripeDisputesAreAnsweredOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	p.ok(t, "POST", "/payment_intents", "amount=100&currency=brl&confirm=true&payment_method=pm_card_createDispute")
	require.Contains(t, p.ok(t, "GET", "/balance", "").raw, `"amount":0`, "the bank has taken it back")
	list, _ := p.ok(t, "GET", "/disputes", "").body["data"].([]any)
	require.Len(t, list, 1)
	one, _ := list[0].(map[string]any)
	id, _ := one["id"].(string)
	require.Equal(t, "needs_response", p.ok(t, "POST", "/disputes/"+id, "evidence[customer_name]=Maria&submit=false").text("status"))
	require.Equal(t, "under_review", p.ok(t, "POST", "/disputes/"+id, "submit=true").text("status"))
	require.Equal(t, 400, p.call(t, "POST", "/disputes/"+id, "evidence[customer_name]=Ana").status)
}

func TestAsaasMoneyOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "asaas", loja)
	require.Contains(t, p.call(t, "POST", "/transfers", `{"value":0.01,"pixAddressKey":"x"}`).raw, "Saldo insuficiente")
	customer := p.ok(t, "POST", "/customers", `{"name":"Maria","cpfCnpj":"52998224725"}`).text("id")
	plan := p.ok(t, "POST", "/payments", `{"customer":"`+customer+`","billingType":"PIX","value":90,"dueDate":"2026-03-31","installmentCount":3}`)
	require.Equal(t, "30.00", plan.text("value"))
	parts := p.ok(t, "GET", "/installments/"+plan.text("installment")+"/payments", "")
	require.Equal(t, "3", parts.text("totalCount"))
	require.Contains(t, parts.raw, `"dueDate":"2026-04-30"`, "the last of April")
	p.ok(t, "POST", "/sandbox/payment/"+plan.text("id")+"/confirm", "")
	require.Contains(t, p.call(t, "POST", "/transfers", `{"value":10}`).raw, "chave Pix")
	sent := p.ok(t, "POST", "/transfers", `{"value":10,"pixAddressKey":"x","externalReference":"t-1"}`)
	require.Equal(t, "DONE", sent.text("status"))
	require.Equal(t, "20.00", p.ok(t, "GET", "/finance/balance", "").text("balance"))
	require.Equal(t, "1", p.ok(t, "GET", "/transfers?externalReference=other", "").text("totalCount"), "no such filter")
	require.Equal(t, "1", p.ok(t, "GET", "/webhook/events?event=PAYMENT_RECEIVED", "").text("totalCount"))

	account := `{"name":"Ana","email":"ana@example.com","cpfCnpj":"52998224725","birthDate":"1990-01-01","mobilePhone":"1","incomeValue":1,"postalCode":"1","address":"a","addressNumber":"1","province":"p"}`
	require.Contains(t, p.ok(t, "POST", "/accounts", account).raw, "$aact_hmlg_", "shown once")
	require.Contains(t, p.call(t, "POST", "/accounts", account).raw, "invalid_email")
	require.Contains(t, p.call(t, "POST", "/accounts", strings.Replace(account, `"birthDate":"1990-01-01",`, "", 1)).raw, "invalid_birthDate")

	hook := `{"name":"n","url":"https://example.com","sendType":"SEQUENTIALLY","events":["PAYMENT_RECEIVED"],"enabled":true}`
	for range 10 {
		p.ok(t, "POST", "/webhooks", hook)
	}
	require.Contains(t, p.call(t, "POST", "/webhooks", hook).raw, "limite de 10")
	require.Contains(t, p.call(t, "POST", "/webhooks", strings.Replace(hook, "https", "http", 1)).raw, "https")

	sub := p.ok(t, "POST", "/subscriptions", `{"customer":"`+customer+`","billingType":"PIX","value":5,"cycle":"MONTHLY","nextDueDate":"2026-04-01"}`).text("id")
	require.Equal(t, "1", p.ok(t, "GET", "/payments?status=PENDING&billingType=PIX&customer="+customer+"&limit=1", "").text("limit"))
	p.ok(t, "DELETE", "/subscriptions/"+sub, "")
	require.Equal(t, 404, p.call(t, "DELETE", "/subscriptions/"+sub, "").status)
	require.Equal(t, "2", p.ok(t, "GET", "/payments?status=PENDING", "").text("totalCount"), "its pending payment is gone, two instalments are not")
}

func TestMelhorEnvioStores(t *testing.T) {
	t.Parallel()
	b := setup(t)
	mine, theirs := b.peer(t, "melhor-envio", loja), b.peer(t, "melhor-envio", acme)
	list, _ := mine.ok(t, "GET", "/me/companies", "").body["data"].([]any)
	one, _ := list[0].(map[string]any)
	id, _ := one["id"].(string)
	address := `{"postal_code":"01001000","address":"a","number":"1","city":"c","state":"SP"}`
	require.Equal(t, 404, theirs.call(t, "POST", "/me/companies/"+id+"/addresses", address).status, "another account's store")
	mine.ok(t, "POST", "/me/companies/"+id+"/addresses", address)
	require.Equal(t, "1", mine.ok(t, "GET", "/me/companies/"+id+"/addresses", "").text("total"))
	require.Contains(t, mine.call(t, "POST", "/me/companies/"+id+"/addresses", `{"postal_code":"1"}`).raw, "postal_code")
	require.Len(t, mine.ok(t, "GET", "/me/shipment/agencies?company=1&country=BR&state=RS", "").list, 1)
	require.Empty(t, mine.ok(t, "GET", "/me/shipment/agencies?country=AR", "").list)
}

func TestZAPIGroupsAndChats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "z-api", loja)
	require.Contains(t, p.call(t, "POST", "/create-group", `{"groupName":"g","phones":["5511987654321"]}`).raw, "autoInvite")
	group := p.ok(t, "POST", "/create-group", `{"groupName":"g","phones":["5511987654321"],"autoInvite":false}`).text("phone")
	p.ok(t, "POST", "/add-participant", `{"groupId":"`+group+`","phones":["5511987654321"],"autoInvite":true}`)
	require.Equal(t, []string{"group.created"}, effects(b, "z-api"), "who is in it already is no effect")
	require.Equal(t, 404, p.call(t, "GET", "/group-metadata/x-group", "").status)

	require.Equal(t, 404, p.call(t, "POST", "/modify-chat", `{"phone":"5511987654321","action":"read"}`).status, "nothing was ever said")
	p.ok(t, "POST", "/send-text", `{"phone":"5511987654321","message":"x"}`)
	p.ok(t, "POST", "/modify-chat", `{"phone":"5511987654321","action":"unread"}`)
	require.Contains(t, p.ok(t, "GET", "/chats?page=1&pageSize=5", "").raw, `"unread":"1"`)
	require.Equal(t, 404, p.call(t, "PUT", "/chats/5511987654321/tags/99/add", "{}").status)
	require.Equal(t, 400, p.call(t, "POST", "/contacts/add", `{"firstName":"A","phone":"5511987654321"}`).status, "a list is wanted")
	require.Equal(t, 404, p.call(t, "DELETE", "/messages?messageId=x&phone=5511987654321&owner=true", "").status)
}

func TestCorreiosPostingsAndErrands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "correios", acme)
	id := p.ok(t, "POST", "/prepostagem/v1/prepostagens", prepost).text("id")
	require.Contains(t, p.call(t, "POST", "/prepostagem/v1/prepostagens/postagens", `{"idsPrepostagem":["`+id+`","PRx"]}`).raw, "PPN-404")
	require.Equal(t, "PREPOSTADO", p.ok(t, "GET", "/prepostagem/v1/prepostagens/"+id, "").text("descStatusAtual"), "all or none")
	require.Contains(t, p.call(t, "POST", "/prepostagem/v1/prepostagens/postagens", `{"idsPrepostagem":["`+id+`"],"cartaoPostagem":"0000000000"}`).raw, "PPN-030")
	p.ok(t, "POST", "/prepostagem/v1/prepostagens/postagens", `{"idsPrepostagem":["`+id+`"]}`)
	require.Contains(t, p.call(t, "POST", "/prepostagem/v1/prepostagens/postagens", `{"idsPrepostagem":["`+id+`"]}`).raw, "PPN-211")
	require.Contains(t, p.ok(t, "GET", "/prepostagem/v2/prepostagens?id="+id, "").raw, "POSTADO")

	require.Contains(t, p.call(t, "POST", "/etiqueta/v1/solicitar", `{"codigoServico":"03298","quantidade":1001}`).raw, "ETQ-020")
	collection := `{"codigoServico":"03298","remetente":{"nome":"A","endereco":{"cep":"01001000"}},"objeto":{"peso":1},"dataColeta":"2026-03-01"}`
	require.Contains(t, p.call(t, "POST", "/coleta/v1/coletas", collection).raw, "COL-020", "yesterday")
	made := p.ok(t, "POST", "/coleta/v1/coletas", strings.Replace(collection, "03-01", "03-05", 1)).text("id")
	p.ok(t, "DELETE", "/coleta/v1/coletas/"+made, "")
	require.Contains(t, p.call(t, "DELETE", "/coleta/v1/coletas/"+made, "").raw, "COL-210")
	require.Contains(t, p.call(t, "POST", "/logisticareversa/v1/solicitacoes", collection).raw, "destinatario")
	require.Contains(t, p.ok(t, "GET", "/cep/v2/enderecos?logradouro=pra%C3%A7a&uf=RJ", "").raw, "20040020")
}

func TestNuvemFiscalEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "nuvem-fiscal", acme)
	id := p.ok(t, "POST", "/nfe", invoice).text("id")
	require.Contains(t, p.ok(t, "GET", "/nfe?cpf_cnpj=1&ambiente=homologacao&referencia=order-1001", "").raw, id)
	require.NotContains(t, p.ok(t, "GET", "/nfe?cpf_cnpj=2&ambiente=homologacao&referencia=order-1001", "").raw, id)
	require.Equal(t, 400, p.call(t, "POST", "/nfe/"+id+"/carta-correcao", `{"correcao":"curta"}`).status)
	letter := `{"correcao":"O volume correto é de dois pacotes"}`
	p.ok(t, "POST", "/nfe/"+id+"/carta-correcao", letter)
	require.Equal(t, "2", p.ok(t, "POST", "/nfe/"+id+"/carta-correcao", letter).text("numero_sequencial"), "each letter is another one")
	p.ok(t, "POST", "/nfe/"+id+"/cancelamento", `{"justificativa":"O cliente desistiu da compra"}`)
	require.Equal(t, 400, p.call(t, "POST", "/nfe/"+id+"/carta-correcao", letter).status)
	require.Equal(t, "3", p.ok(t, "GET", "/nfe/eventos?dfe_id="+id, "").text("@count"))
	require.Equal(t, 404, p.call(t, "GET", "/nfe/eventos?dfe_id=nfe_x", "").status)

	manifest := p.ok(t, "POST", "/mdfe", `{"ambiente":"homologacao","infMDFe":{"emit":{"CNPJ":"1"},"infModal":{"rodo":{}},"infDoc":{"x":1}}}`).text("id")
	require.Equal(t, 400, p.call(t, "POST", "/mdfe/"+manifest+"/encerramento", `{"uf":"SP"}`).status)
	p.ok(t, "POST", "/mdfe/"+manifest+"/encerramento", `{"uf":"SP","codigo_municipio":"3550308"}`)
	require.Equal(t, 400, p.call(t, "POST", "/mdfe/"+manifest+"/encerramento", `{"uf":"SP","codigo_municipio":"3550308"}`).status)
	require.Equal(t, 400, p.call(t, "POST", "/mdfe/"+manifest+"/cancelamento", `{"justificativa":"O transporte não foi feito"}`).status)

	certificate := `{"certificado":"QQ==","password":"x"}`
	require.Equal(t, 404, p.call(t, "PUT", "/empresas/11222333000181/certificado", certificate).status)
	p.ok(t, "POST", "/empresas", `{"cpf_cnpj":"11222333000181","nome_razao_social":"Loja"}`)
	for range 2 {
		p.ok(t, "PUT", "/empresas/11222333000181/certificado", certificate)
	}
	require.Equal(t, 1, b.Journal().Count(journal.Filter{Effect: "certificate.stored"}), "the same one again is no effect")
}
