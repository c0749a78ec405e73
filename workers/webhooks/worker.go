package webhooks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/webhook"
)

// Defaults of [Config].
const (
	DefaultGrace = 2 * time.Second
	DefaultLanes = 16

	DefaultPatience = 10 * time.Minute
)

// Reasons of dead letters.
const (
	ReasonUnreadable    = "webhook_unreadable"
	ReasonUnknownTenant = "unknown_tenant"
	ReasonRuleUnfit     = "webhook_rule_unfit"
	ReasonPanic         = "webhook_panicked"
)

// maxPanics is how often a delivery may panic before it is buried.
const maxPanics = 3

// fullPause is how long an event waits whose request the broker does not take.
const fullPause = 2 * time.Second

// Config is what a worker is made of.
type Config struct {
	Log      Log
	Requests Requests
	Cemetery Cemetery
	Tenants  Tenants
	// Inbox holds what is to become of events, Objects who made what.
	Inbox   Records
	Objects Records
	Logger  *slog.Logger
	// Full reports whether an error of Requests means that the tenant has as many
	// waiting as it may. Defaults to never.
	Full func(error) bool
	// Progress says how far the index has come that writes Objects.
	Progress Progress
	// Grace is until how long after its receipt the index must have learned of all,
	// before an event is of no object that a call of ours made. Defaults to 2 s.
	Grace time.Duration
	// Asker asks providers whether what nobody signed is so. Defaults to nobody, so
	// that all of it stays unconfirmed.
	Asker Asker
	// Patience is for how long after its receipt an event waits for a provider that
	// cannot be asked just now, and for an index that is behind. Defaults to 10 min.
	Patience time.Duration
	// Lanes is how many connections are worked on at one time. Defaults to 16.
	Lanes int
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Worker routes webhooks. It is safe for concurrent use.
type Worker struct {
	cfg     Config
	objects objects
	learned *learned
	paces   *paces
}

// New makes a worker, or says what is missing.
func New(config Config) (*Worker, error) {
	if config.Log == nil || config.Requests == nil || config.Cemetery == nil || config.Tenants == nil ||
		config.Inbox == nil || config.Objects == nil || config.Progress == nil || config.Logger == nil {
		return nil, errors.New("webhooks: log, requests, cemetery, tenants, inbox, objects, progress and logger are needed")
	}
	config.Grace, config.Lanes = cmp.Or(config.Grace, DefaultGrace), cmp.Or(config.Lanes, DefaultLanes)
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Full == nil {
		config.Full = func(error) bool { return false }
	}
	if config.Asker == nil {
		config.Asker = nobody{}
	}
	config.Patience = cmp.Or(config.Patience, DefaultPatience)
	paces, err := newPaces()
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	return &Worker{cfg: config, objects: objects{config.Objects}, learned: &learned{progress: config.Progress}, paces: paces}, nil
}

// read makes an arrival of a delivery, or says why nothing can be made of it.
func read(message events.Message) (arrival, error) {
	sent, err := events.ParseWebhook(message)
	if err != nil {
		return arrival{}, err
	}
	event, err := webhook.Read(sent.Server, sent.Event, sent.Body)
	if err != nil {
		return arrival{Webhook: sent}, err
	}
	if sent.Found && event.Fact == "" {
		event.Fact = webhook.WarningOf(event.Kind)
	}
	a := arrival{Webhook: sent, event: event, key: eventKey(sent, event.ID), stored: message.Time}
	if a.stored.IsZero() {
		a.stored = sent.Received
	}
	return a, nil
}

// take brings one event to its end.
func (w *Worker) take(ctx context.Context, a arrival, message events.Message, count int) (err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		err = fmt.Errorf("a webhook panicked: %v", value)
		w.cfg.Logger.ErrorContext(ctx, "a webhook panicked", "tenant", string(a.Tenant), "connection", a.Connection, "panic", value)
		if count >= maxPanics {
			err = w.bury(ctx, a.Tenant, message, grave{ReasonPanic, err, count})
		}
	}()
	customer, known, err := w.cfg.Tenants.Lookup(ctx, a.Tenant)
	if err != nil {
		return fmt.Errorf("looking up tenant %s: %w", a.Tenant, err)
	}
	if !known {
		return w.bury(ctx, a.Tenant, message, grave{ReasonUnknownTenant, fmt.Errorf("tenant %q is not registered", a.Tenant), count})
	}
	if news, err := w.news(ctx, a); err != nil || !news {
		return err
	}
	decided, revision, fresh, err := w.claim(ctx, a, customer)
	if err != nil || decided.Done {
		return err
	}
	told, err := w.tell(ctx, a, customer, telling{plan: decided, fresh: fresh})
	if err != nil {
		return err
	}
	if err := w.ask(ctx, a, message, asking{plan: decided, told: told, count: count}); err != nil {
		return err
	}
	if err := w.advance(ctx, a, decided); err != nil {
		return err
	}
	decided.Done, decided.Rule = true, nil
	_, err = w.save(ctx, a.key, decided, revision)
	if errors.Is(err, ErrMoved) {
		return nil // another has ended it
	}
	return err
}

