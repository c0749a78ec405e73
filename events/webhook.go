package events

import (
	"fmt"
	"strings"
	"time"
)

// MaxWebhookBytes is the largest body of a provider's webhook that is taken.
const MaxWebhookBytes = 256 << 10

// Webhook is one delivery of a provider's, proven to be the provider's and not
// read yet: the body as it came.
type Webhook struct {
	Tenant     TenantID
	Server     string
	Connection string
	// Event is the id that the provider gave in a header that it signed; empty
	// where the body has it.
	Event string
	// Unsigned is set where nothing but the address that it came to proves it: what
	// it says has to be asked for again before it counts.
	Unsigned bool
	// Found is set where no provider sent it: Feira asked what had become of things,
	// and wrote it in the provider's form.
	Found    bool
	Received time.Time
	Body     []byte
}

// Message lays the webhook out for the wire.
func (w Webhook) Message() Message {
	header := make(Header, 6)
	if w.Found {
		header.Set(HeaderFound, "true")
	}
	if w.Unsigned {
		header.Set(HeaderUnsigned, "true")
	}
	header.Set(HeaderConnection, w.Connection)
	header.Set(HeaderID, w.Event)
	header.Set(HeaderTime, w.Received.UTC().Format(time.RFC3339Nano))
	return Message{Subject: WebhooksSubject(w.Tenant, w.Server), Header: header, Data: w.Body}
}

// ParseWebhook reads a webhook from the wire. Tenant and server are those of
// the subject, on which gateways alone may publish.
func ParseWebhook(message Message) (Webhook, error) {
	parts := strings.Split(message.Subject, ".")
	if len(parts) != 4 || parts[0] != root || parts[1] != "webhooks" || parts[3] == "" {
		return Webhook{}, fmt.Errorf("%w: %q is no webhook's", ErrForeignSubject, message.Subject)
	}
	tenant, err := ParseTenantID(parts[2])
	if err != nil {
		return Webhook{}, err
	}
	header := message.Header
	connection := header.Value(HeaderConnection)
	if connection == "" {
		return Webhook{}, fmt.Errorf("%w: webhook: header %s is missing", ErrMalformed, HeaderConnection)
	}
	received, err := time.Parse(time.RFC3339Nano, header.Value(HeaderTime))
	if err != nil {
		return Webhook{}, fmt.Errorf("%w: webhook: header %s: %w", ErrMalformed, HeaderTime, err)
	}
	return Webhook{
		Tenant: tenant, Server: parts[3], Connection: connection,
		Event: header.Value(HeaderID), Unsigned: header.Value(HeaderUnsigned) == "true", Found: header.Value(HeaderFound) == "true", Received: received, Body: message.Data,
	}, nil
}
