package brazil

import "strings"

// Place is what a postal code stands for.
type Place struct {
	CEP      string // eight digits
	Street   string
	District string
	City     string
	UF       string // the state, two letters
	IBGE     string // the city's number at the statistics office
}

// ParseCEP returns the eight digits of a postal code, "01310-100" or "01310100".
func ParseCEP(text string) (string, error) {
	trimmed := strings.TrimSpace(text)
	digits := Digits(trimmed)
	if len(digits) != 8 || len(trimmed) > 9 {
		return "", ErrMalformed
	}
	return digits, nil
}

// FindPlace returns the place of a postal code; false for one that is not in
// use. Codes below 01000-000 are not.
func FindPlace(cep string) (Place, bool) {
	digits, err := ParseCEP(cep)
	if err != nil || digits < "01000000" {
		return Place{}, false
	}
	for _, place := range landmarks() {
		if place.CEP == digits {
			return place, true
		}
	}
	for _, region := range regions() {
		if digits <= region.last {
			return Place{
				CEP: digits, Street: "Rua " + digits[5:], District: "Centro",
				City: region.city, UF: region.uf, IBGE: region.ibge,
			}, true
		}
	}
	return Place{}, false
}

// Distance is a rough measure between two postal codes, 0 to 9, from which
// prices and delivery times follow.
func Distance(from, to string) int {
	if from == "" || to == "" {
		return 0
	}
	d := int(from[0]) - int(to[0])
	return max(d, -d)
}

func landmarks() []Place {
	return []Place{
		{CEP: "01001000", Street: "Praça da Sé", District: "Sé", City: "São Paulo", UF: "SP", IBGE: "3550308"},
		{CEP: "01310100", Street: "Avenida Paulista", District: "Bela Vista", City: "São Paulo", UF: "SP", IBGE: "3550308"},
		{CEP: "20040020", Street: "Praça Floriano", District: "Centro", City: "Rio de Janeiro", UF: "RJ", IBGE: "3304557"},
		{CEP: "30130010", Street: "Praça Sete de Setembro", District: "Centro", City: "Belo Horizonte", UF: "MG", IBGE: "3106200"},
		{CEP: "80010000", Street: "Praça Rui Barbosa", District: "Centro", City: "Curitiba", UF: "PR", IBGE: "4106902"},
		{CEP: "90010150", Street: "Rua dos Andradas", District: "Centro Histórico", City: "Porto Alegre", UF: "RS", IBGE: "4314902"},
	}
}

// region is the capital that stands for every code up to last.
type region struct{ last, city, uf, ibge string }

func regions() []region {
	return []region{
		{"19999999", "São Paulo", "SP", "3550308"},
		{"28999999", "Rio de Janeiro", "RJ", "3304557"},
		{"29999999", "Vitória", "ES", "3205309"},
		{"39999999", "Belo Horizonte", "MG", "3106200"},
		{"48999999", "Salvador", "BA", "2927408"},
		{"49999999", "Aracaju", "SE", "2800308"},
		{"56999999", "Recife", "PE", "2611606"},
		{"57999999", "Maceió", "AL", "2704302"},
		{"58999999", "João Pessoa", "PB", "2507507"},
		{"59999999", "Natal", "RN", "2408102"},
		{"63999999", "Fortaleza", "CE", "2304400"},
		{"64999999", "Teresina", "PI", "2211001"},
		{"65999999", "São Luís", "MA", "2111300"},
		{"68899999", "Belém", "PA", "1501402"},
		{"68999999", "Macapá", "AP", "1600303"},
		{"69999999", "Manaus", "AM", "1302603"},
		{"73699999", "Brasília", "DF", "5300108"},
		{"76799999", "Goiânia", "GO", "5208707"},
		{"76999999", "Porto Velho", "RO", "1100205"},
		{"77999999", "Palmas", "TO", "1721000"},
		{"78899999", "Cuiabá", "MT", "5103403"},
		{"79999999", "Campo Grande", "MS", "5002704"},
		{"87999999", "Curitiba", "PR", "4106902"},
		{"89999999", "Florianópolis", "SC", "4205407"},
		{"99999999", "Porto Alegre", "RS", "4314902"},
	}
}
