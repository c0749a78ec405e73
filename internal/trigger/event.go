package trigger

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

// Names of the events that come from Feira itself; those of providers' webhooks
// are whatever their facts are called, as payment.confirmed.
const (
	NameTurnCompleted = "turn.completed"
	NameBudgetReached = "budget.reached"
	NameSessionClosed = "session.closed"
	// NameWebhook is a provider's event for which Feira has no word.
	NameWebhook = "webhook.received"
	// NameTest is told by the test of a trigger, whatever its pattern.
	NameTest = "trigger.test"
)

// maxText is how much of an agent's answer is told; the session's log has all.
const maxText = 8 << 10

// Event is a fact in the words in which tenants hear of it.
type Event struct {
	Name    string
	Tenant  events.TenantID
	Session events.SessionID
	// Server is whose doing it is; empty for Feira's own.
	Server string
	// Object is what it is about, and within what events are told in order.
	Object string
	// ToolCall is the call that made the object, where it is known.
	ToolCall string
	// At is when Feira wrote it down, Occurred when it happened where another
	// says so.
	At, Occurred time.Time
	Data         map[string]any
	// Cause is the fact's sequence in SESSIONS, Source and ID its name.
	Cause  uint64
	Source string
	ID     string
}

// Tells reports whether facts of a type are told to anybody.
func Tells(of events.Type) bool {
	return slices.Contains([]events.Type{
		events.TypeTurnCompleted, events.TypeBudgetReached, events.TypeSessionClosed, events.TypeWebhookReceived,
	}, of)
}

// FromRecord puts a fact of a session's log into a tenant's words; false for
// what tenants are not told.
func FromRecord(record events.Record) (Event, bool) {
	event := Event{
		Tenant: record.Tenant, Session: record.Session, Object: string(record.Session), At: record.Time.UTC(),
		Cause: record.Sequence, Source: record.Source, ID: record.ID,
	}
	switch fact := record.Event.(type) {
	case *events.TurnCompleted:
		event.Name, event.Data = NameTurnCompleted, turnData(record, fact)
	case *events.BudgetReached:
		event.Name, event.Data, event.Object, event.Session = NameBudgetReached, budgetData(fact), fact.Budget, fact.Session
	case *events.SessionClosed:
		event.Name, event.Data = NameSessionClosed, map[string]any{"reason": fact.Reason}
	case *events.WebhookReceived:
		event.tell(fact)
	default:
		return Event{}, false
	}
	return event, true
}

// tell fills in what a provider said. Its words stay within data, and are told
// as they came.
func (e *Event) tell(fact *events.WebhookReceived) {
	e.Name, e.Server, e.ToolCall = NameWebhook, fact.Server, string(fact.ToolCall)
	if patternForm.MatchString(string(fact.Fact)) {
		e.Name = string(fact.Fact)
	}
	if fact.Object != "" {
		e.Object = fact.Object
	}
	if !fact.OccurredAt.IsZero() {
		e.Occurred = fact.OccurredAt.UTC()
	}
	e.Data = map[string]any{"connection_id": fact.Connection, "provider_event": fact.Kind, "provider_event_id": fact.Event, "status": fact.Status}
	if fact.Late {
		e.Data["late"] = true
	}
	if fact.Unconfirmed {
		e.Data["unconfirmed"] = true
	}
}

func turnData(record events.Record, turn *events.TurnCompleted) map[string]any {
	message, cut := clip(turn.Message)
	data := map[string]any{
		"request_id": record.Request, "status": turn.Status, "message": message, "iterations": turn.Iterations,
		"tool_calls": turn.ToolCalls, "duration_ms": turn.DurationMS,
	}
	if cut {
		data["truncated"] = true
	}
	if turn.Reason != "" {
		data["reason"] = turn.Reason
	}
	return data
}

func budgetData(reached *events.BudgetReached) map[string]any {
	data := map[string]any{
		"budget": reached.Budget, "percent": reached.Percent, "unit": reached.Unit, "limit": reached.Limit,
		"spent": reached.Spent, "soft": reached.Soft, "period": reached.Period,
	}
	if reached.Currency != "" {
		data["currency"] = reached.Currency
	}
	return data
}

func clip(text string) (string, bool) {
	if len(text) <= maxText {
		return text, false
	}
	return strings.ToValidUTF8(text[:maxText], ""), true
}

// MessageID is the webhook-id under which a trigger is told of a fact.
func MessageID(tenant events.TenantID, trigger events.TriggerID, source, id string) string {
	sum := sha256.Sum256([]byte("feira/webhook/" + string(tenant) + "/" + string(trigger) + "\x00" + source + "\x00" + id))
	return "msg_" + hex.EncodeToString(sum[:16])
}
