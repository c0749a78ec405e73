package correios

import (
	"net/http"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// maxCEPs is how many codes one look-up takes.
const maxCEPs = 20

func findCEP(c *call) fake.Answer {
	if _, err := brazil.ParseCEP(c.Path("cep")); err != nil {
		return *bad(c.Request, "CEP-003: O CEP deve ter 8 dígitos: "+c.Path("cep"))
	}
	place, ok := brazil.FindPlace(c.Path("cep"))
	if !ok {
		return refuse(c.Request, http.StatusNotFound, "CEP-001: CEP não encontrado: "+c.Path("cep"))
	}
	return fake.OK(address(place))
}

// searchCEPs finds streets by their names, in the few places that the sandbox knows.
func searchCEPs(c *call) fake.Answer {
	query := c.Query()
	found := []fake.Map{}
	for _, cep := range []string{"01001000", "01310100", "20040020", "30130010", "80010000", "90010150"} {
		place, _ := brazil.FindPlace(cep)
		street := strings.Contains(strings.ToLower(place.Street), strings.ToLower(query.Get("logradouro")))
		town := query.Get("localidade") == "" || strings.EqualFold(place.City, query.Get("localidade"))
		if street && town && (query.Get("uf") == "" || place.UF == query.Get("uf")) {
			found = append(found, address(place))
		}
	}
	return fake.OK(fake.Map{"itens": found})
}

func findCEPs(c *call) fake.Answer {
	if c.Query().Has("logradouro") {
		return searchCEPs(c)
	}
	var codes []string
	for _, value := range append(c.Query()["cep"], c.Query()["ceps"]...) {
		codes = append(codes, strings.Split(value, ",")...)
	}
	if len(codes) == 0 || len(codes) > maxCEPs {
		return *bad(c.Request, "CEP-005: Informe de 1 a 20 CEPs.")
	}
	found := []fake.Map{}
	for _, code := range codes {
		if place, ok := brazil.FindPlace(code); ok {
			found = append(found, address(place))
		}
	}
	return fake.OK(fake.Map{"itens": found})
}

func address(place brazil.Place) fake.Map {
	return fake.Map{
		"cep": place.CEP, "uf": place.UF, "localidade": place.City, "logradouro": place.Street, "bairro": place.District,
		"tipoCEP": 2, "numeroLocalidade": place.IBGE,
	}
}
