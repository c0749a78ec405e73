package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ErrInvalidRequest occurs when a request breaks the contract of REQUESTS; the
// error that wraps it names the header or field.
var ErrInvalidRequest = errors.New("invalid request")

// Priority orders the requests of one tenant, never those of two.
type Priority uint8

// Priorities, the most urgent first.
const (
	PriorityInteractive Priority = iota
	PriorityNormal
	PriorityBulk
)

// String implements fmt.Stringer with the name on the wire.
func (p Priority) String() string {
	switch p {
	case PriorityInteractive:
		return "interactive"
	case PriorityNormal:
		return "normal"
	case PriorityBulk:
		return "bulk"
	default:
		return "priority(" + strconv.Itoa(int(p)) + ")"
	}
}

// ParsePriority returns the priority of that name; "" is [PriorityNormal].
func ParsePriority(name string) (Priority, error) {
	switch name {
	case "interactive":
		return PriorityInteractive, nil
	case "", "normal":
		return PriorityNormal, nil
	case "bulk":
		return PriorityBulk, nil
	default:
		return 0, fmt.Errorf("%w: header %s is %q, want interactive, normal or bulk", ErrInvalidRequest, HeaderPriority, name)
	}
}

// RequestHead is all that the scheduler needs of a request: its headers, its
// place and its size, never its body.
type RequestHead struct {
	Tenant   TenantID
	Session  SessionID
	ID       RequestID
	Kind     Kind
	Priority Priority
	// NotBefore is the earliest start; zero means at once.
	NotBefore time.Time
	// Expires is the moment from which the request is no longer to be started;
	// zero means never.
	Expires  time.Time
	Sequence uint64
	// Received is the broker's time.
	Received time.Time
	// Size is the body's length in bytes.
	Size  int
	Trace string
}

// Headline is a request without its body: what a headers-only reader sees.
type Headline struct {
	Message
	// Size is the body's length in bytes.
	Size int
}

// ParseRequestHead reads the head of a request from its subject, headers and
// place. The tenant is that of the subject. What the caller left out is
// derived from the sequence. On an error the head is still good enough to
// refuse the request by: tenant, sequence and derived ids are set.
func ParseRequestHead(message Message, size int) (RequestHead, error) {
	head := RequestHead{
		Sequence: message.Sequence,
		Received: message.Time,
		Size:     size,
		Kind:     KindTurn,
		Priority: PriorityNormal,
		Trace:    message.Header.Value(HeaderTrace),
	}
	tenant, err := SubjectTenant(message.Subject)
	if err != nil {
		tenant = IllegalTenant
	}
	head.Tenant = tenant
	switch {
	case err != nil:
		err = fmt.Errorf("%w: subject: %w", ErrInvalidRequest, err)
	case size > MaxRequestBytes:
		err = fmt.Errorf("%w: body has %d bytes, at most %d are allowed", ErrTooLarge, size, MaxRequestBytes)
	default:
		err = head.readHeaders(message.Header)
	}
	// Deriving takes as long as all the rest, and most requests name both.
	if head.ID == "" {
		head.ID = DerivedRequest(message.Sequence)
	}
	if head.Session == "" {
		head.Session = DerivedSession(tenant, message.Sequence)
	}
	return head, err
}

func (h *RequestHead) readHeaders(header Header) error {
	var faults []error
	if text := header.Value(HeaderID); text != "" {
		if id, err := ParseRequestID(text); err != nil {
			faults = append(faults, fmt.Errorf("%w: header %s: %w", ErrInvalidRequest, HeaderID, err))
		} else {
			h.ID = id
		}
	}
	if text := header.Value(HeaderSession); text != "" {
		if session, err := ParseSessionID(text); err != nil {
			faults = append(faults, fmt.Errorf("%w: header %s: %w", ErrInvalidRequest, HeaderSession, err))
		} else {
			h.Session = session
		}
	}
	switch kind := Kind(header.Value(HeaderKind)); kind {
	case "":
	case KindTurn, KindCall:
		h.Kind = kind
	default:
		faults = append(faults, fmt.Errorf("%w: header %s is %q, want %s or %s", ErrInvalidRequest, HeaderKind, kind, KindTurn, KindCall))
	}
	if priority, err := ParsePriority(header.Value(HeaderPriority)); err != nil {
		faults = append(faults, err)
	} else {
		h.Priority = priority
	}
	var late, early error
	h.NotBefore, late = parseMoment(header, HeaderNotBefore)
	h.Expires, early = parseMoment(header, HeaderExpires)
	return errors.Join(append(faults, late, early)...)
}

