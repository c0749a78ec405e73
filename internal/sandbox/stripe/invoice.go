package stripe

import (
	"net/http"
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Statuses of an invoice, and the ways to collect it.
const (
	statusDraft = "draft"
	statusOpen  = "open"
	statusPaid  = "paid"
	statusVoid  = "void"

	collectCharge = "charge_automatically"
	collectSend   = "send_invoice"
)

type invoice struct {
	ID               string            `json:"id"`
	Object           string            `json:"object"`
	AmountDue        int64             `json:"amount_due"`
	AmountPaid       int64             `json:"amount_paid"`
	AutoAdvance      bool              `json:"auto_advance"`
	CollectionMethod string            `json:"collection_method"`
	Created          int64             `json:"created"`
	Currency         string            `json:"currency"`
	Customer         string            `json:"customer"`
	Description      *string           `json:"description"`
	DueDate          *int64            `json:"due_date"`
	HostedInvoiceURL *string           `json:"hosted_invoice_url"`
	Livemode         bool              `json:"livemode"`
	Metadata         map[string]string `json:"metadata"`
	Number           *string           `json:"number"`
	Status           string            `json:"status"`
	Parent           *parent           `json:"parent"`
}

// parent is what an invoice bills.
type parent struct {
	Type    string      `json:"type"`
	Details billedTerms `json:"subscription_details"`
}

type billedTerms struct {
	Subscription string `json:"subscription"`
}

// bills ties an invoice to a subscription.
func (i *invoice) bills(s *subscription) {
	i.Parent = &parent{Type: "subscription_details", Details: billedTerms{Subscription: s.ID}}
	i.AmountDue, i.Currency = s.amount(), s.currency()
}

// subscription is the one that an invoice bills; empty for none.
func (i *invoice) subscription() string {
	if i.Parent == nil {
		return ""
	}
	return i.Parent.Details.Subscription
}

func newInvoice(c *call, customer string) *invoice {
	return &invoice{
		ID: c.Token("in_1", fake.Base62, 23), Object: "invoice", CollectionMethod: collectCharge, Created: c.Now.Unix(), Currency: "brl",
		Customer: customer, Metadata: map[string]string{}, Status: statusDraft,
	}
}

// methodOf is how a form wants its invoices collected.
func methodOf(f form) string {
	if f.text("collection_method") == collectSend {
		return collectSend
	}
	return collectCharge
}

// createInvoice bills a subscription once more; without one it bills nothing,
// as nobody has put an item on it.
func createInvoice(c *call) fake.Answer {
	f, refusal := read(c, "customer", "collection_method", "days_until_due", "auto_advance", "description", "subscription", "metadata")
	if refusal != nil {
		return *refusal
	}
	if _, ok := c.State.customers.Find(f.text("customer")); !ok {
		return absent(http.StatusBadRequest, "customer", "customer", f.text("customer"))
	}
	days, refusal := f.integer("days_until_due", 0)
	if refusal != nil {
		return *refusal
	}
	if methodOf(f) == collectSend && days == 0 {
		return *missing("days_until_due")
	}
	made := newInvoice(c, f.text("customer"))
	made.CollectionMethod, made.AutoAdvance = methodOf(f), f.text("auto_advance") == "true"
	made.Description, made.Metadata = optional(f.text("description")), f.pairs("metadata")
	if id := f.text("subscription"); id != "" {
		of, ok := c.State.subscriptions.Find(id)
		if !ok {
			return absent(http.StatusBadRequest, "subscription", "subscription", id)
		}
		made.bills(of)
	}
	if days > 0 {
		due := made.Created + days*dayOfSeconds
		made.DueDate = &due
	}
	c.State.invoices.Put(made.ID, made)
	c.Effect("invoice.created", made.ID, reference(made.Metadata))
	return fake.OK(made)
}

func listInvoices(c *call) fake.Answer {
	f, refusal := read(c, "customer", "status", "subscription", "collection_method", "created", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.invoices.Newest(func(one *invoice) bool {
		return agree(f.text("customer"), one.Customer) && agree(f.text("status"), one.Status) && agree(f.text("subscription"), one.subscription()) &&
			agree(f.text("collection_method"), one.CollectionMethod) && f.within(one.Created)
	})
	return listed(c, f, found, func(one *invoice) string { return one.ID })
}

// invoiced finds the invoice of the path, which must be in one of the statuses.
func invoiced(c *call, verb, status string, params ...string) (*invoice, form, *fake.Answer) {
	f, refusal := read(c, params...)
	if refusal != nil {
		return nil, f, refusal
	}
	found, ok := c.State.invoices.Find(c.Path("id"))
	if !ok {
		answer := absent(http.StatusNotFound, "invoice", "id", c.Path("id"))
		return nil, f, &answer
	}
	if found.Status != status {
		return nil, f, invalid(fault{Code: "invoice_not_editable", Message: "You cannot " + verb + " this invoice because it is " + found.Status + "."})
	}
	return found, f, nil
}

func finalizeInvoice(c *call) fake.Answer {
	found, f, refusal := invoiced(c, "finalize", statusDraft, "auto_advance")
	if refusal != nil {
		return *refusal
	}
	if text := f.text("auto_advance"); text != "" {
		found.AutoAdvance = text == "true"
	}
	found.open(c)
	return fake.OK(found)
}

// open makes a draft final; one of nothing is paid with that.
func (i *invoice) open(c *call) {
	number := "FEIRA-" + c.Token("", fake.Decimal, 4)
	at := "https://invoice.stripe.com/i/sandbox/" + strconv.FormatInt(i.Created, 10) + number
	i.Status, i.Number, i.HostedInvoiceURL = statusOpen, &number, &at
	c.Effect("invoice.finalized", i.ID, reference(i.Metadata))
	tell(c, "invoice.finalized", i)
	if i.AmountDue == 0 {
		i.Status = statusPaid
		tell(c, "invoice.paid", i)
	}
}

func sendInvoice(c *call) fake.Answer {
	found, _, refusal := invoiced(c, "send", statusOpen)
	if refusal != nil {
		return *refusal
	}
	c.Effect("invoice.sent", found.ID, reference(found.Metadata))
	return fake.OK(found)
}

func payInvoice(c *call) fake.Answer {
	found, f, refusal := invoiced(c, "pay", statusOpen, "payment_method", "source", "paid_out_of_band", "forgive", "off_session")
	if refusal != nil {
		return *refusal
	}
	switch {
	case f.text("paid_out_of_band") == "true":
		found.Status = statusPaid
		c.Effect("invoice.paid", found.ID, reference(found.Metadata))
		tell(c, "invoice.paid", found)
		return fake.OK(found)
	case f.text("payment_method") == "" && f.text("source") == "":
		return *invalid(fault{Code: "missing_payment_method", Message: "There is no default_payment_method set on this invoice or its customer."})
	case f.text("payment_method") == declinedMethod:
		tell(c, "invoice.payment_failed", found)
		return refuse(http.StatusPaymentRequired, fault{
			Type: typeCard, Code: "card_declined", DeclineCode: "generic_decline", Message: "Your card was declined.",
		})
	}
	found.collect(c)
	return fake.OK(found)
}

// collect moves the money.
func (i *invoice) collect(c *call) {
	i.Status, i.AmountPaid = statusPaid, i.AmountDue
	c.State.balance[i.Currency] += i.AmountDue
	c.Effect("invoice.paid", i.ID, reference(i.Metadata))
	tell(c, "invoice.paid", i)
	if of, ok := c.State.subscriptions.Find(i.subscription()); ok && of.Status == statusIncomplete {
		of.Status = statusActive
	}
}

func voidInvoice(c *call) fake.Answer {
	found, _, refusal := invoiced(c, "void", statusOpen)
	if refusal != nil {
		return *refusal
	}
	found.Status = statusVoid
	c.Effect("invoice.voided", found.ID, reference(found.Metadata))
	tell(c, "invoice.voided", found)
	return fake.OK(found)
}
