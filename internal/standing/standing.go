package standing

import (
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

// Kind is what a call may have begun.
type Kind string

// Kinds. Each is what the facts of it begin with, before a dot.
const (
	KindPayment      Kind = "payment"
	KindVerification Kind = "verification"
)

// Status is how it stands.
type Status string

// Statuses of payments, and then of verifications.
const (
	Unknown   Status = "unknown"
	Pending   Status = "pending"
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	Refunded  Status = "refunded"
	Updated   Status = "updated"

	Approved Status = "approved"
	Rejected Status = "rejected"
	Expired  Status = "expired"
	Review   Status = "review"
)

// Call is the call itself.
type Call string

// States of a call.
const (
	CallAbsent  Call = ""
	CallRunning Call = "running"
	CallSuccess Call = "success"
	CallError   Call = "error"
)

// Event is something that the provider told of it later.
type Event struct {
	// Type is the fact, in one vocabulary for all providers.
	Type       string
	ReceivedAt time.Time
	Provider   string
	// Action is the provider's own word for it.
	Action string
	// Object is the provider's id of what it is about.
	Object string
}

// Standing is what is known of one call, of one kind. It belongs to one
// goroutine.
type Standing struct {
	kind  Kind
	place events.ToolCallPlace
	id    events.ToolCallID

	call   Call
	key    string
	server string
	result result
	status Status
	events []Event
	// doubt is set where nobody knew what became of the call as it ended.
	doubt bool
}

// New knows nothing yet of the call.
func New(kind Kind, place events.ToolCallPlace) *Standing {
	return &Standing{kind: kind, place: place, id: place.ID(), status: Unknown}
}

// Apply folds the session's next record in, and reports whether more is known
// by it.
func (s *Standing) Apply(record events.Record) bool {
	switch event := record.Event.(type) {
	case *events.TurnStarted:
		return record.Request == s.place.Request && event.Call != nil && s.place.Iteration == 0 && s.place.Index == 0 && s.begin()
	case *events.ModelReplied:
		return record.Request == s.place.Request && event.Iteration == s.place.Iteration && s.place.Index < len(event.ToolCalls) && s.begin()
	case *events.ToolReturned:
		here := record.Request == s.place.Request && event.Iteration == s.place.Iteration && event.Index == s.place.Index
		return here && s.end(event)
	case *events.WebhookReceived:
		return s.hear(record, event)
	}
	return false
}

func (s *Standing) begin() bool {
	if s.call != CallAbsent {
		return false
	}
	s.call = CallRunning
	return true
}

// end takes in the call's one outcome: the first word on it counts. What a
// webhook told before is later than the answer, though it came sooner.
func (s *Standing) end(event *events.ToolReturned) bool {
	if s.call == CallSuccess || s.call == CallError {
		return false
	}
	s.call, s.key, s.server = CallSuccess, event.Key, event.Server
	s.doubt = event.Status == events.ToolUnknown
	if event.Status != events.ToolOK && (!s.doubt || len(s.events) == 0) {
		s.call = CallError
	}
	s.result = readResult(event)
	if len(s.events) == 0 {
		s.status = s.answered(event)
	}
	return true
}

// answered is how it stands by the provider's answer alone. A call without a key
// never reached a provider.
func (s *Standing) answered(event *events.ToolReturned) Status {
	switch {
	case event.Key == "" || event.Status == events.ToolUnknown || s.kind != KindPayment:
		return Unknown
	case event.Status != events.ToolOK:
		return Failed
	default:
		return paymentOf(event.Server, s.result)
	}
}

// hear takes in a provider's event of the call.
func (s *Standing) hear(record events.Record, event *events.WebhookReceived) bool {
	word, ours := strings.CutPrefix(string(event.Fact), string(s.kind)+".")
	if !ours || event.Unconfirmed || !s.about(event) {
		return false
	}
	s.events = append(s.events, Event{
		Type: string(event.Fact), ReceivedAt: record.Time, Provider: event.Server, Action: event.Kind, Object: event.Object,
	})
	if s.doubt {
		s.call = CallSuccess // the provider tells of what it made
	}
	if !event.Late {
		s.status = s.moved(word)
	}
	return true
}

// about reports whether the event is of what this call made: by the call's name,
// or, where the event names none, by the object that the call answered with.
func (s *Standing) about(event *events.WebhookReceived) bool {
	if event.ToolCall != "" {
		return event.ToolCall == s.id
	}
	return s.call == CallSuccess && s.result.object() != "" && event.Object == s.result.object() && event.Server == s.server
}

// moved is how it stands after a fact. That something was updated is no news of
// what is settled; a dispute opens it again.
func (s *Standing) moved(word string) Status {
	if s.kind == KindVerification {
		known := []Status{Pending, Approved, Rejected, Expired, Review}
		if slices.Contains(known, Status(word)) {
			return Status(word)
		}
		return s.status
	}
	switch word {
	case "confirmed":
		return Succeeded
	case "failed":
		return Failed
	case "refunded":
		return Refunded
	case "disputed":
		return Updated
	case "updated":
		if s.status == Unknown || s.status == Pending {
			return Updated
		}
	}
	return s.status
}

// ID names the call.
func (s *Standing) ID() events.ToolCallID { return s.id }

// Call is the call itself; [CallAbsent] where the log has no such call.
func (s *Standing) Call() Call { return s.call }

// Status is how it stands; pending while the call runs.
func (s *Standing) Status() Status {
	if s.call == CallRunning && len(s.events) == 0 {
		return Pending
	}
	return s.status
}

// Key is the idempotency key that the provider has; empty for a call that never
// reached one.
func (s *Standing) Key() string { return s.key }

// Events are the provider's, as they came. They are not to be changed.
func (s *Standing) Events() []Event { return s.events }

// HostedURL is where a person is to go for it; empty where the provider gave no
// such place, or none that is safe to go to.
func (s *Standing) HostedURL() string { return s.result.hostedURL() }

// Settled reports whether nothing more is to be waited for: it has its end, or
// never reached a provider that could tell of it.
func (s *Standing) Settled() bool {
	switch s.Status() {
	case Succeeded, Failed, Refunded, Approved, Rejected, Expired:
		return true
	case Unknown:
		return (s.call == CallSuccess || s.call == CallError) && s.key == ""
	case Pending, Updated, Review:
	}
	return false
}
