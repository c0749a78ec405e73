package nuvemfiscal

import (
	"net/http"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Server is the provider's name.
const Server = "nuvem-fiscal"

type call = fake.Call[state]

// state is one account's.
type state struct {
	documents fake.Shelf[*document]
	companies fake.Shelf[fake.Object]
	events    fake.Shelf[*event]
	batches   fake.Shelf[*batch]

	certificates fake.Shelf[string] // by company, what tells one from the next
}

// New returns Nuvem Fiscal without accounts. A credential is
// {client_id, client_secret}.
func New(world fake.World) *fake.Server[state] {
	tokens := &issuer{world: world, granted: map[string]grant{}}
	s := fake.NewServer(world, fake.Dialect[state]{
		Server:   Server,
		Fields:   []string{"client_id", "client_secret"},
		Key:      func(f map[string]string) string { return key(f["client_id"], f["client_secret"]) },
		State:    func() *state { return &state{} },
		Identify: tokens.identify,
		Unknown: func(*http.Request) fake.Answer {
			return refuse(http.StatusUnauthorized, "Unauthorized", "O token de acesso é inválido ou expirou.")
		},
		Refuse: func(_ *http.Request, status int) fake.Answer {
			return refuse(status, http.StatusText(status), "Não foi possível atender à requisição.")
		},
	})
	tokens.known = s.Knows
	s.HandleOpen("POST /oauth/token", tokens.issue)
	for _, kind := range kinds() {
		s.Handle("POST /"+kind.name, kind.create)
		s.Handle("GET /"+kind.name, kind.list)
		s.Handle("GET /"+kind.name+"/{id}", kind.find)
		s.Handle("POST /"+kind.name+"/{id}/cancelamento", kind.cancel)
		switch kind.name {
		case "nfse": // by its DPS, of the national layout; the bare path takes the RPS of old
			s.Handle("POST /nfse/dps", kind.create)
		case "nfe":
			s.Handle("POST /nfe/{id}/carta-correcao", kind.correct)
			s.Handle("POST /nfe/lotes", kind.createBatch)
		case "cte":
			s.Handle("POST /cte/{id}/carta-correcao", kind.correct)
		case "mdfe":
			s.Handle("POST /mdfe/{id}/encerramento", kind.closeManifest)
		}
	}
	s.Handle("GET /nfe/eventos", listEvents)
	s.Handle("GET /nfe/lotes/{id}", findBatch)
	s.Handle("PUT /empresas/{company}/certificado", putCertificate)
	s.Handle("GET /cnpj/{cnpj}", consultCNPJ)
	s.Handle("GET /cep/{cep}", consultCEP)
	s.Handle("POST /empresas", registerCompany)
	s.Handle("GET /empresas", listCompanies)
	return s
}

func refuse(status int, code, message string) fake.Answer {
	return fake.Answer{Status: status, Body: fake.Map{"error": fake.Map{"code": code, "message": message}}}
}

func invalid(message string) fake.Answer {
	return refuse(http.StatusBadRequest, "ValidationFailed", message)
}

func notFound(kind, id string) fake.Answer {
	return refuse(http.StatusNotFound, "NotFound", kind+" não encontrado: "+id)
}
