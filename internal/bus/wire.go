package bus

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feira-dev/feira/events"
)

// Headers of the broker's that have no name in jetstream.
const (
	headerInternal   = "Nats-"
	headerSize       = "Nats-Msg-Size"
	headerNumPending = "Nats-Num-Pending"
	headerStatus     = "Status"
	headerDetail     = "Description"
)

// ackPrefix begins the reply subject of every message that a consumer
// delivers. The broker alone writes it, so it tells a message from a status,
// which a producer may imitate in headers.
const ackPrefix = "$JS.ACK."

// said returns the broker's value of a header: the last, because the broker
// adds its own behind whatever the producer wrote under the same name.
func said(header nats.Header, key string) string {
	if values := header[key]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

func saidNumber(header nats.Header, key string) (uint64, bool) {
	number, err := strconv.ParseUint(said(header, key), 10, 64)
	return number, err == nil
}

// ownHeader is what the producer wrote: the header without the broker's. It
// takes the map over.
func ownHeader(header nats.Header) events.Header {
	maps.DeleteFunc(header, func(key string, _ []string) bool { return strings.HasPrefix(key, headerInternal) })
	return events.Header(header)
}

// stored reads a message that the broker handed out with its place in headers:
// a direct get or a republication. It reports false for what is no message.
func stored(msg *nats.Msg) (events.Message, bool) {
	sequence, ok := saidNumber(msg.Header, jetstream.SequenceHeader)
	subject := said(msg.Header, jetstream.SubjectHeader)
	if !ok || subject == "" {
		return events.Message{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, said(msg.Header, jetstream.TimeStampHeaer))
	if err != nil {
		return events.Message{}, false
	}
	return events.Message{Subject: subject, Header: ownHeader(msg.Header), Data: msg.Data, Sequence: sequence, Time: at}, true
}

// delivered reads a message that a consumer delivered. It reports false for a
// status, or a message of nobody's.
func delivered(msg *nats.Msg) (events.Message, *nats.MsgMetadata, bool) {
	if !strings.HasPrefix(msg.Reply, ackPrefix) {
		return events.Message{}, nil, false
	}
	place, err := msg.Metadata()
	if err != nil {
		return events.Message{}, nil, false
	}
	return events.Message{
		Subject:  msg.Subject,
		Header:   ownHeader(msg.Header),
		Data:     msg.Data,
		Sequence: place.Sequence.Stream,
		Time:     place.Timestamp,
	}, place, true
}

// outbound lays a message out for the client. The header map is shared.
func outbound(message events.Message) *nats.Msg {
	return &nats.Msg{Subject: message.Subject, Header: nats.Header(message.Header), Data: message.Data}
}

// record reads an event. What cannot be read comes without its event, with the
// envelope as far as its headers tell: readers pass over it.
func record(message events.Message) (events.Record, error) {
	read, err := events.Decode(message)
	if err == nil {
		return read, nil
	}
	header := message.Header
	at, _ := time.Parse(time.RFC3339Nano, header.Value(events.HeaderTime))
	return events.Record{
		Envelope: events.Envelope{
			ID:      header.Value(events.HeaderID),
			Source:  header.Value(events.HeaderSource),
			Type:    events.Type(header.Value(events.HeaderType)),
			Time:    at,
			Tenant:  events.TenantID(header.Value(events.HeaderTenant)),
			Session: events.SessionID(header.Value(events.HeaderSessionID)),
			Request: events.RequestID(header.Value(events.HeaderRequestID)),
			Trace:   header.Value(events.HeaderTrace),
		},
		Sequence: message.Sequence,
	}, err
}
