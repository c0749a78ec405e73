package correios

import (
	"net/http"
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// service is a way to send a parcel.
type service struct {
	Code  string `json:"codigo"`
	Name  string `json:"descricao"`
	label string // the letters of its tracking codes
	base  brazil.Cents
	step  brazil.Cents // for each kilogram and each zone
	days  int
}

func services() []service {
	return []service{
		{Code: "03220", Name: "SEDEX CONTRATO AG", label: "AA", base: 2290, step: 610, days: 1},
		{Code: "03298", Name: "PAC CONTRATO AG", label: "AB", base: 1590, step: 340, days: 4},
		{Code: "04227", Name: "CORREIOS MINI ENVIOS CTR AG", label: "AC", base: 990, step: 210, days: 6},
	}
}

func serviceOf(code string) (service, bool) {
	for _, one := range services() {
		if one.Code == code {
			return one, true
		}
	}
	return service{}, false
}

func listServices(*call) fake.Answer { return fake.OK(fake.Map{"itens": services()}) }

// price answers the contract's own form, a lot of products, and the simple
// one that agents know: one parcel, by some or all services.
func price(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return refuse(c.Request, http.StatusBadRequest, "PRC-001: Corpo da requisição inválido.")
	}
	products := body.Objects("parametrosProduto")
	if len(products) == 0 {
		codes := body.Texts("servicos")
		if len(codes) == 0 {
			codes = []string{services()[0].Code, services()[1].Code}
		}
		for _, code := range codes {
			products = append(products, fake.Object{
				"coProduto": code, "cepOrigem": body.Text("cepOrigem"), "cepDestino": body.Text("cepDestino"), "psObjeto": body.Text("peso"),
			})
		}
	}
	quotes := []fake.Map{}
	for i, product := range products {
		quote, refusal := quoted(c.Request, product)
		if refusal != nil {
			return *refusal
		}
		quote["nuRequisicao"] = strconv.Itoa(i + 1)
		quotes = append(quotes, quote)
	}
	return fake.OK(quotes)
}

func quoted(r *http.Request, product fake.Object) (fake.Map, *fake.Answer) {
	kind, ok := serviceOf(product.Text("coProduto"))
	if !ok {
		return nil, bad(r, "PRC-112: Serviço inexistente: "+product.Text("coProduto"))
	}
	from, to, refusal := route(r, product.Text("cepOrigem"), product.Text("cepDestino"))
	if refusal != nil {
		return nil, refusal
	}
	grams, err := strconv.ParseFloat(product.Text("psObjeto"), 64)
	if err != nil || !(grams > 0 && grams <= 30_000) { // Not a number is refused too.
		return nil, bad(r, "PRC-120: O peso deve estar entre 1 e 30000 gramas.")
	}
	kilograms := int(grams/1000) + 1
	amount := kind.base + kind.step*brazil.Cents(kilograms+brazil.Distance(from.CEP, to.CEP))
	return fake.Map{
		"coProduto": kind.Code, "noProduto": kind.Name, "pcBase": amount.Comma(), "pcFinal": amount.Comma(), "psCobrado": product.Text("psObjeto"),
	}, nil
}

func deliveryTime(c *call) fake.Answer {
	kind, ok := serviceOf(c.Path("service"))
	if !ok {
		return *bad(c.Request, "PRZ-101: Serviço inexistente: "+c.Path("service"))
	}
	from, to, refusal := route(c.Request, c.Query().Get("cepOrigem"), c.Query().Get("cepDestino"))
	if refusal != nil {
		return *refusal
	}
	days := kind.days + brazil.Distance(from.CEP, to.CEP)
	return fake.OK(fake.Map{
		"coProduto": kind.Code, "prazoEntrega": days, "dataMaxima": stamp(c.Now.AddDate(0, 0, days)),
		"entregaDomiciliar": "S", "entregaSabado": "N",
	})
}

// route checks both ends.
func route(r *http.Request, from, to string) (origin, destination brazil.Place, refusal *fake.Answer) {
	origin, ok := brazil.FindPlace(from)
	if !ok {
		return origin, destination, bad(r, "PRC-131: CEP de origem inválido: "+from)
	}
	destination, ok = brazil.FindPlace(to)
	if !ok {
		return origin, destination, bad(r, "PRC-132: CEP de destino inválido: "+to)
	}
	return origin, destination, nil
}

func bad(r *http.Request, message string) *fake.Answer {
	answer := refuse(r, http.StatusBadRequest, message)
	return &answer
}
