package melhorenvio

import (
	"net/http"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/outbox"
)

// Server is the provider's name.
const Server = "melhor-envio"

// Prefix is the path of the API below the base URL's host.
const Prefix = "/api/v2"

// openingBalance is what a new account's wallet holds.
const openingBalance brazil.Cents = 1_000_00

type call = fake.Call[state]

// state is one account's.
type state struct {
	orders  fake.Shelf[*order]
	stores  fake.Shelf[*store]
	balance brazil.Cents
	hooks   []*outbox.Queue
}

// New returns Melhor Envio without accounts. A credential is {access_token},
// with {refresh_token, client_id, client_secret, expires_at} where its tokens are
// to be renewed, and {client_id, client_secret} where it is to be connected.
func New(world fake.World) *fake.Server[state] {
	tokens := newIssuer(world)
	s := fake.NewServer(world, fake.Dialect[state]{
		Server:   Server,
		Fields:   []string{"access_token"},
		Key:      func(fields map[string]string) string { return fields["access_token"] },
		State:    func() *state { return &state{balance: openingBalance} },
		Identify: tokens.identify,
		Unknown:  func(*http.Request) fake.Answer { return unauthenticated() },
		Subscribe: func(c *call, hook fake.Hook) {
			c.State.hooks = append(c.State.hooks, c.Queue(hook.URL, hook.Key, outbox.Rules{Taken: outbox.Success, Patience: maxRefusals}))
		},
		Refuse: func(_ *http.Request, status int) fake.Answer {
			return fake.Answer{Status: status, Body: fake.Map{"message": http.StatusText(status) + "."}}
		},
	})
	tokens.all = s.All
	// Below the shared path, where an operator's address takes the host's own paths.
	s.HandleOpen("POST "+Prefix+"/oauth/token", tokens.issue)
	s.HandleFunc("GET "+Prefix+"/oauth/authorize", tokens.authorize)
	s.Handle("POST /api/v2/me/shipment/calculate", calculate)
	s.Handle("GET /api/v2/me/shipment/services", listServices)
	s.Handle("POST /api/v2/me/cart", addToCart)
	s.Handle("GET /api/v2/me/cart", listCart)
	s.Handle("DELETE /api/v2/me/cart/{id}", removeFromCart)
	s.Handle("POST /api/v2/me/shipment/checkout", checkout)
	s.Handle("POST /api/v2/me/shipment/generate", generate)
	s.Handle("POST /api/v2/me/shipment/print", printLabel)
	s.Handle("POST /api/v2/me/shipment/preview", preview)
	s.Handle("POST /api/v2/me/shipment/tracking", tracking)
	s.Handle("POST /api/v2/me/shipment/cancel", cancel)
	s.Handle("GET /api/v2/me/orders", listOrders)
	s.Handle("GET /api/v2/me/orders/search", searchOrders)
	s.Handle("GET /api/v2/me/orders/{id}", getOrder)
	s.Handle("GET /api/v2/me/balance", balance)
	s.Handle("GET /api/v2/me/companies", listStores)
	s.Handle("POST /api/v2/me/companies/{id}/addresses", createAddress)
	s.Handle("GET /api/v2/me/companies/{id}/addresses", listAddresses)
	s.Handle("GET /api/v2/me/shipment/agencies", listAgencies)
	s.HandleAct("POST /parcels/{code}", carry)
	return s
}

func unauthenticated() fake.Answer {
	return fake.Answer{Status: http.StatusUnauthorized, Body: fake.Map{"message": "Unauthenticated."}}
}

// invalid lists the fields that are not there.
func invalid(fields ...string) *fake.Answer {
	faults := fake.Map{}
	for _, field := range fields {
		faults[field] = []string{"O campo " + field + " é obrigatório ou inválido."}
	}
	return &fake.Answer{Status: http.StatusUnprocessableEntity, Body: fake.Map{"message": "The given data was invalid.", "errors": faults}}
}

func refuse(status int, message string) fake.Answer {
	return fake.Answer{Status: status, Body: fake.Map{"error": message}}
}

func absent() fake.Answer { return refuse(http.StatusNotFound, "Etiqueta não encontrada.") }

func unreadable() fake.Answer {
	return refuse(http.StatusBadRequest, "O corpo da requisição não é um objeto JSON.")
}

func balance(c *call) fake.Answer {
	return fake.OK(struct {
		Balance  brazil.Cents `json:"balance"`
		Reserved brazil.Cents `json:"reserved"`
		Debts    brazil.Cents `json:"debts"`
	}{Balance: c.State.balance})
}

// under prefixes the names of an object's fields.
func under(object string, names []string) []string {
	for i, name := range names {
		names[i] = strings.Join([]string{object, name}, ".")
	}
	return names
}
