package nuvemfiscal

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Statuses of a document.
const (
	statusPending    = "pendente"
	statusAuthorized = "autorizado"
	statusCancelled  = "cancelado"
)

// minReason is the shortest reason for a cancellation that the tax office takes.
const minReason = 15

type document struct {
	ID          string    `json:"id"`
	Environment string    `json:"ambiente"`
	Created     time.Time `json:"created_at"`
	Status      string    `json:"status"`
	Reference   string    `json:"referencia,omitempty"`
	IssuedAt    time.Time `json:"data_emissao"`
	Model       int       `json:"modelo,omitempty"`
	Series      int       `json:"serie"`
	Number      int       `json:"numero"`
	AccessKey   string    `json:"chave,omitempty"`
	Protocol    string    `json:"protocolo,omitempty"`

	kind string
}

// kind is a sort of fiscal document.
type kind struct {
	name   string
	prefix string
	model  int
	// layout is the tax office's object, which stands for all the flat fields.
	layout string
	// fields are asked of the flat form, and parts of the layout.
	fields, parts []string
}

func kinds() []kind {
	return []kind{
		{"nfe", "nfe_", 55, "infNFe", []string{"natureza_operacao", "emitente", "destinatario", "itens", "pagamento"}, []string{"ide", "emit", "det", "pag"}},
		{"nfce", "nfc_", 65, "infNFe", []string{"emitente", "itens", "pagamento"}, []string{"emit", "det", "pag"}},
		{"nfse", "nfs_", 0, "infDPS", []string{"prestador", "tomador", "servico"}, []string{"prest", "serv", "valores"}},
		{"cte", "cte_", 57, "infCte", []string{"emitente", "remetente", "destinatario", "valores"}, []string{"emit", "rem", "dest", "vPrest"}},
		{"mdfe", "mdf_", 58, "infMDFe", []string{"emitente", "modal", "documentos"}, []string{"emit", "infModal", "infDoc"}},
	}
}

func (k kind) create(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return invalid("O corpo da requisição não é um objeto JSON.")
	}
	environment, ok := environmentOf(body.Text("ambiente"))
	if !ok {
		return invalid(`ambiente: deve ser "homologacao" (2) ou "producao" (1).`)
	}
	missing := body.Missing(k.fields...)
	if body.Has(k.layout) {
		missing = body.Object(k.layout).Missing(k.parts...)
	}
	if len(missing) > 0 {
		return invalid("Campo obrigatório não informado: " + strings.Join(missing, ", "))
	}
	number := len(c.State.documents.Newest(func(d *document) bool { return d.kind == k.name })) + 1
	made := &document{
		ID: c.Token(k.prefix, fake.Hex, 32), Environment: environment, Created: c.Now, Status: statusPending,
		Reference: body.Text("referencia"), IssuedAt: c.Now, Model: k.model, Series: 1, Number: number, kind: k.name,
	}
	c.State.documents.Put(made.ID, made)
	c.Effect(k.name+".created", made.ID, made.Reference)
	return fake.OK(made)
}

// find answers with a document, which by now the tax office has looked at.
func (k kind) find(c *call) fake.Answer {
	found, ok := k.seek(c)
	if !ok {
		return notFound(k.name, c.Path("id"))
	}
	return fake.OK(found)
}

func (k kind) seek(c *call) (*document, bool) {
	found, ok := c.State.documents.Find(c.Path("id"))
	if !ok || found.kind != k.name {
		return nil, false
	}
	found.settle(c)
	return found, true
}

func (d *document) settle(c *call) {
	if d.Status != statusPending {
		return
	}
	d.Status, d.Protocol = statusAuthorized, c.Token("1", fake.Decimal, 14)
	if d.Model != 0 {
		d.AccessKey = "35" + d.Created.Format("0601") + c.Token("", fake.Decimal, 14) + strconv.Itoa(d.Model) + c.Token("", fake.Decimal, 22)
	}
}

func (k kind) list(c *call) fake.Answer {
	query := c.Query()
	top, err := strconv.Atoi(query.Get("$top"))
	if err != nil || top < 1 {
		top = 10
	}
	skip, _ := strconv.Atoi(query.Get("$skip"))
	found := c.State.documents.Newest(func(d *document) bool {
		return d.kind == k.name && (query.Get("referencia") == "" || d.Reference == query.Get("referencia"))
	})
	page, _ := fake.Page(found, top, skip)
	return fake.OK(fake.Map{"@count": len(found), "data": page})
}

func (k kind) cancel(c *call) fake.Answer {
	found, ok := k.seek(c)
	if !ok {
		return notFound(k.name, c.Path("id"))
	}
	body, err := c.Object()
	if err != nil || len(body.Text("justificativa")) < minReason {
		return invalid("justificativa: deve ter ao menos 15 caracteres.")
	}
	if found.Status != statusAuthorized {
		return refuse(http.StatusBadRequest, "InvalidStatus", "O documento não pode ser cancelado na situação "+found.Status+".")
	}
	found.Status = statusCancelled
	c.Effect(k.name+".cancelled", found.ID, found.Reference)
	return fake.OK(fake.Map{
		"id": c.Token("evt_", fake.Hex, 24), "ambiente": found.Environment, "status": "registrado", "justificativa": body.Text("justificativa"),
		"data_evento": c.Now, "numero_protocolo": c.Token("1", fake.Decimal, 14),
	})
}

func environmentOf(text string) (string, bool) {
	switch text {
	case "1", "producao":
		return "producao", true
	case "2", "homologacao":
		return "homologacao", true
	default:
		return "", false
	}
}
