package asaas

import (
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type customer struct {
	Object            string `json:"object"`
	ID                string `json:"id"`
	DateCreated       string `json:"dateCreated"`
	Name              string `json:"name"`
	Email             string `json:"email,omitempty"`
	Phone             string `json:"phone,omitempty"`
	MobilePhone       string `json:"mobilePhone,omitempty"`
	CPFCNPJ           string `json:"cpfCnpj"`
	PersonType        string `json:"personType"`
	ExternalReference string `json:"externalReference,omitempty"`
	Deleted           bool   `json:"deleted"`
}

func createCustomer(c *call) fake.Answer {
	body, err := c.Object()
	switch {
	case err != nil:
		return unreadable()
	case !body.Has("name"):
		return invalid("invalid_name", "O nome do cliente deve ser informado.")
	case !body.Has("cpfCnpj"):
		return invalid("invalid_cpfCnpj", "O CPF ou CNPJ do cliente deve ser informado.")
	case !brazil.IsTaxpayer(body.Text("cpfCnpj")):
		return invalid("invalid_cpfCnpj", "O CPF/CNPJ informado é inválido.")
	case body.Has("email") && !strings.Contains(body.Text("email"), "@"):
		return invalid("invalid_email", "O e-mail informado é inválido.")
	}
	made := &customer{
		Object: "customer", ID: c.Token("cus_", fake.Decimal, 12), DateCreated: day(c.Now), Name: body.Text("name"), Email: body.Text("email"),
		Phone: body.Text("phone"), MobilePhone: body.Text("mobilePhone"), CPFCNPJ: brazil.Digits(body.Text("cpfCnpj")),
		PersonType: "FISICA", ExternalReference: body.Text("externalReference"),
	}
	if brazil.IsCNPJ(made.CPFCNPJ) {
		made.PersonType = "JURIDICA"
	}
	c.State.customers.Put(made.ID, made)
	c.Effect("customer.created", made.ID, made.ExternalReference)
	return fake.OK(made)
}

func getCustomer(c *call) fake.Answer {
	found, ok := c.State.customers.Find(c.Path("id"))
	if !ok {
		return absent()
	}
	return fake.OK(found)
}

func listCustomers(c *call) fake.Answer {
	query := c.Query()
	return listed(c, c.State.customers.Newest(func(one *customer) bool {
		return strings.Contains(strings.ToLower(one.Name), strings.ToLower(query.Get("name"))) &&
			agree(brazil.Digits(query.Get("cpfCnpj")), one.CPFCNPJ) && agree(query.Get("email"), one.Email) &&
			agree(query.Get("externalReference"), one.ExternalReference)
	}))
}
