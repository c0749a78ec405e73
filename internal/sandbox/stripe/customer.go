package stripe

import (
	"maps"
	"net/http"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type customer struct {
	ID          string            `json:"id"`
	Object      string            `json:"object"`
	Address     map[string]string `json:"address"`
	Created     int64             `json:"created"`
	Description *string           `json:"description"`
	Email       *string           `json:"email"`
	Livemode    bool              `json:"livemode"`
	Metadata    map[string]string `json:"metadata"`
	Name        *string           `json:"name"`
	Phone       *string           `json:"phone"`
	Shipping    map[string]string `json:"shipping"`
}

func customerParams() []string {
	return []string{"email", "name", "phone", "description", "address", "shipping", "payment_method", "invoice_settings", "metadata"}
}

func createCustomer(c *call) fake.Answer {
	f, refusal := read(c, customerParams()...)
	if refusal != nil {
		return *refusal
	}
	made := &customer{Object: "customer", Created: c.Now.Unix(), Metadata: map[string]string{}}
	if refusal := made.take(f); refusal != nil {
		return *refusal
	}
	made.ID = c.Token("cus_", fake.Base62, 14)
	c.State.customers.Put(made.ID, made)
	c.Effect("customer.created", made.ID, reference(made.Metadata))
	return fake.OK(made)
}

func updateCustomer(c *call) fake.Answer {
	f, refusal := read(c, customerParams()...)
	if refusal != nil {
		return *refusal
	}
	found, ok := c.State.customers.Find(c.Path("id"))
	if !ok {
		return absent(http.StatusNotFound, "customer", "id", c.Path("id"))
	}
	if refusal := found.take(f); refusal != nil {
		return *refusal
	}
	c.Effect("customer.updated", found.ID, reference(found.Metadata))
	return fake.OK(found)
}

func retrieveCustomer(c *call) fake.Answer {
	found, ok := c.State.customers.Find(c.Path("id"))
	if !ok {
		return absent(http.StatusNotFound, "customer", "id", c.Path("id"))
	}
	return fake.OK(found)
}

func listCustomers(c *call) fake.Answer {
	f, refusal := read(c, "email", "created", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.customers.Newest(func(one *customer) bool {
		return f.text("email") == "" || one.Email != nil && agree(f.text("email"), *one.Email)
	})
	return listed(c, f, found, func(one *customer) string { return one.ID })
}

// take writes what a form says into the customer.
func (u *customer) take(f form) *fake.Answer {
	if email := f.text("email"); email != "" && !strings.Contains(email, "@") {
		return invalid(fault{Code: "email_invalid", Param: "email", Message: "Invalid email address: " + email})
	}
	for name, field := range map[string]**string{
		"email": &u.Email, "name": &u.Name, "phone": &u.Phone, "description": &u.Description,
	} {
		if text := f.text(name); text != "" {
			*field = &text
		}
	}
	if address := f.pairs("address"); len(address) > 0 {
		u.Address = address
	}
	if shipping := f.pairs("shipping"); len(shipping) > 0 {
		u.Shipping = shipping
	}
	maps.Copy(u.Metadata, f.pairs("metadata"))
	return nil
}
