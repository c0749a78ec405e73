package asaas

import (
	"net/http"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Server is the provider's name.
const Server = "asaas"

// Prefix is the path of the API below the base URL's host.
const Prefix = "/v3"

type call = fake.Call[state]

// state is one account's.
type state struct {
	customers fake.Shelf[*customer]
	payments  fake.Shelf[*payment]
	transfers fake.Shelf[*transfer]
	webhooks  fake.Shelf[*webhook]
	events    fake.Shelf[event]
	balance   brazil.Cents

	subscriptions fake.Shelf[*subscription]
	subaccounts   fake.Shelf[subaccount]
}

// New returns Asaas without accounts. A credential is {api_key}.
func New(world fake.World) *fake.Server[state] {
	s := fake.NewServer(world, fake.Dialect[state]{
		Server:   Server,
		Fields:   []string{"api_key"},
		Key:      func(fields map[string]string) string { return fields["api_key"] },
		State:    func() *state { return &state{} },
		Identify: identify,
		Unknown:  unknown,
		Subscribe: func(c *call, hook fake.Hook) {
			newWebhook(c, fake.Object{"name": "panel", "url": hook.URL, "authToken": hook.Key, "enabled": true, "sendType": sendInOrder})
		},
		Refuse: func(_ *http.Request, status int) fake.Answer {
			return refuse(status, strings.ToLower(strings.ReplaceAll(http.StatusText(status), " ", "_")), "Não foi possível atender à requisição.")
		},
	})
	s.Handle("POST /v3/customers", createCustomer)
	s.Handle("GET /v3/customers", listCustomers)
	s.Handle("GET /v3/customers/{id}", getCustomer)
	s.Handle("POST /v3/payments", createPayment)
	s.Handle("GET /v3/payments", listPayments)
	s.Handle("GET /v3/payments/{id}", getPayment)
	s.Handle("PUT /v3/payments/{id}", updatePayment)
	s.Handle("DELETE /v3/payments/{id}", deletePayment)
	s.Handle("GET /v3/payments/{id}/pixQrCode", pixQRCode)
	s.Handle("GET /v3/payments/{id}/identificationField", boleto)
	s.Handle("POST /v3/payments/{id}/refund", refundPayment)
	s.Handle("POST /v3/payments/{id}/receiveInCash", receiveInCash)
	s.Handle("POST /v3/sandbox/payment/{id}/confirm", confirmPayment)
	s.Handle("GET /v3/finance/balance", balance)
	s.Handle("GET /v3/installments/{id}/payments", listInstallments)
	s.Handle("POST /v3/pix/qrCodes/static", staticQRCode)
	s.Handle("POST /v3/subscriptions", createSubscription)
	s.Handle("GET /v3/subscriptions", listSubscriptions)
	s.Handle("GET /v3/subscriptions/{id}", getSubscription)
	s.Handle("DELETE /v3/subscriptions/{id}", cancelSubscription)
	s.Handle("POST /v3/transfers", createTransfer)
	s.Handle("GET /v3/transfers", listTransfers)
	s.Handle("POST /v3/accounts", createSubaccount)
	s.Handle("POST /v3/webhooks", createWebhook)
	s.Handle("GET /v3/webhooks", listWebhooks)
	s.Handle("GET /v3/webhooks/{id}", getWebhook)
	s.Handle("PUT /v3/webhooks/{id}", updateWebhook)
	s.Handle("DELETE /v3/webhooks/{id}", deleteWebhook)
	s.Handle("GET /v3/webhook/events", listEvents)
	s.HandleAct("POST /pix", payPix)
	return s
}

func identify(r *http.Request) (string, *fake.Answer) {
	key := r.Header.Get("access_token")
	switch {
	case key == "":
		answer := refuse(http.StatusUnauthorized, "access_token_not_found", "O cabeçalho de autenticação 'access_token' é obrigatório e não foi encontrado na requisição.")
		return "", &answer
	case r.UserAgent() == "":
		answer := refuse(http.StatusForbidden, "user_agent_not_found", "O cabeçalho 'User-Agent' é obrigatório e não foi encontrado na requisição.")
		return "", &answer
	default:
		return key, nil
	}
}

// unknown tells a key of the other environment from one that is simply wrong.
func unknown(r *http.Request) fake.Answer {
	if strings.HasPrefix(r.Header.Get("access_token"), "$aact_prod_") {
		return refuse(http.StatusUnauthorized, "invalid_environment", "A chave de API informada não pertence a este ambiente.")
	}
	return refuse(http.StatusUnauthorized, "invalid_access_token", "A chave de API informada é inválida.")
}

func refuse(status int, code, description string) fake.Answer {
	return fake.Answer{Status: status, Body: fake.Map{
		"errors": []fake.Map{{"code": code, "description": description}},
	}}
}

func invalid(code, description string) fake.Answer {
	return refuse(http.StatusBadRequest, code, description)
}

func unreadable() fake.Answer {
	return invalid("invalid_object", "O corpo da requisição não é um objeto JSON.")
}

func absent() fake.Answer {
	return refuse(http.StatusNotFound, "not_found", "O recurso não foi encontrado.")
}

// agree reports whether a filter, empty for any, picks a value.
func agree(filter, value string) bool { return filter == "" || filter == value }
