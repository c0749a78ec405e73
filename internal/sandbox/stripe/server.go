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
	balance   map[string]int64 // minor units by currency
	replies   map[string]reply // by idempotency key
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
		Around: around,
	})
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
	return s
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
