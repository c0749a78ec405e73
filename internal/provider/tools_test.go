package provider

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

type toolCase struct {
	server, tool, arguments string
	method, path            string
	query, body             string // the body as JSON, or a form
}

func toolCases() []toolCase {
	return []toolCase{
		{"stripe", "create_customer", `{"email":"a@b.example","metadata":{"order":"7"},"address":{"city":"Recife"}}`, "POST", "/base/customers", "", "address[city]=Recife&email=a@b.example&metadata[order]=7"},
		{"stripe", "create_payment_intent", `{"amount":1990,"currency":"brl","payment_method_types":["pix","card"],"confirm":true}`, "POST", "/base/payment_intents", "", "amount=1990&confirm=true&currency=brl&payment_method_types[]=pix&payment_method_types[]=card"},
		{"stripe", "confirm_payment_intent", `{"id":"pi_1","off_session":true}`, "POST", "/base/payment_intents/pi_1/confirm", "", "off_session=true"},
		{"stripe", "retrieve_payment_intent", `{"id":"pi_1","expand":["customer"]}`, "GET", "/base/payment_intents/pi_1", "expand[]=customer", ""},
		{"stripe", "create_refund", `{"payment_intent":"pi_1","amount":5}`, "POST", "/base/refunds", "", "amount=5&payment_intent=pi_1"},
		{"stripe", "list_payment_intents", `{"created":{"gte":10},"limit":3}`, "GET", "/base/payment_intents", "created[gte]=10&limit=3", ""},
		{"stripe", "retrieve_balance", ``, "GET", "/base/balance", "", ""},

		{"correios", "track_package", `{"code":"AA123456789BR"}`, "GET", "/base/srorastro/v1/objetos/AA123456789BR", "resultado=T", ""},
		{"correios", "calculate_shipping", `{"cepOrigem":"01001000","cepDestino":"50010000","peso":350.5,"servicos":["03220"]}`, "POST", "/base/preco/v1/nacional", "", `{"cepOrigem":"01001000","cepDestino":"50010000","peso":350.5,"servicos":["03220"]}`},
		{"correios", "get_delivery_time", `{"cepOrigem":"01001000","cepDestino":"50010000","codigoServico":"03298"}`, "GET", "/base/prazo/v1/nacional/03298", "cepDestino=50010000&cepOrigem=01001000", ""},
		{"correios", "find_cep", `{"cep":"01001000"}`, "GET", "/base/cep/v2/enderecos/01001000", "", ""},
		{"correios", "create_prepost", `{"codigoServico":"03298","remetente":{"nome":"A"},"destinatario":{"nome":"B"},"objetoPostal":{"peso":"300"}}`, "POST", "/base/prepostagem/v1/prepostagens", "", `{"codigoServico":"03298","remetente":{"nome":"A"},"destinatario":{"nome":"B"},"objetoPostal":{"peso":"300"}}`},
		{"correios", "get_prepost", `{"id":"PR1"}`, "GET", "/base/prepostagem/v1/prepostagens/PR1", "", ""},
		{"correios", "cancel_prepost", `{"id":"PR1"}`, "DELETE", "/base/prepostagem/v1/prepostagens/PR1", "", ""},

		{"nuvem-fiscal", "create_nfe", `{"infNFe":{"ide":{},"emit":{"CNPJ":"12345678000199"},"det":[{}],"total":{},"transp":{},"pag":{}}}`, "POST", "/base/nfe", "", `{"ambiente":"homologacao","referencia":"key-0001","infNFe":{"ide":{},"emit":{"CNPJ":"12345678000199"},"det":[{}],"total":{},"transp":{},"pag":{}}}`},
		{"nuvem-fiscal", "get_nfe", `{"id":"nfe_1"}`, "GET", "/base/nfe/nfe_1", "", ""},
		{"nuvem-fiscal", "cancel_nfe", `{"id":"nfe_1","justificativa":"Pedido cancelado"}`, "POST", "/base/nfe/nfe_1/cancelamento", "", `{"justificativa":"Pedido cancelado"}`},
		{"nuvem-fiscal", "create_nfse", `{"referencia":"mine","infDPS":{"prest":{},"serv":{},"valores":{}}}`, "POST", "/base/nfse/dps", "", `{"ambiente":"homologacao","referencia":"mine","infDPS":{"prest":{},"serv":{},"valores":{}}}`},
		{"nuvem-fiscal", "get_nfse", `{"id":"nfs_1"}`, "GET", "/base/nfse/nfs_1", "", ""},
		{"nuvem-fiscal", "consult_cnpj", `{"cnpj":"12345678000199"}`, "GET", "/base/cnpj/12345678000199", "", ""},
		{"nuvem-fiscal", "consult_cep", `{"cep":"01001000"}`, "GET", "/base/cep/01001000", "", ""},

		{"asaas", "create_customer", `{"name":"Ana","cpfCnpj":"12345678909"}`, "POST", "/base/customers", "", `{"name":"Ana","cpfCnpj":"12345678909","externalReference":"key-0001"}`},
		{"asaas", "list_customers", `{"cpfCnpj":"12345678909","limit":2}`, "GET", "/base/customers", "cpfCnpj=12345678909&limit=2", ""},
		{"asaas", "create_payment", `{"customer":"cus_1","billingType":"PIX","value":19.90,"dueDate":"2026-12-01","externalReference":"order-7"}`, "POST", "/base/payments", "", `{"customer":"cus_1","billingType":"PIX","value":19.90,"dueDate":"2026-12-01","externalReference":"order-7"}`},
		{"asaas", "get_payment", `{"id":"pay_1"}`, "GET", "/base/payments/pay_1", "", ""},
		{"asaas", "list_payments", `{"status":"OVERDUE"}`, "GET", "/base/payments", "status=OVERDUE", ""},
		{"asaas", "get_pix_qrcode", `{"id":"pay_1"}`, "GET", "/base/payments/pay_1/pixQrCode", "", ""},
		{"asaas", "refund_payment", `{"id":"pay_1","value":0.1}`, "POST", "/base/payments/pay_1/refund", "", `{"value":0.1}`},
		{"asaas", "get_balance", `{}`, "GET", "/base/finance/balance", "", ""},

		{"melhor-envio", "calculate_shipping", `{"from":{"postal_code":"01001000"},"to":{"postal_code":"50010000"},"products":[{"weight":1}]}`, "POST", "/base/me/shipment/calculate", "", `{"from":{"postal_code":"01001000"},"to":{"postal_code":"50010000"},"products":[{"weight":1}]}`},
		{
			"melhor-envio", "create_shipment",
			`{"service":1,"from":{"name":"A","address":"R","city":"C","postal_code":"01001000"},"to":{"name":"B","address":"R","city":"C","postal_code":"50010000"},"products":[{"name":"x"}],"options":{"receipt":true}}`,
			"POST", "/base/me/cart", "",
			`{"service":1,"from":{"name":"A","address":"R","city":"C","postal_code":"01001000"},"to":{"name":"B","address":"R","city":"C","postal_code":"50010000"},"products":[{"name":"x"}],"options":{"receipt":true,"tags":[{"tag":"key-0001"}]}}`,
		},
		{"melhor-envio", "checkout_cart", `{"orders":["a-1"]}`, "POST", "/base/me/shipment/checkout", "", `{"orders":["a-1"]}`},
		{"melhor-envio", "generate_label", `{"orders":["a-1"]}`, "POST", "/base/me/shipment/generate", "", `{"orders":["a-1"]}`},
		{"melhor-envio", "track_shipment", `{"id":"a-1"}`, "POST", "/base/me/shipment/tracking", "", `{"orders":["a-1"]}`},
		{"melhor-envio", "get_shipment", `{"id":"a-1"}`, "GET", "/base/me/orders/a-1", "", ""},
		{"melhor-envio", "cancel_shipment", `{"id":"a-1","description":"x"}`, "POST", "/base/me/shipment/cancel", "", `{"order":{"id":"a-1","reason_id":"2","description":"x"}}`},
		{"melhor-envio", "get_balance", `{}`, "GET", "/base/me/balance", "", ""},

		{"z-api", "send_text", `{"phone":"5511999999999","message":"<oi> & tchau"}`, "POST", "/base/instances/3C01/token/zapi-token-0001/send-text", "", `{"phone":"5511999999999","message":"<oi> & tchau"}`},
		{"z-api", "send_image", `{"phone":"5511999999999","image":"https://x.example/a.png"}`, "POST", "/base/instances/3C01/token/zapi-token-0001/send-image", "", `{"phone":"5511999999999","image":"https://x.example/a.png"}`},
		{"z-api", "send_document", `{"phone":"5511999999999","document":"https://x.example/a.pdf","extension":"pdf"}`, "POST", "/base/instances/3C01/token/zapi-token-0001/send-document/pdf", "", `{"phone":"5511999999999","document":"https://x.example/a.pdf"}`},
		{"z-api", "check_number", `{"phone":"5511999999999"}`, "GET", "/base/instances/3C01/token/zapi-token-0001/phone-exists/5511999999999", "", ""},
		{"z-api", "get_status", `{}`, "GET", "/base/instances/3C01/token/zapi-token-0001/status", "", ""},
		{"z-api", "read_message", `{"phone":"5511999999999","messageId":"M/1"}`, "POST", "/base/instances/3C01/token/zapi-token-0001/read-message", "", `{"phone":"5511999999999","messageId":"M/1"}`},
		{"z-api", "get_contacts", `{"page":1,"pageSize":20}`, "GET", "/base/instances/3C01/token/zapi-token-0001/contacts", "page=1&pageSize=20", ""},
	}
}