func parseMoment(header Header, key string) (time.Time, error) {
	text := header.Value(key)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: header %s is %q, want RFC 3339", ErrInvalidRequest, key, text)
	}
	return at, nil
}

// Expired reports whether it is too late to start the request.
func (h *RequestHead) Expired(now time.Time) bool {
	return !h.Expires.IsZero() && !now.Before(h.Expires)
}

// Key is the place of the request's run.
func (h *RequestHead) Key() RunKey {
	if h.Kind == KindCall {
		return CallKey(h.Sequence)
	}
	return TurnKey(h.Session)
}

// Request is the body of a request.
type Request struct {
	// Message is the caller's text; a turn needs it.
	Message string `json:"message,omitempty"`
	// Tool and Arguments are what a call dispatches.
	Tool      string          `json:"tool,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	// Metadata is stamped on the request's usage rows.
	Metadata map[string]string `json:"metadata,omitempty"`
	// Mocks, of a request that opens its session in test mode, answer the
	// session's tool calls in its providers' place. A request to a session that
	// is open has none, or the same.
	Mocks json.RawMessage `json:"mocks,omitempty"`
}

// Validate says what makes the request unfit for its kind, naming the field.
func (r *Request) Validate(kind Kind) error {
	switch kind {
	case KindTurn:
		if r.Message == "" {
			return fmt.Errorf("%w: field message is empty", ErrInvalidRequest)
		}
		if r.Tool != "" {
			return fmt.Errorf("%w: field tool needs header %s: %s", ErrInvalidRequest, HeaderKind, KindCall)
		}
	case KindCall:
		if r.Tool == "" {
			return fmt.Errorf("%w: field tool is empty", ErrInvalidRequest)
		}
		if len(r.Arguments) > 0 && !bytes.HasPrefix(bytes.TrimSpace(r.Arguments), []byte("{")) {
			return fmt.Errorf("%w: field arguments is no object", ErrInvalidRequest)
		}
	default:
		return fmt.Errorf("%w: kind is %q", ErrInvalidRequest, kind)
	}
	return nil
}

// ParseRequest reads the body of a request of the given kind. Unknown fields
// are passed over.
func ParseRequest(kind Kind, data []byte) (Request, error) {
	var request Request
	if err := json.Unmarshal(data, &request); err != nil {
		return Request{}, fmt.Errorf("%w: body is not the JSON of a request: %w", ErrInvalidRequest, err)
	}
	return request, request.Validate(kind)
}

// RequestParams is what a producer says of a request; the zero value of each
// field but Tenant leaves the choice to Feira.
type RequestParams struct {
	Tenant    TenantID
	Session   SessionID
	ID        RequestID
	Kind      Kind
	Priority  Priority // as given; the zero value is interactive, so producers set it
	NotBefore time.Time
	Expires   time.Time
	Trace     string
}

// NewRequest lays a request out for the wire, refusing one that a worker would
// reject.
func NewRequest(params RequestParams, request Request) (Message, error) {
	if params.Kind == "" {
		params.Kind = KindTurn
	}
	if err := request.Validate(params.Kind); err != nil {
		return Message{}, err
	}
	data, err := marshal(request)
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrInvalidRequest, err)
	}
	header := make(Header, 6)
	header.Set(HeaderSession, string(params.Session))
	header.Set(HeaderID, string(params.ID))
	header.Set(HeaderKind, string(params.Kind))
	header.Set(HeaderPriority, params.Priority.String())
	setMoment(header, HeaderNotBefore, params.NotBefore)
	setMoment(header, HeaderExpires, params.Expires)
	header.Set(HeaderTrace, params.Trace)
	message := Message{Subject: RequestsSubject(params.Tenant), Header: header, Data: data}
	if _, err := ParseTenantID(string(params.Tenant)); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrInvalidRequest, err)
	}
	if _, err := ParseRequestHead(message, len(data)); err != nil {
		return Message{}, err
	}
	return message, nil
}

// setMoment writes the fraction of a second too: cut off, a request could
// start before its time or expire at once.
func setMoment(header Header, key string, at time.Time) {
	if !at.IsZero() {
		header.Set(key, at.UTC().Format(time.RFC3339Nano))
	}
}
