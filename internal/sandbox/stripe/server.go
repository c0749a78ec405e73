package stripe

import (
	"net/http"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Server is the provider's name.
const Server = "stripe"

// Prefix is the path of the API below the base URL's host.
const Prefix = "/v1"

type call = fake.Call[state]

// state is one account's.
type state struct {
	customers fake.Shelf[*customer]
	intents   fake.Shelf[*intent]
	refunds   fake.Shelf[*refund]
	disputes  fake.Shelf[*dispute]

	products      fake.Shelf[*product]
	prices        fake.Shelf[*price]
	subscriptions fake.Shelf[*subscription]
	invoices      fake.Shelf[*invoice]
	sessions      fake.Shelf[*session]
	links         fake.Shelf[*link]
	events        fake.Shelf[event]
	endpoints     fake.Shelf[*endpoint]

	balance map[string]int64 // minor units by currency
	replies map[string]reply // by idempotency key
}

// New returns Stripe without accounts. A credential is {secret_key}.
func New(world fake.World) *fake.Server[state] {
	s := fake.NewServer(world, fake.Dialect[state]{
		Server: Server,
		Fields: []string{"secret_key"},
		Key:    func(fields map[string]string) string { return fields["secret_key"] },
		State: func() *state {
			return &state{balance: map[string]int64{"brl": 0}, replies: map[string]reply{}}
		},
		Identify: identify,
		Unknown: func(r *http.Request) fake.Answer {
			return refuse(http.StatusUnauthorized, fault{Message: "Invalid API Key provided: " + masked(secretKey(r))})
		},
		Refuse: refuseStatus,
		Subscribe: func(c *call, hook fake.Hook) {
			newEndpoint(c, hook.URL, hook.Key)
		},
		Around: around,
	})
	routes(s)
	return s
}

func routes(s *fake.Server[state]) {
	s.Handle("POST /v1/customers", createCustomer)
	s.Handle("GET /v1/customers", listCustomers)
	s.Handle("GET /v1/customers/{id}", retrieveCustomer)
	s.Handle("POST /v1/customers/{id}", updateCustomer)
	s.Handle("POST /v1/payment_intents", createIntent)
	s.Handle("GET /v1/payment_intents", listIntents)
	s.Handle("GET /v1/payment_intents/{id}", retrieveIntent)
	s.Handle("POST /v1/payment_intents/{id}/confirm", confirmIntent)
	s.Handle("POST /v1/payment_intents/{id}/cancel", cancelIntent)
	s.Handle("POST /v1/refunds", createRefund)
	s.Handle("GET /v1/refunds", listRefunds)
	s.Handle("GET /v1/balance", retrieveBalance)
	s.Handle("POST /v1/products", createProduct)
	s.Handle("GET /v1/products", listProducts)
	s.Handle("POST /v1/prices", createPrice)
	s.Handle("GET /v1/prices", listPrices)
	s.Handle("POST /v1/subscriptions", createSubscription)
	s.Handle("GET /v1/subscriptions", listSubscriptions)
	s.Handle("POST /v1/subscriptions/{id}", updateSubscription)
	s.Handle("DELETE /v1/subscriptions/{id}", cancelSubscription)
	s.Handle("POST /v1/checkout/sessions", createSession)
	s.Handle("POST /v1/payment_links", createLink)
	s.Handle("GET /v1/payment_links", listLinks)
	s.Handle("POST /v1/invoices", createInvoice)
	s.Handle("GET /v1/invoices", listInvoices)
	s.Handle("POST /v1/invoices/{id}/finalize", finalizeInvoice)
	s.Handle("POST /v1/invoices/{id}/send", sendInvoice)
	s.Handle("POST /v1/invoices/{id}/pay", payInvoice)
	s.Handle("POST /v1/invoices/{id}/void", voidInvoice)
	s.Handle("POST /v1/disputes/{id}", updateDispute)
	s.Handle("GET /v1/disputes", listDisputes)
	s.Handle("GET /v1/events", listEvents)
	s.Handle("GET /v1/events/{id}", retrieveEvent)
	s.Handle("POST /v1/webhook_endpoints", createEndpoint)
	s.Handle("GET /v1/webhook_endpoints", listEndpoints)
	s.Handle("DELETE /v1/webhook_endpoints/{id}", deleteEndpoint)
	s.HandleAct("POST /checkout/{id}", payCheckout)
}

func identify(r *http.Request) (string, *fake.Answer) {
	key := secretKey(r)
	if key == "" {
		refusal := refuse(http.StatusUnauthorized, fault{
			Message: "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth.",
		})
		return "", &refusal
	}
	return key, nil
}

// secretKey reads the key from a Bearer token, or from the user of Basic.
func secretKey(r *http.Request) string {
	if user, _, ok := r.BasicAuth(); ok {
		return user
	}
	return fake.Bearer(r)
}

// masked shows of a key what Stripe itself would.
func masked(key string) string {
	if len(key) < 16 {
		return strings.Repeat("*", len(key))
	}
	return key[:8] + strings.Repeat("*", len(key)-12) + key[len(key)-4:]
}
