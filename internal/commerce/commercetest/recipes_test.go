package commercetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/sandbox/fault"
)

const buyer = `{"name":"Maria Silva","document":"` + cpf + `","email":"maria@example.com","phone":"5511987654321"}`

func charge(method string) string {
	return `{"amount":19.90,"currency":"BRL","method":"` + method + `","description":"Order 1001","buyer":` + buyer + `}`
}

func TestChargeAtAsaas(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	for _, method := range []string{"pix", "boleto", "card"} {
		made := b.ok(t, "codespar_charge", charge(method))
		shaped(t, made, "id status amount currency method charge_url", "pix_qr_code pix_copy_paste raw")
		b.booked(t, "asaas", "payment.created", made)
		require.Regexp(t, `^pay_`, made["id"])
		require.Equal(t, "pending", made["status"])
		require.Equal(t, json.Number("19.90"), made["amount"])
		require.Equal(t, "BRL", made["currency"])
		require.Equal(t, method, made["method"])
		require.Equal(t, method == "pix", made["pix_copy_paste"] != nil)
		require.Equal(t, method == "pix", made["pix_qr_code"] != nil)
		require.Equal(t, method == "boleto", made["raw"].(map[string]any)["boleto"] != nil)
		require.JSONEq(t, `{"customer":"`+made["raw"].(map[string]any)["payment"].(map[string]any)["customer"].(string)+
			`","billingType":"`+map[string]string{"pix": "PIX", "boleto": "BOLETO", "card": "CREDIT_CARD"}[method]+
			`","value":19.90,"dueDate":"2026-03-05","description":"Order 1001","externalReference":"`+reference(t, b.sent(t, "/payments"))+`"}`, b.sent(t, "/payments"))
	}
	// The customer is created once, and found from then on.
	require.Equal(t, []string{"customer.created", "payment.created", "payment.created", "payment.created"}, b.effects())
	require.Contains(t, b.sent(t, "/customers"), `"cpfCnpj":"52998224725"`)
	require.Contains(t, b.refused(t, "codespar_charge", `{"amount":1,"currency":"BRL","method":"pix","description":"x","buyer":{"name":"Maria"}}`), "/buyer/document")
}

func reference(t *testing.T, body string) string {
	t.Helper()
	var sent struct{ ExternalReference string }
	require.NoError(t, json.Unmarshal([]byte(body), &sent))
	require.Regexp(t, `^feira_[0-9a-f]{40}$`, sent.ExternalReference)
	return sent.ExternalReference
}

// What cannot be read after the payment is made does not take the payment back.
func TestAChargeIsOneWithoutItsCode(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	require.NoError(t, b.sandbox.Fault(fault.Fault{Server: "asaas", Kind: fault.KindStatus, Status: 500, Path: "/pixQrCode", Times: fault.Always}))
	made := b.ok(t, "codespar_charge", charge("pix"))
	shaped(t, made, "id status amount currency method charge_url raw", "")
	require.Contains(t, made["raw"].(map[string]any)["note"], "read_pix_code")
}

func TestChargeAtStripe(t *testing.T) {
	t.Parallel()
	b := setup(t, "stripe")
	made := b.ok(t, "codespar_charge", charge("card"))
	shaped(t, made, "id status amount currency method raw", "")
	require.Regexp(t, `^pi_`, made["id"])
	b.booked(t, "stripe", "payment_intent.created", made)
	require.Equal(t, "pending", made["status"])
	require.Equal(t, json.Number("19.90"), made["amount"])
	require.Contains(t, b.sent(t, "/payment_intents"), "amount=1990")

	paged := `{"amount":7,"currency":"brl","method":"pix","description":"Order 2","success_url":"https://loja.example/ok","buyer":` + buyer + `}`
	made = b.ok(t, "codespar_charge", paged)
	shaped(t, made, "id status amount currency method charge_url raw", "")
	b.booked(t, "stripe", "checkout_session.created", made)
	require.Equal(t, json.Number("7.00"), made["amount"])
	require.Contains(t, b.sent(t, "/checkout/sessions"), "unit_amount%5D=700")
	require.Equal(t, []string{"customer.created", "payment_intent.created", "customer.created", "checkout_session.created"}, b.effects())

	require.Contains(t, b.refused(t, "codespar_charge", charge("pix")), "/success_url")
	yen := `{"amount":700,"currency":"JPY","method":"card","description":"Order 3","buyer":` + buyer + `}`
	require.Equal(t, json.Number("700"), b.ok(t, "codespar_charge", yen)["amount"])
	require.Contains(t, b.sent(t, "/payment_intents"), "amount=700")
}

