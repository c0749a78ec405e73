package melhorenvio

import (
	"net/http"
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// store is one of the account's; it has one from the start.
type store struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Document  string `json:"document"`
	CreatedAt string `json:"created_at"`

	addresses []fake.Object
}

// stores opens the account's store when it is first looked for.
func stores(c *call) []*store {
	all := func(*store) bool { return true }
	if len(c.State.stores.Newest(all)) == 0 {
		first := &store{ID: c.UUID("store"), Name: "Loja " + c.Tenant, Document: brazil.CNPJ(c.Tenant), CreatedAt: stamp(c.Now)}
		c.State.stores.Put(first.ID, first)
	}
	return c.State.stores.Newest(all)
}

func listStores(c *call) fake.Answer {
	found := stores(c)
	return fake.OK(fake.Map{"current_page": 1, "data": found, "total": len(found)})
}

func createAddress(c *call) fake.Answer {
	stores(c)
	of, ok := c.State.stores.Find(c.Path("id"))
	if !ok {
		return refuse(http.StatusNotFound, "Loja não encontrada.")
	}
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	faults := body.Missing("postal_code", "address", "number", "city", "state")
	if _, known := brazil.FindPlace(body.Text("postal_code")); !known && body.Has("postal_code") {
		faults = append(faults, "postal_code")
	}
	if len(faults) > 0 {
		return *invalid(faults...)
	}
	body["id"] = c.UUID("address")
	of.addresses = append(of.addresses, body)
	c.Effect("address.created", body.Text("id"), "")
	return fake.Created(body)
}

func listAddresses(c *call) fake.Answer {
	stores(c)
	of, ok := c.State.stores.Find(c.Path("id"))
	if !ok {
		return refuse(http.StatusNotFound, "Loja não encontrada.")
	}
	return fake.OK(fake.Map{"data": of.addresses, "total": len(of.addresses)})
}

// agency is a place where a carrier takes parcels.
type agency struct {
	ID      int           `json:"id"`
	Name    string        `json:"name"`
	Company company       `json:"company"`
	Address agencyAddress `json:"address"`
}

type agencyAddress struct {
	Address    string `json:"address"`
	PostalCode string `json:"postal_code"`
	City       string `json:"city"`
	State      string `json:"state_abbr"`
}

func agencies() []agency {
	var all []agency
	for _, cep := range []string{"01310100", "20040020", "30130010", "80010000", "90010150"} {
		place, _ := brazil.FindPlace(cep)
		for _, carrier := range []company{{1, "Correios"}, {2, "Jadlog"}} {
			all = append(all, agency{
				ID: len(all) + 1, Name: "AG " + carrier.Name + " " + place.District, Company: carrier,
				Address: agencyAddress{Address: place.Street, PostalCode: place.CEP, City: place.City, State: place.UF},
			})
		}
	}
	return all
}

// listAgencies filters by carrier and place, and takes no notice of a service.
func listAgencies(c *call) fake.Answer {
	query := c.Query()
	agree := func(name, value string) bool { return query.Get(name) == "" || query.Get(name) == value }
	found := []agency{}
	for _, one := range agencies() {
		if agree("company", strconv.Itoa(one.Company.ID)) && agree("country", "BR") && agree("state", one.Address.State) && agree("city", one.Address.City) {
			found = append(found, one)
		}
	}
	return fake.OK(found)
}
