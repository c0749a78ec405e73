package planner

import (
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
)

// Service codes of the post.
const (
	servicePAC   = "03298"
	serviceSEDEX = "03220"
)

// The parcel that stands in when the caller says nothing of it, in centimetres.
const (
	parcelHeight = 10
	parcelWidth  = 15
	parcelLength = 20
)

func needsCEP(d *desk) string {
	if d.order.to == "" {
		return "the CEP to ship to, such as 01310-100"
	}
	return ""
}

func shipRecipes() []recipe {
	correiosQuote := []step{
		{tool: "correios__calculate_shipping", optional: true, arguments: correiosPrice},
		{tool: "correios__get_delivery_time", optional: true, arguments: correiosTime},
	}
	melhorQuote := []step{{tool: "melhor-envio__calculate_shipping", arguments: melhorRoute}}
	return []recipe{
		{intent: intentShip, words: []string{"correios", "sedex", "pac"}, needs: needsCEP, stages: [][]step{
			correiosQuote,
			{{tool: "correios__create_prepost", arguments: correiosPrepost}},
		}},
		{intent: intentShip, words: []string{"melhor envio", "jadlog"}, needs: needsCEP, stages: [][]step{
			melhorQuote,
			{{tool: "melhor-envio__create_shipment", arguments: melhorOrder}},
			{{tool: "melhor-envio__checkout_cart", arguments: melhorOrders}},
			{{tool: "melhor-envio__generate_label", arguments: melhorOrders}},
		}},
		{intent: intentQuote, words: []string{"correios"}, needs: needsCEP, stages: [][]step{{
			{tool: "correios__calculate_shipping", arguments: correiosPrice},
			correiosQuote[1],
		}}},
		{intent: intentQuote, words: []string{"melhor envio"}, needs: needsCEP, stages: [][]step{melhorQuote}},
	}
}

func (d *desk) service() string {
	if d.says("sedex", "express") {
		return serviceSEDEX
	}
	return servicePAC
}

func correiosPrice(d *desk) object {
	return object{
		"cepOrigem": d.sender().place.CEP, "cepDestino": d.recipient().place.CEP, "peso": d.order.grams,
		"altura": parcelHeight, "largura": parcelWidth, "comprimento": parcelLength,
	}
}

func correiosTime(d *desk) object {
	return object{"codigoServico": d.service(), "cepOrigem": d.sender().place.CEP, "cepDestino": d.recipient().place.CEP}
}

func correiosPrepost(d *desk) object {
	o := objectBuilder{
		"codigoServico": d.service(), "remetente": correiosParty(d.sender()), "destinatario": correiosParty(d.recipient()),
		"objetoPostal": object{"peso": d.order.grams, "altura": parcelHeight, "largura": parcelWidth, "comprimento": parcelLength},
	}
	return object(o.put("observacao", d.order.reference))
}

func correiosParty(p party) object {
	o := objectBuilder{"nome": p.name, "cpfCnpj": p.taxpayer, "endereco": object{
		"cep": p.place.CEP, "logradouro": p.place.Street, "numero": houseNumber, "bairro": p.place.District, "cidade": p.place.City, "uf": p.place.UF,
	}}
	return object(o.put("email", p.email).put("telefone", p.phone))
}

func melhorRoute(d *desk) object {
	return object{
		"from": object{"postal_code": d.sender().place.CEP}, "to": object{"postal_code": d.recipient().place.CEP},
		"products": []any{melhorProduct(d)},
	}
}

func melhorProduct(d *desk) object {
	return object{
		"id": "1", "name": "Item", "quantity": 1, "unitary_value": value(d), "insurance_value": value(d), "weight": kilograms(d),
		"height": parcelHeight, "width": parcelWidth, "length": parcelLength,
	}
}

// value is what the goods are worth, one real when nobody says.
func value(d *desk) brazil.Cents { return max(d.order.amount, 100) }

func kilograms(d *desk) brazil.Cents { return brazil.Cents(max(d.order.grams/10, 1)) }

func melhorOrder(d *desk) object {
	service := cheapest(d.made["melhor-envio__calculate_shipping"].Output)
	if service == 0 {
		return nil
	}
	return object{
		"service": service, "from": melhorParty(d.sender()), "to": melhorParty(d.recipient()), "products": []any{melhorProduct(d)},
		"volumes": []any{object{"height": parcelHeight, "width": parcelWidth, "length": parcelLength, "weight": kilograms(d)}},
	}
}

// cheapest is the number of the service with the lowest price; 0 when there is none.
func cheapest(output string) int {
	_, quotes := read(output)
	service, lowest := 0, brazil.Cents(0)
	for _, quote := range quotes {
		id, err := strconv.Atoi(quote.Text("id"))
		price, ok := quote.Cents("price")
		if err == nil && ok && (service == 0 || price < lowest) {
			service, lowest = id, price
		}
	}
	return service
}

func melhorParty(p party) object {
	o := objectBuilder{
		"name": p.name, "address": p.place.Street, "number": houseNumber, "district": p.place.District,
		"city": p.place.City, "state_abbr": p.place.UF, "postal_code": p.place.CEP, "country_id": "BR",
	}
	document := "document"
	if len(p.taxpayer) == lengthCNPJ {
		document = "company_document"
	}
	return object(o.put(document, p.taxpayer).put("email", p.email).put("phone", p.phone))
}

func melhorOrders(d *desk) object {
	id := d.id("melhor-envio__create_shipment")
	if id == "" {
		return nil
	}
	return object{"orders": []any{id}}
}
