package correios

import (
	"net/http"
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// maxRange is how many labels one order takes.
const maxRange = 1000

// buyRange hands out tracking codes, the first and the last of a row.
func buyRange(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return *bad(c.Request, "ETQ-001: Corpo da requisição inválido.")
	}
	kind, ok := serviceOf(body.Text("codigoServico"))
	if !ok {
		return *bad(c.Request, "ETQ-112: Serviço inexistente: "+body.Text("codigoServico"))
	}
	count, err := strconv.Atoi(body.Text("quantidade"))
	if err != nil || count < 1 || count > maxRange {
		return *bad(c.Request, "ETQ-020: A quantidade deve estar entre 1 e 1000.")
	}
	serial, _ := strconv.Atoi(c.Token("", fake.Decimal, 7))
	first := brazil.ParcelLabel(kind.label, strconv.Itoa(serial))
	last := brazil.ParcelLabel(kind.label, strconv.Itoa(serial+count-1))
	c.Effect("labels.bought", first, "")
	return fake.Created(fake.Map{"codigoServico": kind.Code, "quantidade": count, "etiquetaInicial": first, "etiquetaFinal": last})
}

// postObjects closes a posting, of all parcels or of none.
func postObjects(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil || !body.Has("idsPrepostagem") {
		return *bad(c.Request, "PPN-010: Campo obrigatório não informado: idsPrepostagem")
	}
	if card := body.Text("cartaoPostagem"); card != "" && card != c.Fields["posting_card"] {
		return *bad(c.Request, "PPN-030: Cartão de postagem inválido.")
	}
	var parcels []*parcel
	for _, id := range body.Texts("idsPrepostagem") {
		found, ok := c.State.parcels.Find(id)
		if !ok {
			return refuse(c.Request, http.StatusNotFound, "PPN-404: Pré-postagem não encontrada: "+id)
		}
		if found.Situation != situationPreposted {
			return *bad(c.Request, "PPN-211: A pré-postagem não pode ser postada na situação "+found.Situation)
		}
		parcels = append(parcels, found)
	}
	codes := make([]string, 0, len(parcels))
	for _, one := range parcels {
		one.Situation, one.posted = situationPosted, c.Now
		codes = append(codes, one.Label)
		c.Effect("prepost.posted", one.ID, one.Note)
	}
	return fake.OK(fake.Map{"numeroPostagem": c.Token("", fake.Decimal, 9), "dataHora": stamp(c.Now), "objetos": codes})
}

// cepRanges are those of a service from a postal code: all of the country.
func cepRanges(c *call) fake.Answer {
	kind, ok := serviceOf(c.Path("service"))
	if !ok {
		return *bad(c.Request, "PRC-112: Serviço inexistente: "+c.Path("service"))
	}
	ranges := []fake.Map{
		{"cepInicial": "01000000", "cepFinal": "39999999", "descricao": "Sudeste"},
		{"cepInicial": "40000000", "cepFinal": "65999999", "descricao": "Nordeste"},
		{"cepInicial": "66000000", "cepFinal": "79999999", "descricao": "Norte e Centro-Oeste"},
		{"cepInicial": "80000000", "cepFinal": "99999999", "descricao": "Sul"},
	}
	return fake.OK(fake.Map{"codigo": kind.Code, "itens": ranges})
}

func deliveryModality(c *call) fake.Answer {
	kind, ok := serviceOf(c.Path("service"))
	if !ok {
		return *bad(c.Request, "PRZ-101: Serviço inexistente: "+c.Path("service"))
	}
	place, ok := brazil.FindPlace(c.Query().Get("cep"))
	if !ok {
		return *bad(c.Request, "PRZ-132: CEP inválido: "+c.Query().Get("cep"))
	}
	return fake.OK(fake.Map{"coProduto": kind.Code, "cep": place.CEP, "formaEntrega": "DOMICILIAR", "entregaDomiciliar": "S"})
}