func TestPayAtAsaas(t *testing.T) {
	t.Parallel()
	b := setup(t, "asaas")
	b.stocked(t)
	made := b.ok(t, "codespar_pay", `{"action":"pay","amount":1990,"currency":"BRL","description":"Invoice 7","recipient":"+5511987654321"}`)
	shaped(t, made, "id status amount currency method raw", "")
	require.Equal(t, "succeeded", made["status"])
	require.Equal(t, json.Number("1990"), made["amount"])
	require.JSONEq(t, `{"value":19.90,"pixAddressKey":"11987654321","pixAddressKeyType":"PHONE","description":"Invoice 7","externalReference":"`+
		reference(t, b.sent(t, "/transfers"))+`"}`, b.sent(t, "/transfers"))
	require.Equal(t, "transfer.created", b.effects()[len(b.effects())-1])
	b.booked(t, "asaas", "transfer.created", made)

	found := b.ok(t, "codespar_pay", `{"action":"status","payment_id":"`+made["id"].(string)+`"}`)
	delete(found, "raw")
	delete(made, "raw")
	require.Equal(t, made, found)
	lost := b.call(t, "codespar_pay", `{"action":"status","payment_id":"tra_none"}`)
	require.Equal(t, events.ToolError, lost.Status)

	for arguments, wanted := range map[string]string{
		`{"action":"pay","amount":1990,"currency":"BRL","description":"x","copia_e_cola":"000201"}`:                          "/copia_e_cola",
		`{"action":"pay","amount":1990,"currency":"USD","description":"x","recipient":"a@b.co"}`:                             "/currency",
		`{"action":"pay","amount":1990,"currency":"BRL","description":"x","recipient":"11987654321"}`:                        "/recipient_type",
		`{"action":"pay","amount":1990,"currency":"BRL","description":"x","recipient":"11987654321","recipient_type":"EVP"}`: "/recipient",
		`{"action":"pay","amount":1990,"currency":"BRL","description":"x","recipient":"not a key"}`:                          "/recipient",
		`{"action":"pay","amount":1990,"currency":"BRL","description":"x","recipient":"a@b.co","method":"ted"}`:              "/method",
		`{"action":"pay","amount":1990,"currency":"BRL","recipient":"a@b.co"}`:                                               "/description",
		`{"action":"pay","amount":19.90,"currency":"BRL","description":"x","recipient":"a@b.co"}`:                            "MINOR",
		`{"action":"pay","amount":0,"currency":"BRL","description":"x","recipient":"a@b.co"}`:                                "/amount",
		`{"action":"status"}`: "/payment_id",
		`{"amount":1990,"currency":"BRL","description":"x","recipient":"a@b.co"}`: "is missing action",
	} {
		require.Contains(t, b.refused(t, "codespar_pay", arguments), wanted, arguments)
	}
}

