package stripe

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Statuses of a subscription.
const (
	statusActive     = "active"
	statusTrialing   = "trialing"
	statusIncomplete = "incomplete"
)

type subscription struct {
	ID                   string            `json:"id"`
	Object               string            `json:"object"`
	CancelAtPeriodEnd    bool              `json:"cancel_at_period_end"`
	CanceledAt           *int64            `json:"canceled_at"`
	CollectionMethod     string            `json:"collection_method"`
	Created              int64             `json:"created"`
	Customer             string            `json:"customer"`
	DefaultPaymentMethod *string           `json:"default_payment_method"`
	Discounts            []string          `json:"discounts"`
	Items                items             `json:"items"`
	LatestInvoice        *string           `json:"latest_invoice"`
	Livemode             bool              `json:"livemode"`
	Metadata             map[string]string `json:"metadata"`
	PauseCollection      map[string]string `json:"pause_collection"`
	Status               string            `json:"status"`
	TrialEnd             *int64            `json:"trial_end"`
}

type items struct {
	Object string  `json:"object"`
	Data   []*item `json:"data"`
}

type item struct {
	ID       string `json:"id"`
	Object   string `json:"object"`
	Price    *price `json:"price"`
	Quantity int64  `json:"quantity"`
}

// dayOfSeconds is a day on Stripe's clock.
const dayOfSeconds = 24 * 60 * 60

func createSubscription(c *call) fake.Answer {
	f, refusal := read(c, "customer", "items", "default_payment_method", "trial_period_days", "collection_method", "days_until_due",
		"discounts", "metadata")
	if refusal != nil {
		return *refusal
	}
	if _, ok := c.State.customers.Find(f.text("customer")); !ok {
		return absent(http.StatusBadRequest, "customer", "customer", f.text("customer"))
	}
	made := &subscription{
		ID: c.Token("sub_1", fake.Base62, 23), Object: "subscription", CollectionMethod: methodOf(f), Created: c.Now.Unix(), Customer: f.text("customer"),
		DefaultPaymentMethod: optional(f.text("default_payment_method")), Discounts: f.coupons(), Items: items{Object: "list", Data: []*item{}},
		Metadata: f.pairs("metadata"), Status: statusActive,
	}
	if refusal := made.change(c, f); refusal != nil {
		return *refusal
	}
	if len(made.Items.Data) == 0 {
		return *missing("items")
	}
	days, refusal := f.integer("trial_period_days", 0)
	if refusal != nil {
		return *refusal
	}
	c.State.subscriptions.Put(made.ID, made)
	c.Effect("subscription.created", made.ID, reference(made.Metadata))
	if days > 0 {
		end := made.Created + days*dayOfSeconds
		made.Status, made.TrialEnd = statusTrialing, &end
	} else {
		made.bill(c)
	}
	tell(c, "customer.subscription.created", made)
	return fake.OK(made)
}

// bill makes the first invoice, and collects it where it can.
func (s *subscription) bill(c *call) {
	first := newInvoice(c, s.Customer)
	first.bills(s)
	first.CollectionMethod = s.CollectionMethod
	s.LatestInvoice = &first.ID
	c.State.invoices.Put(first.ID, first)
	if s.CollectionMethod == collectSend {
		return // Stripe keeps it as a draft for an hour.
	}
	first.open(c)
	if s.DefaultPaymentMethod == nil || *s.DefaultPaymentMethod == declinedMethod {
		s.Status = statusIncomplete
		return
	}
	first.collect(c)
}

func (s *subscription) amount() int64 {
	var total int64
	for _, one := range s.Items.Data {
		if one.Price.UnitAmount != nil {
			total += *one.Price.UnitAmount * one.Quantity
		}
	}
	return total
}

func (s *subscription) currency() string {
	if len(s.Items.Data) == 0 {
		return "brl"
	}
	return s.Items.Data[0].Price.Currency
}

