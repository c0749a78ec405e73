package correios

import (
	"net/http"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Situations of a collection, and of an authorisation to send back.
const (
	situationScheduled  = "AGENDADA"
	situationAuthorised = "AUTORIZADA"
)

// errand is a collection, or an authorisation to send something back.
type errand struct {
	ID        string      `json:"id"`
	Label     string      `json:"codigoObjeto,omitempty"`
	Service   string      `json:"codigoServico"`
	Situation string      `json:"situacao"`
	Date      string      `json:"dataColeta,omitempty"`
	Shift     string      `json:"turno,omitempty"`
	Deadline  string      `json:"prazo,omitempty"`
	Reason    string      `json:"motivo,omitempty"`
	Sender    fake.Object `json:"remetente"`
	Recipient fake.Object `json:"destinatario,omitempty"`
	Content   fake.Object `json:"objeto"`
}

// newErrand reads what both kinds have in common.
func newErrand(c *call, prefix string, sides ...string) (*errand, fake.Object, *fake.Answer) {
	body, err := c.Object()
	if err != nil {
		return nil, nil, bad(c.Request, "COL-001: Corpo da requisição inválido.")
	}
	if missing := body.Missing(append([]string{"codigoServico", "objeto"}, sides...)...); len(missing) > 0 {
		return nil, nil, bad(c.Request, "COL-010: Campo obrigatório não informado: "+missing[0])
	}
	kind, ok := serviceOf(body.Text("codigoServico"))
	if !ok {
		return nil, nil, bad(c.Request, "COL-112: Serviço inexistente: "+body.Text("codigoServico"))
	}
	for _, side := range sides {
		if refusal := checkParty(c.Request, side, body.Object(side)); refusal != nil {
			return nil, nil, refusal
		}
	}
	return &errand{
		ID: c.Token(prefix, fake.Decimal, 10), Service: kind.Code, Sender: body.Object("remetente"), Content: body.Object("objeto"),
	}, body, nil
}

func createCollection(c *call) fake.Answer {
	made, body, refusal := newErrand(c, "COL", "remetente")
	if refusal != nil {
		return *refusal
	}
	on, err := time.Parse(time.DateOnly, body.Text("dataColeta"))
	if err != nil || on.Format(time.DateOnly) < c.Now.Format(time.DateOnly) {
		return *bad(c.Request, "COL-020: Data de coleta inválida: "+body.Text("dataColeta"))
	}
	made.Situation, made.Date, made.Shift = situationScheduled, on.Format(time.DateOnly), body.Text("turno")
	c.State.collections.Put(made.ID, made)
	c.Effect("collection.created", made.ID, "")
	return fake.Created(made)
}

func getCollection(c *call) fake.Answer {
	found, ok := c.State.collections.Find(c.Path("id"))
	if !ok {
		return refuse(c.Request, http.StatusNotFound, "COL-404: Coleta não encontrada: "+c.Path("id"))
	}
	return fake.OK(found)
}

func cancelCollection(c *call) fake.Answer {
	found, ok := c.State.collections.Find(c.Path("id"))
	if !ok {
		return refuse(c.Request, http.StatusNotFound, "COL-404: Coleta não encontrada: "+c.Path("id"))
	}
	if found.Situation != situationScheduled {
		return *bad(c.Request, "COL-210: A coleta não pode ser cancelada na situação "+found.Situation)
	}
	found.Situation = situationCancelled
	c.Effect("collection.cancelled", found.ID, "")
	return fake.OK(found)
}

func createReverse(c *call) fake.Answer {
	made, body, refusal := newErrand(c, "LR", "remetente", "destinatario")
	if refusal != nil {
		return *refusal
	}
	kind, _ := serviceOf(made.Service)
	made.Label = brazil.ParcelLabel(kind.label, c.Token("", fake.Decimal, 8))
	made.Situation, made.Deadline = situationAuthorised, stamp(c.Now.AddDate(0, 0, 10))
	made.Reason, made.Recipient = body.Text("motivo"), body.Object("destinatario")
	c.State.reverses.Put(made.ID, made)
	c.Effect("reverse.created", made.ID, "")
	return fake.Created(made)
}

func getReverse(c *call) fake.Answer {
	found, ok := c.State.reverses.Find(c.Path("id"))
	if !ok {
		return refuse(c.Request, http.StatusNotFound, "LRV-404: Solicitação não encontrada: "+c.Path("id"))
	}
	return fake.OK(found)
}
