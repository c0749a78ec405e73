package webhooks

import (
	"context"
	"fmt"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// arrival is a delivery that could be read.
type arrival struct {
	events.Webhook

	event  webhook.Event
	key    string
	stored time.Time // by the broker's clock, where it is known
}

// plan is what is to become of an event. It is written down before anything is
// done, so that whoever goes on does the same.
type plan struct {
	// Log is the session in whose log the event is told, behind After.
	Log   events.SessionID `json:"log"`
	After uint64           `json:"after"`
	// Session and Request are of the request that the rule makes; empty for none.
	Session events.SessionID    `json:"session,omitempty"`
	Request events.RequestID    `json:"request,omitempty"`
	Rule    *tenant.WebhookRule `json:"rule,omitempty"`

	ToolCall    events.ToolCallID `json:"tool_call,omitempty"`
	Late        bool              `json:"late,omitempty"`
	Unconfirmed bool              `json:"unconfirmed,omitempty"`
	Done        bool              `json:"done,omitempty"`
}

// decide says what is to become of an event that nobody has seen before.
func (w *Worker) decide(ctx context.Context, a arrival, customer tenant.Tenant) (plan, error) {
	maker, err := w.maker(ctx, a)
	if err == nil && maker.Session == "" && (a.event.Object != "" || a.event.Reference != "") {
		// What the index learned since the first look counts too, so it comes first.
		if err = w.certain(ctx, a); err == nil {
			maker, err = w.maker(ctx, a)
		}
	}
	if err != nil {
		return plan{}, err
	}
	decided := plan{Log: maker.Session, ToolCall: maker.ToolCall}
	if decided.Late, err = w.late(ctx, a); err != nil {
		return plan{}, err
	}
	confirmed, err := w.confirmed(ctx, a, customer)
	if err != nil {
		return plan{}, err
	}
	decided.Unconfirmed = !confirmed
	if rule, ok := choose(customer.Webhooks, a, standing{ours: maker.Session != "", confirmed: confirmed}); ok {
		decided.Rule, decided.Request = &rule, requestID(a.Webhook, a.event.ID)
		if decided.Session, err = w.stage(ctx, a, rule, maker); err != nil {
			return plan{}, err
		}
		if decided.Log == "" {
			decided.Log = decided.Session
		}
	}
	if decided.Log == "" {
		decided.Log = events.InboxSession(a.Tenant, a.Connection)
	}
	decided.After, err = w.cfg.Log.Last(ctx, a.Tenant, decided.Log)
	return decided, err
}

// maker finds the call of ours that made the event's object, or what it belongs
// to: by the ids that calls returned, and, of a call whose answer never came, by
// the reference that it gave.
func (w *Worker) maker(ctx context.Context, a arrival) (holder, error) {
	var keys []string
	for _, object := range a.event.Objects() {
		keys = append(keys, objectKey(a.Tenant, a.Server, object))
	}
	if a.event.Reference != "" {
		keys = append(keys, referenceKey(a.Tenant, a.Server, a.event.Reference))
	}
	for _, key := range keys {
		held, _, err := w.objects.load(ctx, key)
		if err != nil {
			return holder{}, fmt.Errorf("looking for who made an object: %w", err)
		}
		if held.Session != "" {
			return held, nil
		}
	}
	return holder{}, nil
}

// occurred is the provider's time where it can be believed: one from the future
// would make all that follow it late.
func (a arrival) occurred() time.Time {
	const ahead = 15 * time.Minute
	if a.event.OccurredAt.After(a.Received.Add(ahead)) {
		return time.Time{}
	}
	return a.event.OccurredAt
}

func (w *Worker) late(ctx context.Context, a arrival) (bool, error) {
	if a.event.Object == "" || a.occurred().IsZero() {
		return false, nil
	}
	held, _, err := w.objects.load(ctx, objectKey(a.Tenant, a.Server, a.event.Object))
	if err != nil {
		return false, fmt.Errorf("looking for what was told of an object: %w", err)
	}
	return held.Latest.After(a.occurred()), nil
}

// standing is what is known of an event besides its own words.
type standing struct{ ours, confirmed bool }

// choose is the first rule that holds.
func choose(rules []tenant.WebhookRule, a arrival, known standing) (tenant.WebhookRule, bool) {
	for _, rule := range rules {
		if !rule.Matches(a.Server, a.event.Kind, string(a.event.Fact)) || rule.Where() == tenant.SessionMaker && !known.ours {
			continue
		}
		if !known.confirmed && !rule.Unconfirmed {
			continue
		}
		if holds(rule, a.Body) {
			return rule, true
		}
	}
	return tenant.WebhookRule{}, false
}

// stage is the session in which a rule's request runs. A session that has been
// closed runs nothing any more: what its objects do goes on in one of theirs.
func (w *Worker) stage(ctx context.Context, a arrival, rule tenant.WebhookRule, maker holder) (events.SessionID, error) {
	object := a.event.Object
	if object == "" {
		object = a.event.ID
	}
	switch rule.Where() {
	case tenant.SessionMaker:
		records, err := w.cfg.Log.Read(ctx, a.Tenant, maker.Session, 0)
		if err != nil {
			return "", fmt.Errorf("reading the session that made an object: %w", err)
		}
		for _, record := range records {
			if record.Type == events.TypeSessionClosed {
				return derivedSession(a.Webhook, "object", object), nil
			}
		}
		return maker.Session, nil
	case tenant.SessionObject:
		return derivedSession(a.Webhook, "object", object), nil
	case tenant.SessionNew:
	}
	return derivedSession(a.Webhook, "event", a.event.ID), nil
}
