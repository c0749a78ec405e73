package asaas

import (
	"slices"

	"github.com/feira-dev/feira/internal/sandbox/brazil"
	"github.com/feira-dev/feira/internal/sandbox/fake"
)

type subscription struct {
	Object            string       `json:"object"`
	ID                string       `json:"id"`
	DateCreated       string       `json:"dateCreated"`
	Customer          string       `json:"customer"`
	BillingType       string       `json:"billingType"`
	Value             brazil.Cents `json:"value"`
	Cycle             string       `json:"cycle"`
	NextDueDate       string       `json:"nextDueDate"`
	Status            string       `json:"status"`
	Description       string       `json:"description,omitempty"`
	ExternalReference string       `json:"externalReference,omitempty"`
	Deleted           bool         `json:"deleted"`
}

// createSubscription makes the first payment with it; no later one ever falls due.
func createSubscription(c *call) fake.Answer {
	body, err := c.Object()
	if err != nil {
		return unreadable()
	}
	due := body.Text("nextDueDate")
	body["dueDate"] = due
	if refusal := checkPayment(c, body); refusal != nil {
		return *refusal
	}
	if !slices.Contains([]string{"WEEKLY", "BIWEEKLY", "MONTHLY", "BIMONTHLY", "QUARTERLY", "SEMIANNUALLY", "YEARLY"}, body.Text("cycle")) {
		return invalid("invalid_cycle", "O campo cycle deve ser informado.")
	}
	value, _ := body.Cents("value")
	made := &subscription{
		Object: "subscription", ID: c.Token("sub_", fake.Lower36, 16), DateCreated: day(c.Now), Customer: body.Text("customer"),
		BillingType: body.Text("billingType"), Value: value, Cycle: body.Text("cycle"), NextDueDate: due, Status: "ACTIVE",
		Description: body.Text("description"), ExternalReference: body.Text("externalReference"),
	}
	c.State.subscriptions.Put(made.ID, made)
	first := newPayment(c, body, value)
	first.Subscription, first.ExternalReference = made.ID, ""
	c.State.payments.Put(first.ID, first)
	c.Effect("subscription.created", made.ID, made.ExternalReference)
	first.tell(c, "PAYMENT_CREATED")
	return fake.OK(made)
}

func getSubscription(c *call) fake.Answer {
	found, ok := c.State.subscriptions.Find(c.Path("id"))
	if !ok {
		return absent()
	}
	return fake.OK(found)
}

func listSubscriptions(c *call) fake.Answer {
	query := c.Query()
	return listed(c, c.State.subscriptions.Newest(func(one *subscription) bool {
		return !one.Deleted && agree(query.Get("customer"), one.Customer) && agree(query.Get("status"), one.Status) &&
			agree(query.Get("externalReference"), one.ExternalReference)
	}))
}

// cancelSubscription removes its pending payments too.
func cancelSubscription(c *call) fake.Answer {
	found, ok := c.State.subscriptions.Find(c.Path("id"))
	if !ok || found.Deleted {
		return absent()
	}
	found.Deleted, found.Status = true, "INACTIVE"
	for _, one := range c.State.payments.Newest(func(p *payment) bool { return p.Subscription == found.ID && p.Status == statusPending }) {
		one.Deleted = true
		one.tell(c, "PAYMENT_DELETED")
	}
	c.Effect("subscription.deleted", found.ID, found.ExternalReference)
	return fake.OK(fake.Map{"deleted": true, "id": found.ID})
}
