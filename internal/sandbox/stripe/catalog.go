package stripe

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type product struct {
	ID           string            `json:"id"`
	Object       string            `json:"object"`
	Active       bool              `json:"active"`
	Created      int64             `json:"created"`
	DefaultPrice *string           `json:"default_price"`
	Description  *string           `json:"description"`
	Images       []string          `json:"images"`
	Livemode     bool              `json:"livemode"`
	Metadata     map[string]string `json:"metadata"`
	Name         string            `json:"name"`
	TaxCode      *string           `json:"tax_code"`
	UnitLabel    *string           `json:"unit_label"`
	URL          *string           `json:"url"`
}

type price struct {
	ID                string            `json:"id"`
	Object            string            `json:"object"`
	Active            bool              `json:"active"`
	Created           int64             `json:"created"`
	Currency          string            `json:"currency"`
	Livemode          bool              `json:"livemode"`
	Metadata          map[string]string `json:"metadata"`
	Nickname          *string           `json:"nickname"`
	Product           string            `json:"product"`
	Recurring         map[string]string `json:"recurring"`
	TaxBehavior       string            `json:"tax_behavior"`
	Type              string            `json:"type"`
	UnitAmount        *int64            `json:"unit_amount"`
	UnitAmountDecimal string            `json:"unit_amount_decimal"`
}

func createProduct(c *call) fake.Answer {
	f, refusal := read(c, "name", "description", "active", "default_price_data", "images", "tax_code", "unit_label", "url", "metadata")
	if refusal != nil {
		return *refusal
	}
	if f.text("name") == "" {
		return *missing("name")
	}
	made := newProduct(c, f, "")
	if len(f.pairs("default_price_data")) > 0 {
		one, refusal := newPrice(c, f.under("default_price_data"), made.ID)
		if refusal != nil {
			return *refusal
		}
		c.State.prices.Put(one.ID, one)
		made.DefaultPrice = &one.ID
	}
	c.State.products.Put(made.ID, made)
	c.Effect("product.created", made.ID, reference(made.Metadata))
	return fake.OK(made)
}

// newProduct reads a product from the fields below a name.
func newProduct(c *call, f form, below string) *product {
	if below != "" {
		f = f.under(below)
	}
	images := f.texts("images")
	if images == nil {
		images = []string{}
	}
	return &product{
		ID: c.Token("prod_", fake.Base62, 14), Object: "product", Active: f.text("active") != "false", Created: c.Now.Unix(), Name: f.text("name"),
		Description: optional(f.text("description")), Images: images, Metadata: f.pairs("metadata"), TaxCode: optional(f.text("tax_code")),
		UnitLabel: optional(f.text("unit_label")), URL: optional(f.text("url")),
	}
}

func listProducts(c *call) fake.Answer {
	f, refusal := read(c, "active", "ids", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	wanted := map[string]bool{}
	for _, id := range f.texts("ids") {
		wanted[id] = true
	}
	found := c.State.products.Newest(func(one *product) bool {
		return agree(f.text("active"), strconv.FormatBool(one.Active)) && (len(wanted) == 0 || wanted[one.ID])
	})
	return listed(c, f, found, func(one *product) string { return one.ID })
}

func createPrice(c *call) fake.Answer {
	f, refusal := read(c, "currency", "product", "product_data", "unit_amount", "unit_amount_decimal", "recurring", "tax_behavior", "nickname", "active", "metadata")
	if refusal != nil {
		return *refusal
	}
	of := f.text("product")
	if _, ok := c.State.products.Find(of); of != "" && !ok {
		return absent(http.StatusBadRequest, "product", "product", of)
	}
	var with *product
	if of == "" {
		if f.under("product_data").text("name") == "" {
			return *missing("product")
		}
		with = newProduct(c, f, "product_data")
		of = with.ID
	}
	made, refusal := newPrice(c, f, of)
	if refusal != nil {
		return *refusal
	}
	if with != nil {
		c.State.products.Put(with.ID, with)
		c.Effect("product.created", with.ID, reference(with.Metadata))
	}
	c.State.prices.Put(made.ID, made)
	c.Effect("price.created", made.ID, reference(made.Metadata))
	return fake.OK(made)
}

func newPrice(c *call, f form, of string) (*price, *fake.Answer) {
	if !currencyPattern.MatchString(f.text("currency")) {
		return nil, invalid(fault{Param: "currency", Message: "Invalid currency: " + f.text("currency")})
	}
	if f.text("unit_amount") == "" && f.text("unit_amount_decimal") == "" {
		return nil, missing("unit_amount")
	}
	made := &price{
		ID: c.Token("price_1", fake.Base62, 23), Object: "price", Active: f.text("active") != "false", Created: c.Now.Unix(),
		Currency: strings.ToLower(f.text("currency")), Metadata: f.pairs("metadata"), Nickname: optional(f.text("nickname")), Product: of,
		TaxBehavior: "unspecified", Type: "one_time", UnitAmountDecimal: f.text("unit_amount_decimal"),
	}
	if f.text("unit_amount") != "" {
		amount, refusal := f.integer("unit_amount", 0)
		if refusal != nil {
			return nil, refusal
		}
		made.UnitAmount, made.UnitAmountDecimal = &amount, f.text("unit_amount")
	}
	if recurring := f.pairs("recurring"); len(recurring) > 0 {
		made.Recurring, made.Type = recurring, "recurring"
	}
	if f.text("tax_behavior") != "" {
		made.TaxBehavior = f.text("tax_behavior")
	}
	return made, nil
}

func listPrices(c *call) fake.Answer {
	f, refusal := read(c, "product", "active", "type", "currency", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.prices.Newest(func(one *price) bool {
		return agree(f.text("product"), one.Product) && agree(f.text("active"), strconv.FormatBool(one.Active)) &&
			agree(f.text("type"), one.Type) && agree(f.text("currency"), one.Currency)
	})
	return listed(c, f, found, func(one *price) string { return one.ID })
}
