package correios

import (
	"net/http"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Server is the provider's name.
const Server = "correios"

type call = fake.Call[state]

// state is one account's.
type state struct {
	parcels     fake.Shelf[*parcel]
	collections fake.Shelf[*errand]
	reverses    fake.Shelf[*errand]
}

// New returns the post without accounts. A credential is
// {user, access_code, posting_card}.
func New(world fake.World) *fake.Server[state] {
	tokens := &counter{world: world, issued: map[string]ticket{}}
	s := fake.NewServer(world, fake.Dialect[state]{
		Server:   Server,
		Fields:   []string{"user", "access_code", "posting_card"},
		Key:      func(f map[string]string) string { return key(f["user"], f["access_code"], f["posting_card"]) },
		State:    func() *state { return &state{} },
		Identify: tokens.identify,
		Unknown:  func(r *http.Request) fake.Answer { return invalidToken(r) },
		Refuse:   refuseStatus,
	})
	tokens.known = s.Knows
	s.HandleOpen("POST /token/v1/autentica/cartaopostagem", tokens.issue)
	s.Handle("GET /srorastro/v1/objetos/{code}", track)
	s.Handle("GET /srorastro/v1/objetos", trackBulk)
	s.Handle("POST /preco/v1/nacional", price)
	s.Handle("GET /preco/v1/servicos", listServices)
	s.Handle("GET /prazo/v1/nacional/{service}", deliveryTime)
	s.Handle("GET /cep/v2/enderecos/{cep}", findCEP)
	s.Handle("GET /cep/v2/enderecos", findCEPs)
	s.Handle("POST /prepostagem/v1/prepostagens", createPrepost)
	s.Handle("GET /prepostagem/v1/prepostagens", listPreposts)
	s.Handle("GET /prepostagem/v1/prepostagens/{id}", getPrepost)
	s.Handle("DELETE /prepostagem/v1/prepostagens/{id}", cancelPrepost)
	s.Handle("GET /prepostagem/v2/prepostagens", listPreposts)
	s.Handle("POST /prepostagem/v1/prepostagens/postagens", postObjects)
	s.Handle("POST /etiqueta/v1/solicitar", buyRange)
	s.Handle("GET /preco/v1/servicos/{service}/faixas", cepRanges)
	s.Handle("GET /prazo/v1/nacional/{service}/formaentrega", deliveryModality)
	s.Handle("POST /coleta/v1/coletas", createCollection)
	s.Handle("GET /coleta/v1/coletas/{id}", getCollection)
	s.Handle("DELETE /coleta/v1/coletas/{id}", cancelCollection)
	s.Handle("POST /logisticareversa/v1/solicitacoes", createReverse)
	s.Handle("GET /logisticareversa/v1/solicitacoes/{id}", getReverse)
	return s
}

// refuse words an error: a list of messages, each with its code.
func refuse(r *http.Request, status int, messages ...string) fake.Answer {
	return fake.Answer{Status: status, Body: fake.Map{
		"msgs": messages, "method": r.Method, "path": r.URL.Path, "causa": http.StatusText(status),
	}}
}

func refuseStatus(r *http.Request, status int) fake.Answer {
	switch status {
	case http.StatusNotFound:
		return refuse(r, status, "GTW-002: Recurso não encontrado.")
	case http.StatusTooManyRequests:
		return refuse(r, status, "GTW-012: Limite de requisições excedido.")
	default:
		return refuse(r, status, "GTW-001: Serviço temporariamente indisponível.")
	}
}

// brasilia is the post's clock; the country has no summer time.
func brasilia() *time.Location { return time.FixedZone("-03:00", -3*60*60) }

// stamp writes a time as the post does, without a zone.
func stamp(t time.Time) string { return t.In(brasilia()).Format("2006-01-02T15:04:05") }
