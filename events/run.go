package events

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Answers of the broker to a grant.
var (
	// ErrOutstanding occurs when the run's place is still taken: the session
	// has a run that has not been acknowledged.
	ErrOutstanding = errors.New("the run's place is still taken")
	// ErrStaleGrant occurs when RUNS has moved on since the scheduler last knew
	// it: another leader grants, or an earlier grant of this one was refused.
	ErrStaleGrant = errors.New("the grant is stale")
	// ErrUncertainGrant occurs when the broker's answer was lost.
	ErrUncertainGrant = errors.New("the outcome of the grant is not known")
)

// Place is where a run stands in RUNS.
type Place struct {
	Tenant TenantID
	Key    RunKey
}

// Run is a grant: one request that a worker may start now. It travels wholly
// in headers, so that the scheduler reads its own grants back without bodies.
// What else the worker needs, it reads with the request.
type Run struct {
	Tenant   TenantID
	Session  SessionID
	Kind     Kind
	Sequence uint64 // of the request in REQUESTS
	Granted  time.Time
}

// Key is the place of the run.
func (r Run) Key() RunKey {
	if r.Kind == KindCall {
		return CallKey(r.Sequence)
	}
	return TurnKey(r.Session)
}

// Place is where the run stands.
func (r Run) Place() Place { return Place{Tenant: r.Tenant, Key: r.Key()} }

// Message lays the run out for the wire.
func (r Run) Message() Message {
	header := make(Header, 4)
	header.Set(HeaderRequest, strconv.FormatUint(r.Sequence, 10))
	header.Set(HeaderSession, string(r.Session))
	header.Set(HeaderKind, string(r.Kind))
	header.Set(HeaderTime, r.Granted.UTC().Format(time.RFC3339Nano))
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
		Kind:     Kind(header.Value(HeaderKind)),
		Sequence: sequence,
		Granted:  granted,
	}, nil
}