func TestEveryToolIsSentAsItsProviderWantsIt(t *testing.T) {
	t.Parallel()
	for _, test := range toolCases() {
		t.Run(test.server+separator+test.tool, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.server, answerWith(http.StatusOK, `{"id":"x"}`), nil)
			result := b.call(t, test.tool, test.arguments)
			require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
			require.JSONEq(t, `{"id":"x"}`, result.Output)
			require.Equal(t, 1, result.Attempts)

			requests := b.requests()
			require.Len(t, requests, 1)
			got := requests[0]
			require.Equal(t, test.method, got.Method)
			require.Equal(t, test.path, got.Path)
			requireValues(t, test.query, got.Query)
			requireHeaders(t, test, got.Header)
			switch {
			case test.method == http.MethodGet || test.method == http.MethodDelete:
				require.Empty(t, got.Body)
				require.Empty(t, got.Header.Get("Content-Type"))
			case test.server == "stripe":
				require.Equal(t, "application/x-www-form-urlencoded", got.Header.Get("Content-Type"))
				requireValues(t, test.body, got.Body)
			default:
				require.Equal(t, "application/json", got.Header.Get("Content-Type"))
				requireSameJSON(t, test.body, got.Body)
			}
		})
	}
}

func requireHeaders(t *testing.T, test toolCase, got http.Header) {
	t.Helper()
	require.Equal(t, "application/json", got.Get("Accept"))
	require.Contains(t, got.Get("User-Agent"), "Feira")
	want := map[string]map[string]string{
		"stripe":       {"Authorization": "Bearer stripe-key-0001", "Stripe-Account": ""},
		"correios":     {"Authorization": "Bearer short-lived-0001"},
		"nuvem-fiscal": {"Authorization": "Bearer short-lived-0001"},
		"asaas":        {"Access_token": "asaas-key-0001", "Authorization": ""},
		"melhor-envio": {"Authorization": "Bearer melhor-token-0001"},
		"z-api":        {"Client-Token": "zapi-client-0001", "Authorization": ""},
	}[test.server]
	for name, value := range want {
		require.Equal(t, value, got.Get(name), name)
	}
	key := ""
	if test.server == "stripe" && test.method == http.MethodPost {
		key = "key-0001"
	}
	require.Equal(t, key, got.Get("Idempotency-Key"))
}

func requireValues(t *testing.T, want, got string) {
	t.Helper()
	wanted, err := url.ParseQuery(want)
	require.NoError(t, err)
	found, err := url.ParseQuery(got)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(wanted, found))
}

// requireSameJSON compares numbers as they are written: 19.90 is not 19.9.
func requireSameJSON(t *testing.T, want, got string) {
	t.Helper()
	a, err := parseLayout(json.RawMessage(want))
	require.NoError(t, err)
	b, err := parseLayout(json.RawMessage(got))
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(a, b))
}
