package asaas

import (
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type subaccount struct {
	Object   string `json:"object"`
	ID       string `json:"id"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	CPFCNPJ  string `json:"cpfCnpj"`
	WalletID string `json:"walletId"`
	// APIKey is shown once, in the answer to the creation.
	APIKey string `json:"apiKey,omitempty"`
}

func createSubaccount(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	missing := body.Missing("name", "email", "cpfCnpj", "mobilePhone", "incomeValue", "postalCode", "address", "addressNumber", "province")
	taken := c.State.subaccounts.Newest(func(one subaccount) bool { return strings.EqualFold(one.Email, body.Text("email")) })
	switch {
	case len(missing) > 0:
		return invalid("invalid_"+missing[0], "O campo "+missing[0]+" deve ser informado.")
	case !brazil.IsTaxpayer(body.Text("cpfCnpj")):
		return invalid("invalid_cpfCnpj", "O CPF/CNPJ informado é inválido.")
	case brazil.IsCPF(body.Text("cpfCnpj")) && !body.Has("birthDate"):
		return invalid("invalid_birthDate", "A data de nascimento deve ser informada.")
	case brazil.IsCNPJ(body.Text("cpfCnpj")) && !body.Has("companyType"):
		return invalid("invalid_companyType", "O tipo da empresa deve ser informado.")
	case len(taken) > 0:
		return invalid("invalid_email", "O e-mail "+body.Text("email")+" já está em uso.")
	}
	made := subaccount{
		Object: "account", ID: c.UUID("account"), Name: body.Text("name"), Email: body.Text("email"), CPFCNPJ: brazil.Digits(body.Text("cpfCnpj")),
		WalletID: c.UUID("wallet"),
	}
	c.State.subaccounts.Put(made.ID, made)
	c.Effect("subaccount.created", made.ID, "")
	made.APIKey = "$aact_hmlg_" + c.Token("", fake.Base62, 120) + "::" + c.UUID("key")
	return fake.OK(made)
}
