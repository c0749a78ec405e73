package planner

import (
	"encoding/json"
	"strings"
	"time"
)

// houseNumber stands in for one that nobody told.
const houseNumber = "100"

// known is what the order says about a field of this name, for fields that the
// book does not fill; nil when it says nothing. Under is the field around it,
// which tells the sender from the recipient.
func (d *desk) known(name, under string, whole bool) any {
	name = plain(name)
	if found := d.knownOfOrder(name, whole); found != nil {
		return found
	}
	who := d.recipient()
	switch plain(under) {
	case "from", "remetente", "sender", "emitente", "prestador", "emit":
		who = d.sender()
	}
	return who.known(name)
}

func (d *desk) knownOfOrder(name string, whole bool) any {
	switch name {
	case "amount", "value", "valor", "price", "total", "unitamount":
		if d.order.amount == 0 {
			return nil
		}
		if whole { // A whole number of money is one of minor units.
			return int64(d.order.amount)
		}
		return d.order.amount
	case "currency", "moeda":
		return "brl"
	case "description", "descricao":
		return d.described()
	case "reference", "referencia", "externalreference":
		return orNil(d.order.reference)
	case "message", "text", "body", "mensagem":
		return d.described()
	case "duedate", "vencimento", "date", "data":
		return d.turn.Today.AddDate(0, 0, dueDays).Format(time.DateOnly)
	case "ceporigem", "origin":
		return d.sender().place.CEP
	case "cepdestino", "destination":
		return d.recipient().place.CEP
	case "peso", "weight":
		return d.order.grams
	case "quantity", "quantidade":
		return json.Number("1")
	case "id", "code":
		return orNil(anyMention(d))
	}
	return nil
}

func (p party) known(name string) any {
	switch name {
	case "name", "nome", "razaosocial", "nomerazaosocial", "xnome":
		return p.name
	case "cpfcnpj", "cpf", "cnpj", "document", "taxid":
		return p.taxpayer
	case "email":
		return orNil(p.email)
	case "phone", "telefone", "celular", "mobilephone", "to":
		return orNil(p.phone)
	case "cep", "postalcode", "zip":
		return p.place.CEP
	case "address", "logradouro", "street", "endereco":
		return p.place.Street
	case "number", "numero", "addressnumber":
		return houseNumber
	case "district", "bairro", "province":
		return p.place.District
	case "city", "cidade", "municipio", "localidade":
		return p.place.City
	case "codigomunicipio", "ibge":
		return p.place.IBGE
	case "uf", "stateabbr", "state", "estado":
		return p.place.UF
	case "country", "countryid", "pais":
		return "BR"
	}
	return nil
}

func plain(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}

func orNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// declares reports whether a tool's schema names a parameter.
func (d *desk) declares(tool, parameter string) bool {
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(d.tools[tool].Parameters, &schema); err != nil {
		return false
	}
	_, declared := schema.Properties[parameter]
	return declared
}
