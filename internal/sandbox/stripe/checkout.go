package stripe

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type session struct {
	ID                string            `json:"id"`
	Object            string            `json:"object"`
	AmountTotal       *int64            `json:"amount_total"`
	CancelURL         *string           `json:"cancel_url"`
	ClientReferenceID *string           `json:"client_reference_id"`
	Created           int64             `json:"created"`
	Currency          *string           `json:"currency"`
	Customer          *string           `json:"customer"`
	CustomerEmail     *string           `json:"customer_email"`
	Livemode          bool              `json:"livemode"`
	Metadata          map[string]string `json:"metadata"`
	Mode              string            `json:"mode"`
	PaymentStatus     string            `json:"payment_status"`
	Status            string            `json:"status"`
	SuccessURL        string            `json:"success_url"`
	URL               string            `json:"url"`
}

type link struct {
	ID                  string            `json:"id"`
	Object              string            `json:"object"`
	Active              bool              `json:"active"`
	AfterCompletion     map[string]string `json:"after_completion"`
	AllowPromotionCodes bool              `json:"allow_promotion_codes"`
	Currency            string            `json:"currency"`
	Livemode            bool              `json:"livemode"`
	Metadata            map[string]string `json:"metadata"`
	URL                 string            `json:"url"`
}

func createSession(c *call) fake.Answer {
	f, refusal := read(c, "mode", "success_url", "line_items", "cancel_url", "customer", "customer_email", "client_reference_id",
		"payment_method_types", "allow_promotion_codes", "metadata")
	if refusal != nil {
		return *refusal
	}
	mode := f.text("mode")
	if mode != "payment" && mode != "subscription" && mode != "setup" {
		return *invalid(fault{Param: "mode", Message: "Invalid mode: must be one of payment, setup, or subscription"})
	}
	if f.text("success_url") == "" {
		return *missing("success_url")
	}
	if id := f.text("customer"); id != "" {
		if _, ok := c.State.customers.Find(id); !ok {
			return absent(http.StatusBadRequest, "customer", "customer", id)
		}
	}
	made := &session{
		ID: c.Token("cs_test_", fake.Base62, 58), Object: "checkout.session", CancelURL: optional(f.text("cancel_url")),
		ClientReferenceID: optional(f.text("client_reference_id")), Created: c.Now.Unix(), Customer: optional(f.text("customer")),
		CustomerEmail: optional(f.text("customer_email")), Metadata: f.pairs("metadata"), Mode: mode, PaymentStatus: "unpaid", Status: statusOpen,
		SuccessURL: f.text("success_url"),
	}
	if mode != "setup" {
		total, currency, refusal := lineItems(c, f, mode == "subscription")
		if refusal != nil {
			return *refusal
		}
		made.AmountTotal, made.Currency = &total, &currency
	}
	made.URL = "https://checkout.stripe.com/c/pay/" + made.ID
	c.State.sessions.Put(made.ID, made)
	known := f.text("client_reference_id")
	if known == "" {
		known = reference(made.Metadata)
	}
	c.Effect("checkout_session.created", made.ID, known)
	return fake.OK(made)
}

// payCheckout is a customer who pays at the page of a session.
func payCheckout(c *call) (fake.Answer, bool) {
	found, ok := c.State.sessions.Find(c.Path("id"))
	if !ok {
		return fake.Answer{}, false
	}
	if found.Status != statusOpen || found.AmountTotal == nil {
		return *invalid(fault{Message: "This checkout session is " + found.Status + ", or there is nothing to pay."}), true
	}
	found.Status, found.PaymentStatus = "complete", statusPaid
	c.State.balance[*found.Currency] += *found.AmountTotal
	c.Effect("checkout_session.paid", found.ID, reference(found.Metadata))
	tell(c, "checkout.session.completed", found)
	return fake.OK(found), true
}

// lineItems adds up what is for sale.
func lineItems(c *call, f form, recurring bool) (total int64, currency string, refusal *fake.Answer) {
	list := f.list("line_items")
	if len(list) == 0 {
		return 0, "", missing("line_items")
	}
	for i, one := range list {
		param := "line_items[" + strconv.Itoa(i) + "]"
		quantity, refusal := one.integer("quantity", 0)
		if refusal != nil {
			return 0, "", refusal
		}
		if quantity < 1 {
			return 0, "", missing(param + "[quantity]")
		}
		sold, refusal := soldAt(c, one, param)
		if refusal != nil {
			return 0, "", refusal
		}
		if recurring && sold.Recurring == nil {
			return 0, "", invalid(fault{Param: param, Message: "You must provide at least one recurring price in `subscription` mode when using prices."})
		}
		currency = sold.Currency
		if sold.UnitAmount != nil {
			total += *sold.UnitAmount * quantity
		}
	}
	return total, currency, nil
}

// soldAt is the price of a line, an object's or one made for it.
func soldAt(c *call, line form, param string) (*price, *fake.Answer) {
	if id := line.text("price"); id != "" {
		found, ok := c.State.prices.Find(id)
		if !ok {
			answer := absent(http.StatusBadRequest, "price", param+"[price]", id)
			return nil, &answer
		}
		return found, nil
	}
	data := line.under("price_data")
	if data.text("currency") == "" {
		return nil, missing(param + "[price]")
	}
	return newPrice(c, data, data.text("product"))
}

func createLink(c *call) fake.Answer {
	f, refusal := read(c, "line_items", "after_completion", "allow_promotion_codes", "currency", "metadata", "payment_method_types")
	if refusal != nil {
		return *refusal
	}
	_, currency, refusal := lineItems(c, f, false)
	if refusal != nil {
		return *refusal
	}
	if asked := f.text("currency"); asked != "" && !strings.EqualFold(asked, currency) {
		return *invalid(fault{Param: "currency", Message: "The prices are not in " + asked + "."})
	}
	made := &link{
		ID: c.Token("plink_1", fake.Base62, 23), Object: "payment_link", Active: true, AfterCompletion: map[string]string{"type": "hosted_confirmation"},
		AllowPromotionCodes: f.text("allow_promotion_codes") == "true", Currency: currency, Metadata: f.pairs("metadata"),
		URL: "https://buy.stripe.com/test_" + c.Token("", fake.Base62, 18),
	}
	if kind := f.under("after_completion").text("type"); kind != "" {
		made.AfterCompletion = map[string]string{"type": kind}
	}
	c.State.links.Put(made.ID, made)
	c.Effect("payment_link.created", made.ID, reference(made.Metadata))
	return fake.OK(made)
}

func listLinks(c *call) fake.Answer {
	f, refusal := read(c, "active", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.links.Newest(func(one *link) bool { return agree(f.text("active"), strconv.FormatBool(one.Active)) })
	return listed(c, f, found, func(one *link) string { return one.ID })
}
