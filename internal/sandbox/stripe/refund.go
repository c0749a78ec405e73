package stripe

import (
	"net/http"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type refund struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Amount        int64             `json:"amount"`
	Charge        *string           `json:"charge"`
	Created       int64             `json:"created"`
	Currency      string            `json:"currency"`
	Metadata      map[string]string `json:"metadata"`
	PaymentIntent string            `json:"payment_intent"`
	Reason        *string           `json:"reason"`
	Status        string            `json:"status"`
}

func createRefund(c *call) fake.Answer {
	f, refusal := read(c, "payment_intent", "charge", "amount", "reason", "metadata")
	if refusal != nil {
		return *refusal
	}
	paid, refusal := refundable(c, f)
	if refusal != nil {
		return *refusal
	}
	left := paid.AmountReceived - paid.refunded
	amount, refusal := f.integer("amount", left)
	if refusal != nil {
		return *refusal
	}
	if left == 0 {
		return refuse(http.StatusBadRequest, fault{Code: "charge_already_refunded", Message: "Charge " + *paid.LatestCharge + " has already been refunded."})
	}
	if amount < 1 || amount > left {
		return refuse(http.StatusBadRequest, fault{Param: "amount", Message: "Refund amount is greater than unrefunded amount on charge, or not positive."})
	}
	made := &refund{
		ID: c.Token("re_3", fake.Base62, 23), Object: "refund", Amount: amount, Charge: paid.LatestCharge, Created: c.Now.Unix(),
		Currency: paid.Currency, Metadata: f.pairs("metadata"), PaymentIntent: paid.ID, Reason: optional(f.text("reason")), Status: statusSucceeded,
	}
	paid.refunded += amount
	c.State.balance[paid.Currency] -= amount
	c.State.refunds.Put(made.ID, made)
	c.Effect("refund.created", made.ID, reference(made.Metadata))
	tell(c, "charge.refunded", paid.charge())
	return fake.OK(made)
}

// charge is what there is of an intent's charge.
func (i *intent) charge() fake.Map {
	return fake.Map{
		"id": *i.LatestCharge, "object": "charge", "amount": i.AmountReceived, "amount_refunded": i.refunded, "currency": i.Currency,
		"customer": i.Customer, "metadata": i.Metadata, "paid": true, "payment_intent": i.ID, "refunded": i.refunded == i.AmountReceived, "status": statusSucceeded,
	}
}

// refundable finds the paid intent that a refund names by its id or its charge.
func refundable(c *call, f form) (*intent, *fake.Answer) {
	id, charge := f.text("payment_intent"), f.text("charge")
	if id == "" && charge == "" {
		return nil, invalid(fault{Code: codeMissing, Message: "One of the following params should be provided for this request: payment_intent or charge."})
	}
	found := c.State.intents.Newest(func(one *intent) bool {
		return one.ID == id || charge != "" && one.LatestCharge != nil && *one.LatestCharge == charge
	})
	if len(found) == 0 {
		kind := "payment_intent"
		if id == "" {
			kind = "charge"
		}
		refusal := absent(http.StatusBadRequest, kind, kind, id+charge)
		return nil, &refusal
	}
	if found[0].LatestCharge == nil {
		return nil, invalid(fault{Message: "This PaymentIntent (" + found[0].ID + ") does not have a successful charge to refund."})
	}
	return found[0], nil
}

func listRefunds(c *call) fake.Answer {
	f, refusal := read(c, "charge", "payment_intent", "created", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.refunds.Newest(func(one *refund) bool {
		return agree(f.text("payment_intent"), one.PaymentIntent) && f.within(one.Created) && (f.text("charge") == "" || one.Charge != nil && *one.Charge == f.text("charge"))
	})
	return listed(c, f, found, func(one *refund) string { return one.ID })
}

func retrieveBalance(c *call) fake.Answer {
	type line struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	}
	available := []line{}
	for _, currency := range sorted(c.State.balance) {
		available = append(available, line{c.State.balance[currency], currency})
	}
	return fake.OK(fake.Map{"object": "balance", "available": available, "pending": []line{}, "livemode": false})
}