// claim finds what was decided of the event, or decides it. Of two who decide at
// one time the first to write is right.
func (w *Worker) claim(ctx context.Context, a arrival, customer tenant.Tenant) (decided plan, revision uint64, fresh bool, err error) {
	for range 3 {
		value, revision, err := w.cfg.Inbox.Load(ctx, a.key)
		if err != nil {
			return plan{}, 0, false, fmt.Errorf("looking for an event: %w", err)
		}
		if revision != 0 {
			if err := json.Unmarshal(value, &decided); err != nil {
				return plan{}, 0, false, fmt.Errorf("reading what was decided of an event: %w", err)
			}
			return decided, revision, false, nil
		}
		decided, err := w.decide(ctx, a, customer)
		if err != nil {
			return plan{}, 0, false, err
		}
		revision, err = w.save(ctx, a.key, decided, 0)
		if errors.Is(err, ErrMoved) {
			continue
		}
		return decided, revision, err == nil, err
	}
	return plan{}, 0, false, fmt.Errorf("deciding an event: %w", ErrMoved)
}

func (w *Worker) save(ctx context.Context, key string, decided plan, revision uint64) (uint64, error) {
	value, err := json.Marshal(decided)
	if err != nil {
		return 0, err
	}
	saved, err := w.cfg.Inbox.Save(ctx, key, value, revision)
	if err != nil {
		return 0, fmt.Errorf("writing down what becomes of an event: %w", err)
	}
	return saved, nil
}

// advance remembers the time of the latest event of the object, and whose it is
// where only its reference told that: its later events may bear none.
func (w *Worker) advance(ctx context.Context, a arrival, decided plan) error {
	at := a.occurred()
	if a.event.Object == "" || at.IsZero() && decided.ToolCall == "" {
		return nil
	}
	return w.objects.amend(ctx, objectKey(a.Tenant, a.Server, a.event.Object), func(held *holder) bool {
		unowned, later := held.Session == "" && decided.ToolCall != "", at.After(held.Latest)
		if unowned {
			held.Session, held.ToolCall = decided.Log, decided.ToolCall
		}
		if later {
			held.Latest = at
		}
		return unowned || later
	})
}

type asking struct {
	plan

	told  []events.Record // the session's, behind what was there when it was decided
	count int
}

// ask publishes the rule's request, unless the log says that it has come.
func (w *Worker) ask(ctx context.Context, a arrival, message events.Message, q asking) error {
	if q.Rule == nil {
		return nil
	}
	for _, record := range q.told {
		if q.Log == q.Session && record.Request == q.Request {
			return nil
		}
	}
	made, err := request(a, q.plan)
	if err != nil {
		// The event has been told; that it causes nothing is somebody's to know.
		return w.bury(ctx, a.Tenant, message, grave{ReasonRuleUnfit, fmt.Errorf("rule %q: %w", q.Rule.Label(), err), q.count})
	}
	_, err = w.cfg.Requests.Publish(ctx, made)
	if err != nil && w.cfg.Full(err) {
		return outcome.RetryAfter(err, fullPause)
	}
	if err != nil {
		return fmt.Errorf("asking for what a webhook causes: %w", err)
	}
	return nil
}

type grave struct {
	reason string
	cause  error
	count  int
}

const maxDetail = 512

func (w *Worker) bury(ctx context.Context, id events.TenantID, message events.Message, why grave) error {
	detail := why.cause.Error()
	err := w.cfg.Cemetery.Bury(ctx, id, events.LetterDied{
		Stream: events.StreamWebhooks, Sequence: message.Sequence, Subject: message.Subject, Reason: why.reason,
		Detail: detail[:min(len(detail), maxDetail)], Header: message.Header, Data: message.Data, Size: len(message.Data), Deliveries: why.count,
	})
	if err != nil {
		return fmt.Errorf("burying a webhook: %w", err)
	}
	w.cfg.Logger.WarnContext(ctx, "a webhook is buried", "tenant", string(id), "reason", why.reason, "sequence", message.Sequence)
	return nil
}

// opening is the first fact of a session that an event opens; a worker writes
// the same.
func opening(customer tenant.Tenant) *events.SessionOpened {
	metadata := map[string]string{"tenant_id": string(customer.ID)}
	maps.Copy(metadata, customer.Metadata)
	return &events.SessionOpened{
		Servers: customer.Servers, Environment: customer.Environment, Routes: customer.Routes.Named(), Metadata: metadata,
	}
}

// fact is the event as the log tells it.
func (a arrival) fact(decided plan) *events.WebhookReceived {
	return &events.WebhookReceived{
		Connection: a.Connection, Server: a.Server, Event: a.event.ID, Kind: a.event.Kind, Fact: a.event.Fact, Object: a.event.Object,
		ToolCall: decided.ToolCall, Status: a.event.Status, OccurredAt: a.event.OccurredAt, Late: decided.Late, Request: decided.Request,
		Unconfirmed: decided.Unconfirmed, Found: a.Found,
	}
}

// entry is an event of a session's log.
func (w *Worker) entry(a arrival, id events.SessionID, last uint64, event events.Event) session.Entry {
	return session.Entry{Last: last, Event: event, Envelope: events.Envelope{
		ID: session.EventID("", event), Source: events.SessionSource(a.Tenant, id), Type: event.EventType(),
		Time: w.cfg.Now(), Tenant: a.Tenant, Session: id,
	}}
}
