package standing

import (
	"encoding/json"
	"net/url"

	"github.com/feira-dev/feira/events"
)

// The servers whose words are known. The last are Feira's own tools, which
// answer in these words already.
const (
	serverStripe = "stripe"
	serverAsaas  = "asaas"
	serverFeira  = "codespar"
)

// result is what is read of a provider's answer. It is data from outside:
// whatever does not fit is left out.
type result struct {
	ID            json.RawMessage `json:"id"`
	Object        string          `json:"object"`
	Status        string          `json:"status"`
	PaymentStatus string          `json:"payment_status"`
	HostedURL     string          `json:"hosted_url"`
	Deleted       bool            `json:"deleted"`
}

func readResult(event *events.ToolReturned) result {
	var read result
	if event.Status != events.ToolOK || json.Unmarshal([]byte(event.Output), &read) != nil {
		return result{}
	}
	return read
}

// object is the id of what the call made or read; empty for none.
func (r result) object() string {
	var id string
	_ = json.Unmarshal(r.ID, &id) // what is no text is no id of these providers
	return id
}

func (r result) hostedURL() string {
	address, err := url.Parse(r.HostedURL)
	if err != nil || address.Scheme != "https" || address.Host == "" || address.User != nil {
		return ""
	}
	return r.HostedURL
}

// paymentOf is a provider's answer in the words of payments; what is no payment
// is unknown.
func paymentOf(server string, answer result) Status {
	var words map[string]Status
	word := answer.Status
	switch server {
	case serverStripe:
		words, word = stripeWords(answer)
	case serverAsaas:
		if answer.Deleted {
			return Failed
		}
		words = asaasWords()
	case serverFeira:
		words = ownWords()
	}
	if status, ok := words[word]; ok {
		return status
	}
	return Unknown
}

// stripeWords are those of the kind of object that Stripe says it is.
func stripeWords(answer result) (map[string]Status, string) {
	switch answer.Object {
	case "payment_intent":
		return map[string]Status{
			"requires_payment_method": Pending, "requires_confirmation": Pending, "requires_action": Pending,
			"processing": Pending, "requires_capture": Pending, "succeeded": Succeeded, "canceled": Failed,
		}, answer.Status
	case "refund":
		return map[string]Status{
			"pending": Pending, "requires_action": Pending, "succeeded": Refunded, "failed": Failed, "canceled": Failed,
		}, answer.Status
	case "checkout.session":
		if answer.Status == "expired" {
			return map[string]Status{"expired": Failed}, answer.Status
		}
		return map[string]Status{"unpaid": Pending, "paid": Succeeded, "no_payment_required": Succeeded}, answer.PaymentStatus
	case "invoice":
		return map[string]Status{
			"draft": Pending, "open": Pending, "paid": Succeeded, "void": Failed, "uncollectible": Failed,
		}, answer.Status
	default:
		return nil, ""
	}
}

// asaasWords are those of payments and of transfers, which share none with
// another meaning. A payment that is overdue may still be paid.
func asaasWords() map[string]Status {
	return map[string]Status{
		"PENDING": Pending, "AWAITING_RISK_ANALYSIS": Pending, "OVERDUE": Pending,
		"RECEIVED": Succeeded, "CONFIRMED": Succeeded, "RECEIVED_IN_CASH": Succeeded, "DUNNING_RECEIVED": Succeeded,
		"DUNNING_REQUESTED": Pending, "REFUND_REQUESTED": Updated, "REFUND_IN_PROGRESS": Updated, "REFUNDED": Refunded,
		"CHARGEBACK_REQUESTED": Updated, "CHARGEBACK_DISPUTE": Updated, "AWAITING_CHARGEBACK_REVERSAL": Updated,
		"BANK_PROCESSING": Pending, "DONE": Succeeded, "CANCELLED": Failed, "FAILED": Failed,
	}
}

// ownWords are those of Feira's tools, which pass on a provider's word where
// they know none for it.
func ownWords() map[string]Status {
	return map[string]Status{
		"pending": Pending, "overdue": Pending, "succeeded": Succeeded, "failed": Failed, "cancelled": Failed, "refunded": Refunded,
	}
}