func TestNotifyAtZAPI(t *testing.T) {
	t.Parallel()
	b := setup(t, "z-api")
	made := b.ok(t, "codespar_notify", `{"channel":"whatsapp","to":"+55 (11) 98765-4321","template":"Hi {{name}}, {{ total }} is due {{name}}. {{{{x}}}}","variables":{"name":"{{total}}","total":19.90,"x":true}}`)
	shaped(t, made, "id status channel to raw", "")
	require.Equal(t, "sent", made["status"])
	b.booked(t, "z-api", "message.sent", made)
	require.Equal(t, "5511987654321", made["to"])
	// What a variable holds is not looked at again.
	require.JSONEq(t, `{"phone":"5511987654321","message":"Hi {{total}}, 19.90 is due {{total}}. {{true}}"}`, b.sent(t, "/send-text"))
	b.ok(t, "codespar_notify", `{"channel":"whatsapp","to":"5511987654321","message":"A plain {{word}}"}`)
	require.Contains(t, b.sent(t, "/send-text"), "{{word}}")
	require.Equal(t, []string{"message.sent", "message.sent"}, b.effects())

	none := b.call(t, "codespar_notify", `{"channel":"whatsapp","to":"5511987650000","message":"x"}`)
	require.Equal(t, events.ToolError, none.Status)
	require.Contains(t, none.Fault.Message, "no WhatsApp")
	for arguments, wanted := range map[string]string{
		`{"channel":"whatsapp","to":"5511987654321","template":"Hi {{name}} {{other}}","variables":{"name":"x"}}`: "/variables: is missing other",
		`{"channel":"whatsapp","to":"5511987654321","template":"x","message":"x"}`:                                "/template",
		`{"channel":"whatsapp","to":"5511987654321"}`:                                                             "/message",
		`{"channel":"sms","to":"5511987654321","message":"x"}`:                                                    "/channel: want one of whatsapp",
		`{"channel":"whatsapp","to":"+-+-+-+-+-","message":"x"}`:                                                  "/to",
	} {
		require.Contains(t, b.refused(t, "codespar_notify", arguments), wanted, arguments)
	}
	require.Len(t, b.effects(), 2)
}

const (
	from   = `{"postal_code":"01001-000","name":"Loja","document":"` + cnpj + `","line_1":"Praca da Se","number":"1","city":"Sao Paulo","state":"SP"}`
	to     = `{"postal_code":"20040-020","name":"Ana Souza","document":"` + cpf + `","line_1":"Rua da Quitanda","number":"86","city":"Rio de Janeiro","state":"RJ"}`
	goods  = `[{"weight_g":350,"quantity":2,"declared_value":49.90,"description":"Book"},{"weight_g":0.5,"height_cm":1}]`
	parcel = `"origin":` + from + `,"destination":` + to + `,"items":` + goods
)

func TestShipAtCorreios(t *testing.T) {
	t.Parallel()
	b := setup(t, "correios")
	cheap := b.ok(t, "codespar_ship", `{"action":"quote",`+parcel+`}`)
	shaped(t, cheap, "id status carrier estimated_delivery cost_minor raw", "")
	require.Equal(t, "Correios PAC", cheap["carrier"])
	fast := b.ok(t, "codespar_ship", `{"action":"quote","service_level":"fastest",`+parcel+`}`)
	require.Equal(t, "Correios SEDEX", fast["carrier"])
	require.Less(t, fast["estimated_delivery"], cheap["estimated_delivery"])
	require.Empty(t, b.effects())

	made := b.ok(t, "codespar_ship", `{"action":"label","service_level":"fastest",`+parcel+`}`)
	shaped(t, made, "id status tracking_code carrier estimated_delivery cost_minor raw", "")
	require.Equal(t, fast["cost_minor"], made["cost_minor"])
	require.Equal(t, "created", made["status"])
	require.Contains(t, b.sent(t, "/prepostagens"), `"pesoInformado":"700.5"`)
	require.Contains(t, b.sent(t, "/prepostagens"), `"alturaInformada":"5"`)
	require.Equal(t, []string{"prepost.created"}, b.effects())
	b.booked(t, "correios", "prepost.created", made)

	code := made["tracking_code"].(string)
	tracked := b.ok(t, "codespar_ship", `{"action":"track","tracking_code":"`+code+`"}`)
	shaped(t, tracked, "id status tracking_code carrier raw", "")
	require.Equal(t, "created", tracked["status"])
	b.advance(80 * time.Hour)
	require.Equal(t, "delivered", b.ok(t, "codespar_ship", `{"action":"track","tracking_code":"`+code+`"}`)["status"])
	lost := b.call(t, "codespar_ship", `{"action":"track","tracking_code":"AA123456789BR"}`)
	require.Equal(t, events.ToolError, lost.Status)
	require.Contains(t, b.refused(t, "codespar_ship", `{"action":"track","tracking_code":"no-such-form"}`), "/tracking_code")
}

