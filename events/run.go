package events

import (
	"fmt"
	"strconv"
	"time"
)

// Run is a grant: one request that a worker may start now. It travels wholly
// in headers, so that the scheduler reads its own grants back without bodies.
type Run struct {
	Tenant   TenantID
	Session  SessionID
	Request  RequestID
	Kind     Kind
	Sequence uint64 // of the request in REQUESTS
	Granted  time.Time
	Trace    string
}

// NewRun is the grant of a request at a moment.
func NewRun(head RequestHead, now time.Time) Run {
	return Run{
		Tenant: head.Tenant, Session: head.Session, Request: head.ID, Kind: head.Kind,
		Sequence: head.Sequence, Granted: now, Trace: head.Trace,
	}
}

// Key is the place of the run.
func (r Run) Key() RunKey {
	if r.Kind == KindCall {
		return CallKey(r.Sequence)
	}
	return TurnKey(r.Session)
}

// Message lays the run out for the wire.
func (r Run) Message() Message {
	header := make(Header, 7)
	header.Set(HeaderRequest, strconv.FormatUint(r.Sequence, 10))
	header.Set(HeaderSession, string(r.Session))
	header.Set(HeaderRequestID, string(r.Request))
	header.Set(HeaderKind, string(r.Kind))
	header.Set(HeaderTime, r.Granted.UTC().Format(time.RFC3339Nano))
	header.Set(HeaderTrace, r.Trace)
	return Message{Subject: RunsSubject(r.Tenant, r.Key()), Header: header}
}

// ParseRun reads a run from the wire.
func ParseRun(message Message) (Run, error) {
	tenant, _, err := SubjectRun(message.Subject)
	if err != nil {
		return Run{}, fmt.Errorf("%w: run: %w", ErrMalformed, err)
	}
	header := message.Header
	sequence, err := strconv.ParseUint(header.Value(HeaderRequest), 10, 64)
	if err != nil {
		return Run{}, fmt.Errorf("%w: run: header %s: %w", ErrMalformed, HeaderRequest, err)
	}
	granted, err := time.Parse(time.RFC3339Nano, header.Value(HeaderTime))
	if err != nil {
		return Run{}, fmt.Errorf("%w: run: header %s: %w", ErrMalformed, HeaderTime, err)
	}
	return Run{
		Tenant:   tenant,
		Session:  SessionID(header.Value(HeaderSession)),
		Request:  RequestID(header.Value(HeaderRequestID)),
		Kind:     Kind(header.Value(HeaderKind)),
		Sequence: sequence,
		Granted:  granted,
		Trace:    header.Value(HeaderTrace),
	}, nil
}