// change does to the items what a form asks for.
func (s *subscription) change(c *call, f form) *fake.Answer {
	for _, one := range f.list("items") {
		quantity, refusal := one.integer("quantity", 1)
		if refusal != nil {
			return refusal
		}
		at := s.find(one.text("id"))
		switch {
		case one.text("id") != "" && at < 0:
			answer := absent(http.StatusBadRequest, "subscription_item", "items[id]", one.text("id"))
			return &answer
		case at >= 0 && one.text("deleted") == "true":
			s.Items.Data = append(s.Items.Data[:at:at], s.Items.Data[at+1:]...)
			continue
		case at < 0:
			s.Items.Data = append(s.Items.Data, &item{ID: c.Token("si_", fake.Base62, 14), Object: "subscription_item"})
			at = len(s.Items.Data) - 1
		}
		if id := one.text("price"); id != "" {
			found, ok := c.State.prices.Find(id)
			if !ok || found.Recurring == nil {
				answer := absent(http.StatusBadRequest, "price", "items[price]", id)
				return &answer
			}
			s.Items.Data[at].Price = found
		}
		if s.Items.Data[at].Price == nil {
			return missing("items[price]")
		}
		s.Items.Data[at].Quantity = quantity
	}
	return nil
}

func (s *subscription) find(id string) int {
	for i, one := range s.Items.Data {
		if one.ID == id {
			return i
		}
	}
	return -1
}

func updateSubscription(c *call) fake.Answer {
	f, refusal := read(c, "items", "cancel_at_period_end", "default_payment_method", "proration_behavior", "discounts", "pause_collection",
		"trial_end", "metadata")
	if refusal != nil {
		return *refusal
	}
	found, ok := c.State.subscriptions.Find(c.Path("id"))
	if !ok || found.Status == statusCanceled {
		return absent(http.StatusNotFound, "subscription", "id", c.Path("id"))
	}
	if refusal := found.change(c, f); refusal != nil {
		return *refusal
	}
	if text := f.text("cancel_at_period_end"); text != "" {
		found.CancelAtPeriodEnd = text == "true"
	}
	if method := f.text("default_payment_method"); method != "" {
		found.DefaultPaymentMethod = &method
	}
	if coupons := f.coupons(); len(coupons) > 0 {
		found.Discounts = coupons
	}
	if pause := f.pairs("pause_collection"); len(pause) > 0 {
		found.PauseCollection = pause
	}
	if end, err := strconv.ParseInt(f.text("trial_end"), 10, 64); err == nil {
		found.Status, found.TrialEnd = statusTrialing, &end
	} else if f.text("trial_end") == "now" {
		now := c.Now.Unix()
		found.Status, found.TrialEnd = statusActive, &now
	}
	maps.Copy(found.Metadata, f.pairs("metadata"))
	c.Effect("subscription.updated", found.ID, reference(found.Metadata))
	tell(c, "customer.subscription.updated", found)
	return fake.OK(found)
}

func cancelSubscription(c *call) fake.Answer {
	if _, refusal := read(c, "invoice_now", "prorate"); refusal != nil {
		return *refusal
	}
	found, ok := c.State.subscriptions.Find(c.Path("id"))
	if !ok || found.Status == statusCanceled {
		return absent(http.StatusNotFound, "subscription", "id", c.Path("id"))
	}
	at := c.Now.Unix()
	found.Status, found.CanceledAt = statusCanceled, &at
	c.Effect("subscription.canceled", found.ID, reference(found.Metadata))
	tell(c, "customer.subscription.deleted", found)
	return fake.OK(found)
}

func listSubscriptions(c *call) fake.Answer {
	f, refusal := read(c, "customer", "status", "price", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.subscriptions.Newest(func(one *subscription) bool {
		status := f.text("status")
		shown := status == "all" || status == one.Status || status == "" && one.Status != statusCanceled
		return shown && agree(f.text("customer"), one.Customer) && (f.text("price") == "" || one.has(f.text("price")))
	})
	return listed(c, f, found, func(one *subscription) string { return one.ID })
}

func (s *subscription) has(price string) bool {
	for _, one := range s.Items.Data {
		if one.Price.ID == price {
			return true
		}
	}
	return false
}
