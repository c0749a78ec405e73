package events

import "time"

// Message is what a broker carries: the wire form that adapters send and
// receive, free of any client library.
type Message struct {
	Subject string
	Header  Header
	Data    []byte

	// Sequence and Time are the broker's, for a message that was stored.
	Sequence uint64
	Time     time.Time
}

// Header holds a message's headers, keys spelled exactly as on the wire.
type Header map[string][]string

// Headers of the envelope (CloudEvents 1.0, binary mode of its NATS binding)
// and of requests.
const (
	HeaderSpecVersion = "Ce-Specversion"
	HeaderID          = "Ce-Id"
	HeaderSource      = "Ce-Source"
	HeaderType        = "Ce-Type"
	HeaderTime        = "Ce-Time"
	HeaderSubject     = "Ce-Subject"
	HeaderTenant      = "Ce-Tenantid"
	HeaderSessionID   = "Ce-Sessionid"
	HeaderRequestID   = "Ce-Requestid"
	HeaderContentType = "Content-Type"
	HeaderTrace       = "Traceparent"

	// HeaderMsgID is the broker's own first filter against doubles. It works
	// per stream and for a short time, so nothing relies on it.
	HeaderMsgID = "Nats-Msg-Id"

	HeaderSession   = "Feira-Session"
	HeaderKind      = "Feira-Kind"
	HeaderPriority  = "Feira-Priority"
	HeaderNotBefore = "Feira-Not-Before"
	HeaderExpires   = "Feira-Expires"
	HeaderRequest   = "Feira-Request" // sequence in REQUESTS, on a run

	HeaderConnection = "Feira-Connection" // where a webhook came in
	HeaderFound      = "Feira-Found"      // "true" on a webhook that Feira wrote itself, of what it found by asking
	HeaderUnsigned   = "Feira-Unsigned"   // "true" on a webhook that nothing but its address proves
)

// Value returns the first value of key, or "".
func (h Header) Value(key string) string {
	if values := h[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Set gives key this one value; an empty value removes the key.
func (h Header) Set(key, value string) {
	if value == "" {
		delete(h, key)
		return
	}
	h[key] = []string{value}
}
