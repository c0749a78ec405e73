package webhook

import (
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

// readStripeEvent reads {id, type, created, data:{object}}.
func readStripeEvent(d document) Event {
	object := d.at("data", "object")
	event := Event{
		ID: d.text("id"), Kind: d.text("type"), Object: object.text("id"), Status: object.text("status"),
		OccurredAt: d.unix(time.Second, "created"), Reference: object.text("metadata", "feira_key"),
	}
	for _, name := range []string{"charge", "payment_intent", "invoice", "subscription"} {
		related := object.text(name)
		if related == "" {
			related = object.text(name, "id") // it was asked for in full
		}
		if related != "" {
			event.Related = append(event.Related, related)
		}
	}
	switch event.Kind {
	case "payment_intent.succeeded", "invoice.paid", "checkout.session.async_payment_succeeded":
		event.Fact = events.FactPaymentConfirmed
	case "checkout.session.completed":
		// One that is paid later completes first.
		event.Fact = events.FactPaymentUpdated
		if object.text("payment_status") == "paid" {
			event.Fact = events.FactPaymentConfirmed
		}
	case "payment_intent.payment_failed", "payment_intent.canceled", "invoice.payment_failed", "checkout.session.async_payment_failed", "checkout.session.expired":
		event.Fact = events.FactPaymentFailed
	case "charge.refunded":
		event.Fact = events.FactPaymentRefunded
	case "charge.dispute.created":
		event.Fact = events.FactPaymentDisputed
	case "identity.verification_session.verified":
		event.Fact = events.FactVerificationApproved
	case "identity.verification_session.requires_input", "identity.verification_session.canceled":
		event.Fact = events.FactVerificationRejected
	default:
		if strings.HasPrefix(event.Kind, "payment_intent.") || strings.HasPrefix(event.Kind, "charge.") {
			event.Fact = events.FactPaymentUpdated
		}
	}
	return event
}

// readAsaas reads {id, event, dateCreated, payment:{...}}; what it is of has
// another name in events of other objects.
func readAsaas(d document) Event {
	event := Event{ID: d.text("id"), Kind: d.text("event"), OccurredAt: moment(d.text("dateCreated"))}
	for _, name := range []string{"payment", "transfer", "invoice", "subscription", "bill", "webhook"} {
		object := d.at(name)
		if object.text("id") == "" {
			continue
		}
		event.Object, event.Status, event.Reference = object.text("id"), object.text("status"), object.text("externalReference")
		for _, related := range []string{"payment", "paymentLink", "installment", "subscription"} {
			if id := object.text(related); id != "" {
				event.Related = append(event.Related, id)
			}
		}
		break
	}
	event.Fact = asaasFact(event.Kind)
	return event
}

func asaasFact(kind string) events.Fact {
	switch kind {
	case "PAYMENT_CONFIRMED", "PAYMENT_RECEIVED", "PAYMENT_RECEIVED_IN_CASH":
		return events.FactPaymentConfirmed
	case "PAYMENT_REFUNDED", "PAYMENT_PARTIALLY_REFUNDED":
		return events.FactPaymentRefunded
	case "PAYMENT_CHARGEBACK_REQUESTED", "PAYMENT_CHARGEBACK_DISPUTE":
		return events.FactPaymentDisputed
	case "PAYMENT_CREDIT_CARD_CAPTURE_REFUSED", "PAYMENT_REPROVED_BY_RISK_ANALYSIS", "PAYMENT_DELETED":
		return events.FactPaymentFailed
	case "INVOICE_AUTHORIZED":
		return events.FactInvoiceAuthorized
	case "INVOICE_ERROR":
		return events.FactInvoiceRejected
	}
	if strings.HasPrefix(kind, "PAYMENT_") {
		return events.FactPaymentUpdated
	}
	return ""
}

// readMelhorEnvio reads {event, data:{id, protocol, status, tracking, ...}}.
// Events have no id: two of one body are one.
func readMelhorEnvio(d document) Event {
	label := d.at("data")
	event := Event{Kind: d.text("event"), Object: label.text("id"), Status: label.text("status")}
	for _, name := range []string{"protocol", "tracking"} {
		if id := label.text(name); id != "" {
			event.Related = append(event.Related, id)
		}
	}
	event.Reference = ourTag(label)
	_, what, _ := strings.Cut(event.Kind, ".")
	if event.OccurredAt = moment(label.text(what + "_at")); event.OccurredAt.IsZero() {
		event.OccurredAt = moment(label.text("updated_at"))
	}
	switch event.Kind {
	case "order.posted":
		event.Fact = events.FactShipmentPosted
	case "order.received":
		event.Fact = events.FactShipmentInTransit
	case "order.delivered":
		event.Fact = events.FactShipmentDelivered
	case "order.undelivered", "order.cancelled":
		event.Fact = events.FactShipmentFailed
	default:
		if strings.HasPrefix(event.Kind, "order.") {
			event.Fact = events.FactShipmentUpdated
		}
	}
	return event
}

// ourTag is the tag of a label that a call of ours gave it; a shop's own mean
// something else.
func ourTag(label document) string {
	tags, _ := label.at("tags").value.([]any)
	for _, tag := range tags[:min(len(tags), maxRelated)] {
		if text := (document{tag}).text("tag"); strings.HasPrefix(text, keyPrefix) {
			return text
		}
	}
	return ""
}

// keyPrefix begins the keys of our calls.
const keyPrefix = "feira_"

// Refers reports whether a server's events tell the reference that a call of
// ours gave what it made.
func Refers(server string) bool {
	switch server {
	case "stripe", "asaas", "melhor-envio":
		return true
	default:
		return false
	}
}

// readZAPI reads the callbacks of one WhatsApp number. What it says of a
// message that came is of the conversation, which is known by the other's phone;
// what it says of ours is of the message.
func readZAPI(d document) Event {
	event := Event{Kind: d.text("type"), Status: d.text("status"), OccurredAt: d.unix(time.Millisecond, "momment")}
	message := d.text("messageId")
	switch event.Kind {
	case "ReceivedCallback":
		if d.at("fromMe").value == true {
			return event // our own, told back to us
		}
		event.Fact, event.Object = events.FactMessageReceived, d.text("phone")
		if reply := d.text("referenceMessageId"); reply != "" {
			event.Related = append(event.Related, reply)
		}
		if message != "" && d.at("isEdit").value != true {
			event.ID = event.Kind + ":" + message
		}
	case "DeliveryCallback":
		event.Object, event.Related = message, related(d.text("zaapId"))
		event.Fact = events.FactMessageDelivered
		if d.text("error") != "" {
			event.Fact = events.FactMessageFailed
		}
	case "MessageStatusCallback":
		if ids, ok := d.at("ids").value.([]any); ok && len(ids) > 0 {
			for _, id := range ids[:min(len(ids), maxRelated)] {
				event.Related = append(event.Related, document{id}.text())
			}
			event.Object, event.Related = event.Related[0], event.Related[1:]
		}
		switch event.Status {
		case "RECEIVED":
			event.Fact = events.FactMessageDelivered
		case "READ", "PLAYED":
			event.Fact = events.FactMessageRead
		}
	}
	return event
}

// maxRelated is how many ids of one event are looked for.
const maxRelated = 16

func related(ids ...string) []string {
	var found []string
	for _, id := range ids {
		if id != "" {
			found = append(found, id)
		}
	}
	return found
}

// readGeneric reads what Standard Webhooks advises: {type, timestamp, data:{}}.
// What polls found is told in this form too, where type is the provider's word
// and fact is ours.
func readGeneric(d document) Event {
	data := d.at("data")
	event := Event{
		ID: d.text("id"), Kind: d.first("type", "event"), Object: data.text("id"), Status: data.text("status"),
		Reference: data.first("external_reference", "reference"), OccurredAt: moment(d.first("timestamp", "occurred_at", "created_at")),
	}
	if event.Object == "" {
		event.Object, event.Status = d.first("object_id", "object"), d.text("status")
	}
	for _, word := range []string{event.Kind, d.text("fact")} {
		if fact := events.Fact(word); Known(fact) {
			event.Fact = fact
			break
		}
	}
	return event
}

// Known reports whether a fact is one of Feira's words for what providers tell.
func Known(fact events.Fact) bool {
	switch fact {
	case events.FactPaymentConfirmed, events.FactPaymentFailed, events.FactPaymentRefunded, events.FactPaymentDisputed, events.FactPaymentUpdated,
		events.FactInvoiceAuthorized, events.FactInvoiceRejected,
		events.FactShipmentPosted, events.FactShipmentInTransit, events.FactShipmentDelivered, events.FactShipmentFailed, events.FactShipmentUpdated,
		events.FactMessageReceived, events.FactMessageDelivered, events.FactMessageRead, events.FactMessageFailed,
		events.FactVerificationApproved, events.FactVerificationRejected:
		return true
	case events.FactWebhookInterrupted, events.FactWebhookFailing, events.FactWebhookResumed:
		return false // no provider's to say
	}
	return false
}
