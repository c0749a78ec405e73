package correios

import (
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// How long after its pre-posting a parcel gets somewhere.
const (
	untilPosted    = 24 * time.Hour
	untilDelivered = 72 * time.Hour
)

// maxCodes is how many parcels are tracked at a time.
const maxCodes = 50

func track(c *call) fake.Answer {
	return fake.OK(fake.Map{"versao": "1.0", "quantidade": 1, "objetos": []fake.Map{tracked(c, c.Path("code"))}})
}

func trackBulk(c *call) fake.Answer {
	var codes []string
	for _, value := range append(c.Query()["codigosObjetos"], c.Query()["codes"]...) {
		codes = append(codes, strings.Split(value, ",")...)
	}
	if len(codes) == 0 || len(codes) > maxCodes {
		return *bad(c.Request, "SRO-002: Informe de 1 a 50 códigos de objeto.")
	}
	objects := []fake.Map{}
	for _, code := range codes {
		objects = append(objects, tracked(c, code))
	}
	return fake.OK(fake.Map{"versao": "1.0", "quantidade": len(objects), "objetos": objects})
}

// tracked is a parcel's history. The post says that it does not know a code
// within an answer of 200.
func tracked(c *call, code string) fake.Map {
	found := c.State.parcels.Newest(func(one *parcel) bool { return one.Label == code })
	if len(found) == 0 {
		return fake.Map{"codObjeto": code, "mensagem": "SRO-020: Objeto não encontrado na base de dados dos Correios."}
	}
	found[0].travel(c.Now)
	return fake.Map{"codObjeto": code, "eventos": found[0].history(c.Now)}
}

// travel moves a parcel on by the clock.
func (p *parcel) travel(now time.Time) {
	if p.Situation == situationPreposted && now.Sub(p.created) >= untilPosted {
		p.Situation = situationPosted
	}
}

// history lists a parcel's events, newest first.
func (p *parcel) history(now time.Time) []fake.Map {
	unit := func(party fake.Object) fake.Map {
		cep := party.Object("endereco").Text("cep")
		if cep == "" {
			cep = party.Text("cep")
		}
		place, _ := brazil.FindPlace(cep)
		return fake.Map{"tipo": "Agência dos Correios", "endereco": fake.Map{"cidade": place.City, "uf": place.UF}}
	}
	event := func(code, text string, at time.Time, party fake.Object) fake.Map {
		return fake.Map{"codigo": code, "tipo": "01", "dtHrCriado": stamp(at), "descricao": text, "unidade": unit(party)}
	}
	events := []fake.Map{event("PAR", "Etiqueta emitida, aguardando postagem pelo remetente", p.created, p.Sender)}
	if p.Situation != situationPosted {
		return events
	}
	events = append([]fake.Map{event("PO", "Objeto postado", p.created.Add(untilPosted), p.Sender)}, events...)
	if now.Sub(p.created) >= untilDelivered {
		events = append([]fake.Map{event("BDE", "Objeto entregue ao destinatário", p.created.Add(untilDelivered), p.Recipient)}, events...)
	}
	return events
}