func TestShipAtMelhorEnvio(t *testing.T) {
	t.Parallel()
	b := setup(t, "melhor-envio")
	quoted := b.ok(t, "codespar_ship", `{"action":"quote",`+parcel+`}`)
	shaped(t, quoted, "id status carrier estimated_delivery cost_minor raw", "")
	require.Empty(t, b.effects())
	made := b.ok(t, "codespar_ship", `{"action":"label",`+parcel+`}`)
	shaped(t, made, "id status tracking_code label_url carrier estimated_delivery cost_minor raw", "")
	require.Equal(t, quoted["cost_minor"], made["cost_minor"])
	require.Equal(t, "label_ready", made["status"])
	require.Equal(t, []string{"order.created", "order.paid", "label.generated"}, b.effects())
	b.booked(t, "melhor-envio", "order.paid", made)
	require.Contains(t, b.sent(t, "/me/cart"), `"volumes":[{"height":5,"length":16,"weight":0.7005,"width":11}]`)
	for _, code := range []string{made["id"].(string), made["tracking_code"].(string)} {
		tracked := b.ok(t, "codespar_ship", `{"action":"track","tracking_code":"`+code+`"}`)
		shaped(t, tracked, "id status tracking_code carrier raw", "")
		require.Equal(t, made["id"], tracked["id"])
	}
	for arguments, wanted := range map[string]string{
		`{"action":"label","origin":{"postal_code":"01001000"},"destination":` + to + `,"items":` + goods + `}`: "/origin: is missing name",
		`{"action":"label","destination":` + to + `,"items":` + goods + `}`:                                     "/origin: is missing",
		`{"action":"quote","origin":` + from + `,"destination":` + to + `}`:                                     "/items",
		`{"action":"track"}`: "/tracking_code",
		`{"action":"quote","origin":` + from + `,"destination":{"postal_code":"20040020","country":"PT"},"items":` + goods + `}`: "/destination/country",
		`{"action":"quote","origin":` + from + `,"destination":` + to + `,"items":[{"weight_g":0}]}`:                             "/items/0/weight_g",
	} {
		require.Contains(t, b.refused(t, "codespar_ship", arguments), wanted, arguments)
	}
}

const company = `{"cpf_cnpj":"` + cnpj + `","nome_razao_social":"Loja LTDA","email":"a@b.co","inscricao_estadual":"111111111111","regime_tributacao":1,` +
	`"endereco":{"logradouro":"Praca da Se","numero":"1","bairro":"Se","codigo_municipio":"3550308","cidade":"Sao Paulo","uf":"SP","cep":"01001000"}}`

const (
	service = `{"type":"nfse","recipient":{"name":"Ana Souza","document":"` + cpf + `"},"items":[{"description":"Course","quantity":3,"unit_price":33.35,"service_code":"080201"}]}`
	product = `{"type":"nfe","number":7,"payment_method":"pix","dueDate":"2026-04-01","recipient":{"name":"Ana Souza","document":"` + cpf + `","address":{"postal_code":"20040-020","number":"86"}},` +
		`"items":[{"description":"Book","quantity":2,"unit_price":19.95,"ncm":"49019900","cfop":"6108"}]}`
)

