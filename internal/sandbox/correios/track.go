package correios

import (
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// How long after its pre-posting a parcel is posted, if nobody posts it before,
// and how long after that it gets somewhere.
const (
	untilPosted    = 24 * time.Hour
	untilMoved     = 12 * time.Hour
	untilDelivered = 48 * time.Hour
)

// noteReturn is the note of a parcel that nobody takes in: it goes back.
const noteReturn = "DEVOLVER"

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
		p.Situation, p.posted = situationPosted, p.created.Add(untilPosted)
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
	var events []fake.Map
	happen := func(code, kind, text string, at time.Time, party fake.Object) {
		if !at.After(now) {
			events = append([]fake.Map{{"codigo": code, "tipo": kind, "dtHrCriado": stamp(at), "descricao": text, "unidade": unit(party)}}, events...)
		}
	}
	happen("PAR", "01", "Etiqueta emitida, aguardando postagem pelo remetente", p.created, p.Sender)
	if p.Situation != situationPosted {
		return events
	}
	happen("PO", "01", "Objeto postado", p.posted, p.Sender)
	happen("RO", "01", "Objeto em transferência - por favor aguarde", p.posted.Add(untilMoved), p.Sender)
	if p.Note == noteReturn {
		happen("BDE", "23", "Objeto devolvido ao remetente", p.posted.Add(untilDelivered), p.Sender)
	} else {
		happen("BDE", "01", "Objeto entregue ao destinatário", p.posted.Add(untilDelivered), p.Recipient)
	}
	return events
}
