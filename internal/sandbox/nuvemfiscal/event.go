package nuvemfiscal

import (
	"net/http"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// event is something that happened to a document at the tax office.
type event struct {
	ID          string    `json:"id"`
	Environment string    `json:"ambiente"`
	Status      string    `json:"status"`
	Kind        string    `json:"tipo_evento"`
	Number      int       `json:"numero_sequencial"`
	Reason      string    `json:"justificativa,omitempty"`
	Correction  any       `json:"correcao,omitempty"`
	At          time.Time `json:"data_evento"`
	Protocol    string    `json:"numero_protocolo"`

	document string
}

// happen keeps an event of a document.
func (d *document) happen(c *call, kind string) *event {
	same := c.State.events.Newest(func(one *event) bool { return one.document == d.ID && one.Kind == kind })
	made := &event{
		ID: c.Token("evt_", fake.Hex, 24), Environment: d.Environment, Status: "registrado", Kind: kind, Number: len(same) + 1, At: c.Now,
		Protocol: c.Token("1", fake.Decimal, 14), document: d.ID,
	}
	c.State.events.Put(made.ID, made)
	return made
}

func listEvents(c *call) fake.Answer {
	id := c.Query().Get("dfe_id")
	if _, ok := c.State.documents.Find(id); !ok {
		return notFound("nfe", id)
	}
	return listed(c, c.State.events.Newest(func(one *event) bool { return one.document == id }))
}

// correct sends a letter, of one text for goods and of fields for carriage.
func (k kind) correct(c *call) fake.Answer {
	found, ok := k.seek(c)
	if !ok {
		return notFound(k.name, c.Path("id"))
	}
	body, err := c.Object()
	if err != nil {
		return invalid("O corpo da requisição não é um objeto JSON.")
	}
	if found.Status != statusAuthorized {
		return refuse(http.StatusBadRequest, "InvalidStatus", "O documento não pode ser corrigido na situação "+found.Status+".")
	}
	field := "correcao"
	if k.name == "cte" {
		field = "correcoes"
	}
	text := body.Text("correcao")
	if !body.Has(field) || field == "correcao" && len(text) < minReason {
		return invalid(field + ": não informado, ou com menos de 15 caracteres.")
	}
	for _, one := range body.Objects("correcoes") {
		if missing := one.Missing("grupo_alterado", "campo_alterado", "valor_alterado"); len(missing) > 0 {
			return invalid("correcoes: campo obrigatório não informado: " + missing[0])
		}
	}
	made := found.happen(c, "carta_correcao")
	made.Correction = body[field]
	c.Effect(k.name+".corrected", found.ID, found.Reference)
	return fake.OK(made)
}

// closeManifest ends the way of a load.
func (k kind) closeManifest(c *call) fake.Answer {
	found, ok := k.seek(c)
	if !ok {
		return notFound(k.name, c.Path("id"))
	}
	body, err := c.Object()
	if err != nil {
		return invalid("O corpo da requisição não é um objeto JSON.")
	}
	if missing := body.Missing("uf", "codigo_municipio"); len(missing) > 0 {
		return invalid("Campo obrigatório não informado: " + missing[0])
	}
	if found.Status != statusAuthorized {
		return refuse(http.StatusBadRequest, "InvalidStatus", "O documento não pode ser encerrado na situação "+found.Status+".")
	}
	found.Status = statusClosed
	made := found.happen(c, "encerramento")
	c.Effect(k.name+".closed", found.ID, found.Reference)
	return fake.OK(made)
}

// batch is a lot of documents that were sent together.
type batch struct {
	ID        string      `json:"id"`
	Status    string      `json:"status"`
	Reference string      `json:"referencia,omitempty"`
	Created   time.Time   `json:"created_at"`
	Documents []*document `json:"documentos"`
}

func (k kind) createBatch(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return invalid("O corpo da requisição não é um objeto JSON.")
	}
	environment, ok := environmentOf(body.Text("ambiente"))
	list := body.Objects("documentos")
	if !ok || len(list) == 0 {
		return invalid("ambiente ou documentos: inválido.")
	}
	made := &batch{ID: c.Token("lot_", fake.Hex, 24), Status: statusPending, Reference: body.Text("referencia"), Created: c.Now}
	for range list {
		made.Documents = append(made.Documents, k.issue(c, environment, ""))
	}
	c.State.batches.Put(made.ID, made)
	c.Effect("lote.created", made.ID, made.Reference)
	return fake.OK(made)
}

func findBatch(c *call) fake.Answer {
	found, ok := c.State.batches.Find(c.Path("id"))
	if !ok {
		return notFound("lote", c.Path("id"))
	}
	for _, one := range found.Documents {
		one.settle(c)
	}
	found.Status = "processado"
	return fake.OK(found)
}

// putCertificate keeps of a certificate what tells it from the next one.
func putCertificate(c *call) fake.Answer {
	id := brazil.Digits(c.Path("company"))
	company, ok := c.State.companies.Find(id)
	if !ok {
		return notFound("empresa", id)
	}
	body, err := c.Object()
	if err != nil {
		return invalid("O corpo da requisição não é um objeto JSON.")
	}
	if missing := body.Missing("certificado", "password"); len(missing) > 0 {
		return invalid("Campo obrigatório não informado: " + missing[0])
	}
	if held, _ := c.State.certificates.Find(id); held != journal.HashBody(c.Body) {
		c.State.certificates.Put(id, journal.HashBody(c.Body))
		c.Effect("certificate.stored", id, "")
	}
	return fake.OK(fake.Map{
		"cpf_cnpj": id, "nome_razao_social": company.Text("nome_razao_social"), "serial_number": c.Token("", fake.HexUpper, 16),
		"not_valid_before": c.Now, "not_valid_after": c.Now.AddDate(1, 0, 0),
	})
}