func TestInvoiceAtNuvemFiscal(t *testing.T) {
	t.Parallel()
	b := setup(t, "nuvem-fiscal")
	without := b.call(t, "codespar_invoice", service)
	require.Equal(t, events.ToolError, without.Status)
	require.Contains(t, without.Fault.Message, "register_company")
	b.ok(t, "nuvem-fiscal__register_company", company)

	made := b.ok(t, "codespar_invoice", service)
	shaped(t, made, "id status type number raw", "")
	b.booked(t, "nuvem-fiscal", "nfse.created", made)
	require.Equal(t, "authorized", made["status"])
	require.Contains(t, b.sent(t, "/nfse/dps"), `"vServ":100.05`)
	require.Contains(t, b.sent(t, "/nfse/dps"), `"prest":{"CNPJ":"`+cnpj+`"}`)
	require.Contains(t, b.sent(t, "/nfse/dps"), `"ambiente":"homologacao"`)

	nfe := b.ok(t, "codespar_invoice", product)
	shaped(t, nfe, "id status type number access_key raw", "")
	b.booked(t, "nuvem-fiscal", "nfe.created", nfe)
	sent := b.sent(t, "/nfe")
	for _, part := range []string{`"vNF":39.90`, `"xMun":"Rio de Janeiro"`, `"idDest":2`, `"nNF":7`, `"tPag":"17"`, `"vUnCom":19.95`, `"dVenc":"2026-04-01"`} {
		require.Contains(t, sent, part)
	}
	read := b.ok(t, "codespar_invoice", `{"type":"nfe","action":"status","invoice_id":"`+nfe["id"].(string)+`"}`)
	require.Equal(t, nfe, read)

	letter := b.ok(t, "codespar_invoice", `{"type":"nfe","action":"amend","invoice_id":"`+nfe["id"].(string)+`","correction":"The street is Rua da Quitanda"}`)
	shaped(t, letter, "id status type mechanism raw", "")
	require.Equal(t, "correction_letter", letter["mechanism"])
	cancelled := b.ok(t, "codespar_invoice", `{"type":"nfse","action":"amend","invoice_id":"`+made["id"].(string)+`","reason":"The course was cancelled"}`)
	require.Equal(t, "cancellation", cancelled["mechanism"])
	require.Equal(t, "cancelled", b.ok(t, "codespar_invoice", `{"type":"nfse","action":"status","invoice_id":"`+made["id"].(string)+`"}`)["status"])
	require.Equal(t, []string{"empresa.created", "nfse.created", "nfe.created", "nfe.corrected", "nfse.cancelled"}, b.effects())

	for arguments, wanted := range map[string]string{
		`{"type":"nfse","recipient":{"name":"A","document":"` + cpf + `"},"items":[{"description":"x","unit_price":0.001,"service_code":"080201"}]}`: "/items/0/unit_price",
		`{"type":"nfse","recipient":{"name":"A","document":"` + cpf + `"},"items":[{"description":"x","unit_price":1}]}`:                             "/items/0/service_code",
		`{"type":"nfse","recipient":{"name":"A","document":"1"},"items":[{"description":"x","unit_price":1}]}`:                                       "/recipient/document",
		`{"type":"nfse","action":"amend","invoice_id":"x","correction":"fifteen letters and more"}`:                                                  "/correction",
		`{"type":"nfe","action":"amend","invoice_id":"x"}`:                                                                                           "/reason",
		`{"type":"nfe","action":"status"}`:                                                                              "/invoice_id",
		`{"type":"nfse","items":[{"description":"x","unit_price":1}]}`:                                                  "/recipient",
		`{"type":"nfe","recipient":{"name":"A","document":"` + cpf + `"},"items":[{"description":"x","unit_price":1}]}`: "/recipient/address",
	} {
		require.Contains(t, b.refused(t, "codespar_invoice", arguments), wanted, arguments)
	}
}
