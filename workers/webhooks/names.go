package webhooks

import (
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"

	"github.com/feira-dev/feira/events"
)

// digest is a hash of parts, none of which runs into another.
func digest(parts ...string) [sha256.Size]byte {
	var text strings.Builder
	for _, part := range parts {
		text.WriteString(strconv.Itoa(len(part)) + ":" + part)
	}
	return sha256.Sum256([]byte(text.String()))
}

func short(sum [sha256.Size]byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// eventKey names an event in the inbox. The tenant is part of it: one tenant's
// event is never taken for another's.
func eventKey(webhook events.Webhook, event string) string {
	return "e." + short(digest("event", string(webhook.Tenant), webhook.Connection, event))
}

// objectKey names a provider's object, which is of the server that made it,
// whichever tool it was made by.
func objectKey(tenant events.TenantID, server, object string) string {
	return "o." + short(digest("object", string(tenant), server, object))
}

// referenceKey names what a call of ours gave a server to know its effect by.
func referenceKey(tenant events.TenantID, server, reference string) string {
	return "r." + short(digest("reference", string(tenant), server, reference))
}

// wordKey names what can be told of an object once, or found.
func wordKey(webhook events.Webhook, word string) string {
	return "w." + short(digest("word", string(webhook.Tenant), webhook.Connection, word))
}

// requestID follows from the event, so that a request that is published again is
// the same one.
func requestID(webhook events.Webhook, event string) events.RequestID {
	return events.RequestID("wh_" + short(digest("request", string(webhook.Tenant), webhook.Connection, event)))
}

// derivedSession is the session that a rule opens: of an event, or of an object.
func derivedSession(webhook events.Webhook, of, name string) events.SessionID {
	sum := digest("session", of, string(webhook.Tenant), webhook.Connection, name)
	return events.NewSession(webhook.Tenant, [10]byte(sum[:10]))
}
