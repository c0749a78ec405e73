package nuvemfiscal

import (
	"net/http"
	"slices"
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
	statusClosed     = "encerrado"
	statusRejected   = "rejeitado"
)

// rejected is the nature of a sale, or the words for a service, that the tax
// office takes offence at.
const rejected = "REJEITAR"

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

	kind   string
	issuer string // CPF or CNPJ, of documents in the tax office's layout
	unfit  bool   // the tax office rejects it
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
	made := k.issue(c, environment, body.Text("referencia"))
	for _, party := range []string{"emit", "prest"} {
		if issuer := body.Object(k.layout).Object(party).Text("CNPJ", "CPF"); issuer != "" {
			made.issuer = issuer
		}
	}
	said := []string{body.Text("natureza_operacao"), body.Object(k.layout).Object("ide").Text("natOp"), body.Object(k.layout).Object("serv").Object("cServ").Text("xDescServ")}
	made.unfit = slices.Contains(said, rejected)
	c.Effect(k.name+".created", made.ID, made.Reference)
	return fake.OK(made)
}

// issue puts a new document before the tax office.
func (k kind) issue(c *call, environment, reference string) *document {
	number := len(c.State.documents.Newest(func(d *document) bool { return d.kind == k.name })) + 1
	made := &document{
		ID: c.Token(k.prefix, fake.Hex, 32), Environment: environment, Created: c.Now, Status: statusPending,
		Reference: reference, IssuedAt: c.Now, Model: k.model, Series: 1, Number: number, kind: k.name,
	}
	c.State.documents.Put(made.ID, made)
	return made
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
	if d.unfit {
		d.Status = statusRejected
		return
	}
	d.Status, d.Protocol = statusAuthorized, c.Token("1", fake.Decimal, 14)
	if d.Model != 0 {
		d.AccessKey = "35" + d.Created.Format("0601") + c.Token("", fake.Decimal, 14) + strconv.Itoa(d.Model) + c.Token("", fake.Decimal, 22)
	}
}

func (k kind) list(c *call) fake.Answer {
	query := c.Query()
	agree := func(filter, value string) bool { return filter == "" || filter == value }
	return listed(c, c.State.documents.Newest(func(d *document) bool {
		return d.kind == k.name && agree(query.Get("referencia"), d.Reference) && agree(query.Get("ambiente"), d.Environment) &&
			agree(query.Get("cpf_cnpj"), d.issuer)
	}))
}

// listed answers with one page of things.
func listed[T any](c *call, things []T) fake.Answer {
	top, err := strconv.Atoi(c.Query().Get("$top"))
	if err != nil || top < 1 {
		top = 10
	}
	skip, _ := strconv.Atoi(c.Query().Get("$skip"))
	page, _ := fake.Page(things, top, skip)
	return fake.OK(fake.Map{"@count": len(things), "data": page})
}

func (k kind) cancel(c *call) fake.Answer {
	found, ok := k.seek(c)
	if !ok {
		return notFound(k.name, c.Path("id"))
	}
	body, err := c.Object()
	reason := body.Text("justificativa", "motivo")
	if err != nil || k.name != "nfse" && len(reason) < minReason { // A town may ask for no reason.
		return invalid("justificativa: deve ter ao menos 15 caracteres.")
	}
	if found.Status != statusAuthorized {
		return refuse(http.StatusBadRequest, "InvalidStatus", "O documento não pode ser cancelado na situação "+found.Status+".")
	}
	found.Status = statusCancelled
	made := found.happen(c, "cancelamento")
	made.Reason = reason
	c.Effect(k.name+".cancelled", found.ID, found.Reference)
	return fake.OK(made)
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
