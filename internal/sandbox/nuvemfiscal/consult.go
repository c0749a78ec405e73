package nuvemfiscal

import (
	"net/http"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

func consultCEP(c *call) fake.Answer {
	if _, err := brazil.ParseCEP(c.Path("cep")); err != nil {
		return invalid("cep: deve ter 8 dígitos.")
	}
	place, ok := brazil.FindPlace(c.Path("cep"))
	if !ok {
		return notFound("cep", c.Path("cep"))
	}
	kind, street, _ := strings.Cut(place.Street, " ")
	return fake.OK(fake.Map{
		"cep": place.CEP, "codigo_ibge": place.IBGE, "municipio": place.City, "uf": place.UF,
		"tipo_logradouro": kind, "logradouro": street, "bairro": place.District,
	})
}

// consultCNPJ knows every company whose number is right.
func consultCNPJ(c *call) fake.Answer {
	if !brazil.IsCNPJ(c.Path("cnpj")) {
		return invalid("cnpj: inválido.")
	}
	cnpj := brazil.Digits(c.Path("cnpj"))
	return fake.OK(fake.Map{
		"cnpj": cnpj, "razao_social": "EMPRESA " + cnpj[:8] + " LTDA", "nome_fantasia": "EMPRESA " + cnpj[:4], "matriz": cnpj[8:12] == "0001",
		"data_inicio_atividade": "2015-03-02", "situacao_cadastral": fake.Map{"codigo": "02", "descricao": "Ativa"},
		"endereco": fake.Map{"cep": "01310100", "logradouro": "PAULISTA", "bairro": "BELA VISTA", "uf": "SP", "municipio": fake.Map{"codigo_ibge": "3550308", "descricao": "São Paulo"}},
	})
}

func registerCompany(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return invalid("O corpo da requisição não é um objeto JSON.")
	}
	if missing := body.Missing("cpf_cnpj", "nome_razao_social"); len(missing) > 0 {
		return invalid("Campo obrigatório não informado: " + strings.Join(missing, ", "))
	}
	if !brazil.IsTaxpayer(body.Text("cpf_cnpj")) {
		return invalid("cpf_cnpj: inválido.")
	}
	id := brazil.Digits(body.Text("cpf_cnpj"))
	if _, there := c.State.companies.Find(id); there {
		return refuse(http.StatusBadRequest, "EmpresaAlreadyExists", "A empresa já está cadastrada: "+id)
	}
	body["cpf_cnpj"], body["created_at"] = id, c.Now
	c.State.companies.Put(id, body)
	c.Effect("empresa.created", id, "")
	return fake.OK(body)
}

func listCompanies(c *call) fake.Answer {
	id := brazil.Digits(c.Query().Get("cpf_cnpj"))
	found := c.State.companies.Newest(func(one fake.Object) bool { return id == "" || one.Text("cpf_cnpj") == id })
	return listed(c, found)
}
