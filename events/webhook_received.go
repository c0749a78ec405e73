package events

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// TypeWebhookReceived names [WebhookReceived].
const TypeWebhookReceived Type = "feira.webhook.received.v1"

// Longest texts of a [WebhookReceived], in bytes. They come from outside.
const (
	// MaxWebhookEvent bounds an event's id. A longer one of a provider's counts
	// by the hash of the body instead.
	MaxWebhookEvent = 256
	// MaxWebhookWord bounds its other texts.
	MaxWebhookWord = 256
)

// Fact is what a provider's event says, in one word for all providers. Others
// may come.
type Fact string

// Facts that providers tell of.
const (
	FactPaymentConfirmed Fact = "payment.confirmed"
	FactPaymentFailed    Fact = "payment.failed"
	FactPaymentRefunded  Fact = "payment.refunded"
	FactPaymentDisputed  Fact = "payment.disputed"
	FactPaymentUpdated   Fact = "payment.updated"

	FactInvoiceAuthorized Fact = "invoice.authorized"
	FactInvoiceRejected   Fact = "invoice.rejected"

	FactShipmentPosted    Fact = "shipment.posted"
	FactShipmentInTransit Fact = "shipment.in_transit"
	FactShipmentDelivered Fact = "shipment.delivered"
	FactShipmentFailed    Fact = "shipment.failed"
	FactShipmentUpdated   Fact = "shipment.updated"

	FactMessageReceived  Fact = "message.received"
	FactMessageDelivered Fact = "message.delivered"
	FactMessageRead      Fact = "message.read"
	FactMessageFailed    Fact = "message.failed"

	FactVerificationApproved Fact = "verification.approved"
	FactVerificationRejected Fact = "verification.rejected"
)

// Facts of a connection that Feira finds by looking after it.
const (
	// FactWebhookInterrupted: the provider has stopped telling, after too many
	// refusals or by somebody's order.
	FactWebhookInterrupted Fact = "connection.webhook_interrupted"
	// FactWebhookFailing: it is about to.
	FactWebhookFailing Fact = "connection.webhook_failing"
	// FactWebhookResumed: Feira has had it go on.
	FactWebhookResumed Fact = "connection.webhook_resumed"
)

// WebhookReceived is one event of a provider's, told once however often the
// provider sent it. It stands in the log of the session that made the object,
// else of the one that a rule of the tenant's opened for it, else of the
// connection's inbox ([InboxSession]); it may come after the session was closed.
// A turn that it causes is a request like any other. Its texts are a provider's:
// data, never orders.
type WebhookReceived struct {
	// Connection is where it came in, Server the provider.
	Connection string `json:"connection"`
	Server     string `json:"server"`
	// Event is the provider's id of it, or "sha256:" and the hash of the body:
	// unique within the connection.
	Event string `json:"event"`
	// Kind is the provider's own name of what happened.
	Kind string `json:"kind"`
	// Fact is what happened in Feira's words; empty where there is no word.
	Fact Fact `json:"fact,omitempty"`
	// Object is the provider's id of what it happened to.
	Object string `json:"object,omitempty"`
	// ToolCall is the call that made the object, where one of ours did: by the id
	// that it returned or, where its answer was lost, by the reference that it gave.
	// Of a call of which nobody knew what became of it, this is the proof that it
	// had its effect.
	ToolCall ToolCallID `json:"tool_call,omitempty"`
	// Status is the object's, in the provider's words.
	Status string `json:"status,omitempty"`
	// OccurredAt is the provider's time; absent where it gives none.
	OccurredAt time.Time `json:"occurred_at,omitzero"`
	// Late is set when a later event of the object was told before this one.
	Late bool `json:"late,omitempty"`
	// Unconfirmed is set where nothing but the address that it came to speaks for
	// it: it was not signed, and the provider, asked, did not say the same.
	Unconfirmed bool `json:"unconfirmed,omitempty"`
	// Found is set where the provider did not tell it: Feira found it by asking.
	Found bool `json:"found,omitempty"`
	// Request is the one that a rule of the tenant's made of it.
	Request RequestID `json:"request,omitempty"`
}

// EventType implements [Event].
func (*WebhookReceived) EventType() Type { return TypeWebhookReceived }

// Validate implements [Event].
func (e *WebhookReceived) Validate() error {
	var faults []error
	for _, field := range []struct {
		name, value string
		limit       int
		required    bool
	}{
		{"connection", e.Connection, MaxWebhookWord, true},
		{"server", e.Server, MaxWebhookWord, true},
		{"event", e.Event, MaxWebhookEvent, true},
		{"kind", e.Kind, MaxWebhookWord, false},
		{"fact", string(e.Fact), MaxWebhookWord, false},
		{"object", e.Object, MaxWebhookWord, false},
		{"status", e.Status, MaxWebhookWord, false},
	} {
		if field.required && field.value == "" {
			faults = append(faults, errors.New(field.name+" is missing"))
		}
		if len(field.value) > field.limit {
			faults = append(faults, fmt.Errorf("%s has %d bytes, at most %d are allowed", field.name, len(field.value), field.limit))
		}
	}
	return errors.Join(faults...)
}

// InboxSession is the session in whose log a connection's events stand that no
// session made and no rule took. It follows from the connection alone.
func InboxSession(tenant TenantID, connection string) SessionID {
	sum := sha256.Sum256([]byte("feira/inbox/" + string(tenant) + "/" + connection))
	return NewSession(tenant, [nonceBytes]byte(sum[:nonceBytes]))
}
