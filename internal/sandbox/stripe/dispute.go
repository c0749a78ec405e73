package stripe

import (
	"maps"
	"net/http"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// disputedMethod is Stripe's own test card whose charge is disputed at once.
const disputedMethod = "pm_card_createDispute"

// Statuses of a dispute.
const (
	statusNeedsResponse = "needs_response"
	statusUnderReview   = "under_review"
)

type dispute struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Amount        int64             `json:"amount"`
	Charge        string            `json:"charge"`
	Created       int64             `json:"created"`
	Currency      string            `json:"currency"`
	Evidence      map[string]string `json:"evidence"`
	Livemode      bool              `json:"livemode"`
	Metadata      map[string]string `json:"metadata"`
	PaymentIntent string            `json:"payment_intent"`
	Reason        string            `json:"reason"`
	Status        string            `json:"status"`
}

// disputed is what the customer's bank does, and no effect of the caller's.
func (i *intent) disputed(c *call) {
	made := &dispute{
		ID: c.Token("dp_1", fake.Base62, 23), Object: "dispute", Amount: i.Amount, Charge: *i.LatestCharge, Created: c.Now.Unix(), Currency: i.Currency,
		Evidence: map[string]string{}, Metadata: map[string]string{}, PaymentIntent: i.ID, Reason: "fraudulent", Status: statusNeedsResponse,
	}
	c.State.balance[i.Currency] -= i.Amount
	c.State.disputes.Put(made.ID, made)
	tell(c, "charge.dispute.created", made)
}

func updateDispute(c *call) fake.Answer {
	f, refusal := read(c, "evidence", "submit", "metadata")
	if refusal != nil {
		return *refusal
	}
	found, ok := c.State.disputes.Find(c.Path("id"))
	if !ok {
		return absent(http.StatusNotFound, "dispute", "id", c.Path("id"))
	}
	evidence := f.pairs("evidence")
	if len(evidence) > 0 && found.Status != statusNeedsResponse {
		return *invalid(fault{Message: "This dispute is already closed, or its evidence has been submitted."})
	}
	maps.Copy(found.Evidence, evidence)
	maps.Copy(found.Metadata, f.pairs("metadata"))
	effect := "dispute.updated"
	if found.Status == statusNeedsResponse && f.text("submit") != "false" && len(found.Evidence) > 0 {
		found.Status, effect = statusUnderReview, "dispute.submitted"
	}
	c.Effect(effect, found.ID, reference(found.Metadata))
	return fake.OK(found)
}

func listDisputes(c *call) fake.Answer {
	f, refusal := read(c, "charge", "payment_intent", "created", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.disputes.Newest(func(one *dispute) bool {
		return agree(f.text("charge"), one.Charge) && agree(f.text("payment_intent"), one.PaymentIntent) && f.within(one.Created)
	})
	return listed(c, f, found, func(one *dispute) string { return one.ID })
}
