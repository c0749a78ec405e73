package correios

import (
	"net/http"
	"strconv"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Situations of a parcel before it travels.
const (
	situationPreposted = "PREPOSTADO"
	situationPosted    = "POSTADO"
	situationCancelled = "CANCELADO"
)

type parcel struct {
	ID        string      `json:"id"`
	Label     string      `json:"codigoObjeto"`
	Service   string      `json:"codigoServico"`
	Situation string      `json:"descStatusAtual"`
	Created   string      `json:"dataHora"`
	Deadline  string      `json:"prazoPostagem"`
	Sender    fake.Object `json:"remetente"`
	Recipient fake.Object `json:"destinatario"`
	Content   fake.Object `json:"objetoPostal,omitempty"`
	Weight    string      `json:"pesoInformado,omitempty"`
	Note      string      `json:"observacao,omitempty"`

	created time.Time
	posted  time.Time
}

func createPrepost(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return *bad(c.Request, "PPN-001: Corpo da requisição inválido.")
	}
	if missing := body.Missing("codigoServico", "remetente", "destinatario"); len(missing) > 0 {
		return *bad(c.Request, "PPN-010: Campo obrigatório não informado: "+missing[0])
	}
	if !body.Has("objetoPostal") && !body.Has("pesoInformado") {
		return *bad(c.Request, "PPN-010: Campo obrigatório não informado: objetoPostal ou pesoInformado")
	}
	kind, ok := serviceOf(body.Text("codigoServico"))
	if !ok {
		return *bad(c.Request, "PPN-112: Serviço inexistente: "+body.Text("codigoServico"))
	}
	for _, side := range []string{"remetente", "destinatario"} {
		if refusal := checkParty(c.Request, side, body.Object(side)); refusal != nil {
			return *refusal
		}
	}
	made := &parcel{
		ID: c.Token("PR", fake.Base62, 24), Label: brazil.ParcelLabel(kind.label, c.Token("", fake.Decimal, 8)),
		Service: kind.Code, Situation: situationPreposted, Created: stamp(c.Now), Deadline: stamp(c.Now.AddDate(0, 0, 15)),
		Sender: body.Object("remetente"), Recipient: body.Object("destinatario"), Content: body.Object("objetoPostal"),
		Weight: body.Text("pesoInformado"), Note: body.Text("observacao"), created: c.Now,
	}
	c.State.parcels.Put(made.ID, made)
	c.Effect("prepost.created", made.ID, body.Text("observacao", "numeroNotaFiscal"))
	return fake.OK(made)
}

// checkParty asks for a name and a postal code, in the party or in its endereco.
func checkParty(r *http.Request, side string, party fake.Object) *fake.Answer {
	if !party.Has("nome") {
		return bad(r, "PPN-011: Campo obrigatório não informado: "+side+".nome")
	}
	cep := party.Object("endereco").Text("cep")
	if cep == "" {
		cep = party.Text("cep")
	}
	if _, ok := brazil.FindPlace(cep); !ok {
		return bad(r, "PPN-012: CEP inválido: "+side+".endereco.cep")
	}
	return nil
}

func getPrepost(c *call) fake.Answer {
	found, ok := c.State.parcels.Find(c.Path("id"))
	if !ok {
		return unknownPrepost(c)
	}
	found.travel(c.Now)
	return fake.OK(found)
}

func listPreposts(c *call) fake.Answer {
	query := c.Query()
	agree := func(filter, value string) bool { return filter == "" || filter == value }
	found := c.State.parcels.Newest(func(one *parcel) bool {
		one.travel(c.Now)
		return agree(query.Get("situacao"), one.Situation) && agree(query.Get("status"), one.Situation) &&
			agree(query.Get("id"), one.ID) && agree(query.Get("codigoObjeto"), one.Label)
	})
	size, err := strconv.Atoi(c.Query().Get("size"))
	if err != nil || size < 1 {
		size = 50
	}
	number, _ := strconv.Atoi(c.Query().Get("page"))
	page, more := fake.Page(found, size, number*size)
	return fake.OK(fake.Map{
		"itens": page, "page": fake.Map{"number": number, "size": size, "totalElements": len(found), "next": more},
	})
}

func cancelPrepost(c *call) fake.Answer {
	found, ok := c.State.parcels.Find(c.Path("id"))
	if !ok {
		return unknownPrepost(c)
	}
	found.travel(c.Now)
	if found.Situation != situationPreposted {
		return *bad(c.Request, "PPN-210: A pré-postagem não pode ser cancelada na situação "+found.Situation)
	}
	found.Situation = situationCancelled
	c.Effect("prepost.cancelled", found.ID, found.Note)
	return fake.OK(fake.Map{"id": found.ID, "codigoObjeto": found.Label, "statusCancelamento": situationCancelled, "dataHoraCancelamento": stamp(c.Now)})
}

func unknownPrepost(c *call) fake.Answer {
	return refuse(c.Request, http.StatusNotFound, "PPN-404: Pré-postagem não encontrada: "+c.Path("id"))
}
