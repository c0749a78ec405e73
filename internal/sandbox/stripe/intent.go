package stripe

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/feira-dev/feira/internal/sandbox/fake"
)

// Statuses of an intent.
const (
	statusNeedsMethod  = "requires_payment_method"
	statusNeedsConfirm = "requires_confirmation"
	statusSucceeded    = "succeeded"
	statusCanceled     = "canceled"
)

// declinedMethod is Stripe's own test card that is never good.
const declinedMethod = "pm_card_chargeDeclined"

// minimumAmount is half a real or dollar, as Stripe asks.
const minimumAmount = 50

type intent struct {
	ID                 string            `json:"id"`
	Object             string            `json:"object"`
	Amount             int64             `json:"amount"`
	AmountReceived     int64             `json:"amount_received"`
	CanceledAt         *int64            `json:"canceled_at"`
	CancellationReason *string           `json:"cancellation_reason"`
	CaptureMethod      string            `json:"capture_method"`
	ClientSecret       string            `json:"client_secret"`
	Created            int64             `json:"created"`
	Currency           string            `json:"currency"`
	Customer           *string           `json:"customer"`
	Description        *string           `json:"description"`
	LatestCharge       *string           `json:"latest_charge"`
	Livemode           bool              `json:"livemode"`
	Metadata           map[string]string `json:"metadata"`
	PaymentMethod      *string           `json:"payment_method"`
	PaymentMethodTypes []string          `json:"payment_method_types"`
	ReceiptEmail       *string           `json:"receipt_email"`
	Status             string            `json:"status"`

	refunded int64
}

func createIntent(c *call) fake.Answer {
	f, refusal := read(c, "amount", "currency", "customer", "payment_method", "payment_method_types", "confirm", "capture_method",
		"description", "receipt_email", "statement_descriptor", "metadata", "automatic_payment_methods", "off_session", "return_url")
	if refusal != nil {
		return *refusal
	}
	amount, refusal := intentAmount(f)
	if refusal != nil {
		return *refusal
	}
	if id := f.text("customer"); id != "" {
		if _, ok := c.State.customers.Find(id); !ok {
			return absent(http.StatusBadRequest, "customer", "customer", id)
		}
	}
	made := &intent{
		ID: c.Token("pi_3", fake.Base62, 23), Object: "payment_intent", Amount: amount, CaptureMethod: "automatic",
		Created: c.Now.Unix(), Currency: strings.ToLower(f.text("currency")), Customer: optional(f.text("customer")),
		Description: optional(f.text("description")), Metadata: f.pairs("metadata"), PaymentMethod: optional(f.text("payment_method")),
		PaymentMethodTypes: f.texts("payment_method_types"), ReceiptEmail: optional(f.text("receipt_email")), Status: statusNeedsMethod,
	}
	if made.PaymentMethodTypes == nil {
		made.PaymentMethodTypes = []string{"card"}
	}
	if made.PaymentMethod != nil {
		made.Status = statusNeedsConfirm
	}
	made.ClientSecret = made.ID + "_secret_" + c.Token("", fake.Base62, 25)
	c.State.intents.Put(made.ID, made)
	c.Effect("payment_intent.created", made.ID, reference(made.Metadata))
	tell(c, "payment_intent.created", made)
	if f.text("confirm") == "true" {
		return made.confirm(c)
	}
	return fake.OK(made)
}

var currencyPattern = regexp.MustCompile(`^[A-Za-z]{3}$`)

func intentAmount(f form) (int64, *fake.Answer) {
	for _, name := range []string{"amount", "currency"} {
		if f.text(name) == "" {
			return 0, missing(name)
		}
	}
	amount, refusal := f.integer("amount", 0)
	if refusal != nil {
		return 0, refusal
	}
	if amount < 1 {
		return 0, invalid(fault{Code: codeInteger, Param: "amount", Message: "This value must be greater than or equal to 1."})
	}
	if !currencyPattern.MatchString(f.text("currency")) {
		return 0, invalid(fault{Param: "currency", Message: "Invalid currency: " + f.text("currency")})
	}
	if amount < minimumAmount {
		return 0, invalid(fault{Code: codeAmountSmall, Param: "amount", Message: "Amount must be at least 50 of the currency's smallest unit."})
	}
	return amount, nil
}

