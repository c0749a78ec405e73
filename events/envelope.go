package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Type is the name of an event, feira.<noun>.<past verb>.v<n>.
type Type string

// Event is the data of one fact. Implementations are plain structs, one a file.
type Event interface {
	// EventType is the name under which the event travels.
	EventType() Type
	// Validate says what makes the event unfit to be written, naming the field.
	Validate() error
}

// Fault classes of a message that cannot be read or written.
var (
	// ErrMalformed occurs when a message is not what its headers say.
	ErrMalformed = errors.New("malformed message")
	// ErrUnknownType occurs when an event's type is not in the catalogue.
	ErrUnknownType = errors.New("unknown event type")
	// ErrTooLarge occurs when data exceeds a limit; the error names it.
	ErrTooLarge = errors.New("too large")
	// ErrInvalidEvent occurs when an event fails its own Validate on writing.
	ErrInvalidEvent = errors.New("invalid event")
)

const (
	specVersion = "1.0"
	contentJSON = "application/json"
)

// Envelope is the context of an event, CloudEvents 1.0 in binary mode: it
// travels in headers, the event as JSON in the body.
type Envelope struct {
	// ID is deterministic from the cause and unique within Source, so that a
	// writer which lost the broker's answer can find its own event again.
	ID      string
	Source  string
	Type    Type
	Time    time.Time
	Tenant  TenantID
	Session SessionID
	Request RequestID
	// Trace is a W3C traceparent; empty when there is none.
	Trace string
}

// SessionSource is the source of all events of a session.
func SessionSource(tenant TenantID, session SessionID) string {
	return "/tenants/" + string(tenant) + "/sessions/" + string(session)
}

// Record is one stored event of a session's log.
type Record struct {
	Envelope
	Event    Event
	Sequence uint64 // in the stream
	// Previous is the sequence of the session's event before this one, 0 for
	// the first. The feed alone tells it, so that a gap shows; it is 0 in what is
	// read from the log.
	Previous uint64
}

// Encode lays an event out for the wire. It refuses one that is invalid
// ([ErrInvalidEvent]) or whose data exceeds [MaxEventBytes] ([ErrTooLarge]).
func Encode(subject string, env Envelope, event Event) (Message, error) {
	if err := event.Validate(); err != nil {
		return Message{}, fmt.Errorf("%w: %s: %w", ErrInvalidEvent, event.EventType(), err)
	}
	data, err := marshal(event)
	if err != nil {
		return Message{}, fmt.Errorf("%w: %s: %w", ErrInvalidEvent, event.EventType(), err)
	}
	if len(data) > MaxEventBytes {
		return Message{}, fmt.Errorf("%w: %s has %d bytes of data, at most %d are allowed", ErrTooLarge, event.EventType(), len(data), MaxEventBytes)
	}
	header := make(Header, 11)
	header.Set(HeaderSpecVersion, specVersion)
	header.Set(HeaderContentType, contentJSON)
	header.Set(HeaderID, env.ID)
	header.Set(HeaderSource, env.Source)
	header.Set(HeaderType, string(event.EventType()))
	header.Set(HeaderTime, env.Time.UTC().Format(time.RFC3339Nano))
	header.Set(HeaderSubject, string(env.Tenant))
	header.Set(HeaderTenant, string(env.Tenant))
	header.Set(HeaderSessionID, string(env.Session))
	header.Set(HeaderRequestID, string(env.Request))
	header.Set(HeaderTrace, env.Trace)
	return Message{Subject: subject, Header: header, Data: data}, nil
}

// Decode reads an event from the wire. Fields that it does not know are
// passed over; a body that is not the event that the headers announce is
// [ErrMalformed], a type outside the catalogue [ErrUnknownType].
func Decode(message Message) (Record, error) {
	header := message.Header
	env := Envelope{
		ID:      header.Value(HeaderID),
		Source:  header.Value(HeaderSource),
		Type:    Type(header.Value(HeaderType)),
		Tenant:  TenantID(header.Value(HeaderTenant)),
		Session: SessionID(header.Value(HeaderSessionID)),
		Request: RequestID(header.Value(HeaderRequestID)),
		Trace:   header.Value(HeaderTrace),
	}
	if version := header.Value(HeaderSpecVersion); version != specVersion {
		return Record{}, fmt.Errorf("%w: header %s is %q, want %q", ErrMalformed, HeaderSpecVersion, version, specVersion)
	}
	if env.ID == "" {
		return Record{}, fmt.Errorf("%w: header %s is missing", ErrMalformed, HeaderID)
	}
	at, err := time.Parse(time.RFC3339Nano, header.Value(HeaderTime))
	if err != nil {
		return Record{}, fmt.Errorf("%w: header %s: %w", ErrMalformed, HeaderTime, err)
	}
	env.Time = at
	if env.Type == TypeUsageRecorded {
		if recorded := new(UsageRecorded); decodeUsage(message.Data, recorded) {
			return Record{Envelope: env, Event: recorded, Sequence: message.Sequence}, nil
		}
	}
	event, err := newEvent(env.Type)
	if err != nil {
		return Record{}, err
	}
	if err := json.Unmarshal(message.Data, event); err != nil {
		return Record{}, fmt.Errorf("%w: data of %s: %w", ErrMalformed, env.Type, err)
	}
	return Record{Envelope: env, Event: event, Sequence: message.Sequence}, nil
}

// marshal is json.Marshal without the escapes for HTML, which would make six
// bytes of each "<" in a provider's answer.
func marshal(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