func confirmIntent(c *call) fake.Answer {
	f, refusal := read(c, "payment_method", "return_url", "off_session")
	if refusal != nil {
		return *refusal
	}
	found, ok := c.State.intents.Find(c.Path("id"))
	if !ok {
		return absent(http.StatusNotFound, "payment_intent", "intent", c.Path("id"))
	}
	if method := f.text("payment_method"); method != "" {
		found.PaymentMethod = &method
	}
	return found.confirm(c)
}

// confirm moves the money, or says why it cannot.
func (i *intent) confirm(c *call) fake.Answer {
	switch {
	case i.Status == statusSucceeded || i.Status == statusCanceled:
		return i.unexpected("confirm")
	case i.PaymentMethod == nil:
		return refuse(http.StatusBadRequest, fault{
			Code: codeState, Intent: i,
			Message: "You cannot confirm this PaymentIntent because it's missing a payment method.",
		})
	case *i.PaymentMethod == declinedMethod:
		i.Status = statusNeedsMethod
		tell(c, "payment_intent.payment_failed", i)
		return refuse(http.StatusPaymentRequired, fault{
			Type: typeCard, Code: "card_declined", DeclineCode: "generic_decline", Message: "Your card was declined.", Intent: i,
		})
	}
	charge := c.Token("ch_3", fake.Base62, 23)
	i.Status, i.AmountReceived, i.LatestCharge = statusSucceeded, i.Amount, &charge
	c.State.balance[i.Currency] += i.Amount
	c.Effect("payment_intent.succeeded", i.ID, reference(i.Metadata))
	tell(c, "payment_intent.succeeded", i)
	if *i.PaymentMethod == disputedMethod {
		i.disputed(c)
	}
	return fake.OK(i)
}

func (i *intent) unexpected(verb string) fake.Answer {
	return refuse(http.StatusBadRequest, fault{
		Code: codeState, Intent: i, Message: "You cannot " + verb + " this PaymentIntent because it has a status of " + i.Status + ".",
	})
}

func retrieveIntent(c *call) fake.Answer {
	found, ok := c.State.intents.Find(c.Path("id"))
	if !ok {
		return absent(http.StatusNotFound, "payment_intent", "intent", c.Path("id"))
	}
	return fake.OK(found)
}

func cancelIntent(c *call) fake.Answer {
	f, refusal := read(c, "cancellation_reason")
	if refusal != nil {
		return *refusal
	}
	found, ok := c.State.intents.Find(c.Path("id"))
	if !ok {
		return absent(http.StatusNotFound, "payment_intent", "intent", c.Path("id"))
	}
	if found.Status == statusSucceeded || found.Status == statusCanceled {
		return found.unexpected("cancel")
	}
	at := c.Now.Unix()
	found.Status, found.CanceledAt, found.CancellationReason = statusCanceled, &at, optional(f.text("cancellation_reason"))
	c.Effect("payment_intent.canceled", found.ID, reference(found.Metadata))
	tell(c, "payment_intent.canceled", found)
	return fake.OK(found)
}

func listIntents(c *call) fake.Answer {
	f, refusal := read(c, "customer", "created", "limit", "starting_after", "ending_before")
	if refusal != nil {
		return *refusal
	}
	found := c.State.intents.Newest(func(one *intent) bool {
		of := f.text("customer") == "" || one.Customer != nil && *one.Customer == f.text("customer")
		return of && f.within(one.Created)
	})
	return listed(c, f, found, func(one *intent) string { return one.ID })
}

// optional is null in JSON when there is no text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
