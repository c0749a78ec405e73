package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
)

// TriggerRow is a trigger as clients know it: all but its secret.
type TriggerRow struct {
	ID             string         `json:"id"`
	OrgID          string         `json:"org_id"`
	UserID         string         `json:"user_id"`
	Name           string         `json:"name"`
	Event          string         `json:"event"`
	ServerID       *string        `json:"server_id"`
	WebhookURL     string         `json:"webhook_url"`
	Status         trigger.Status `json:"status" enum:"active,paused,stopped"`
	StatusReason   *string        `json:"status_reason" doc:"Why it stopped."`
	SigningEnabled bool           `json:"signing_enabled"`
	CreatedAt      Moment         `json:"created_at"`
	RotatedAt      *Moment        `json:"rotated_at" nullable:"true"`
}

// NewTrigger is a trigger on an occasion on which its secret is shown.
type NewTrigger struct {
	TriggerRow
	Secret string `json:"secret" doc:"Shown now and never again."`
}

// TriggerDelivery is what a trigger was told, or was to be told, as far as it
// was tried.
type TriggerDelivery struct {
	ID             string                 `json:"id" doc:"The webhook-id of every attempt."`
	Event          string                 `json:"event"`
	Object         string                 `json:"object"`
	Status         events.DeliveryOutcome `json:"status" enum:"delivered,failed,dead"`
	Attempts       int                    `json:"attempts" doc:"Those that are remembered."`
	ResponseStatus *int                   `json:"response_status" doc:"The endpoint's last HTTP status; null when it gave none."`
	Error          *string                `json:"error"`
	DurationMS     int64                  `json:"duration_ms"`
	LastAttemptAt  Moment                 `json:"last_attempt_at"`
	NextAttemptAt  *Moment                `json:"next_attempt_at" nullable:"true"`
}

// TriggerDraft is a trigger as a client asks for it.
type TriggerDraft struct {
	Name   string
	Event  string
	Server string
	URL    string
}

// TriggerReplay says what an endpoint is to be told again: one delivery that was
// given up or delivered, or all of those since a time; all that was given up
// where both are empty.
type TriggerReplay struct {
	Delivery string
	Since    time.Time
}

// Triggers keeps the tenants' triggers. Its methods wrap [ErrNoTrigger] where the
// tenant has no such trigger, [ErrTriggerState] where its state does not allow
// what is asked, and [trigger.ErrInvalid].
type Triggers interface {
	Open(ctx context.Context, customer tenant.Tenant, draft TriggerDraft) (made trigger.Trigger, secret string, err error)
	List(ctx context.Context, owner tenant.ID) ([]trigger.Trigger, error)
	Show(ctx context.Context, owner tenant.ID, id events.TriggerID) (trigger.Trigger, error)
	Set(ctx context.Context, owner tenant.ID, id events.TriggerID, status trigger.Status) (trigger.Trigger, error)
	Drop(ctx context.Context, owner tenant.ID, id events.TriggerID) error
	Rotate(ctx context.Context, owner tenant.ID, id events.TriggerID) (changed trigger.Trigger, secret string, err error)
	// Test has the endpoint told something, under the webhook-id that it returns.
	Test(ctx context.Context, owner tenant.ID, id events.TriggerID) (string, error)
	// Deliveries are the last ones, the newest attempts first.
	Deliveries(ctx context.Context, owner tenant.ID, id events.TriggerID, limit int) ([]TriggerDelivery, error)
	// Replay has the endpoint told again, and says how many deliveries that are; it
	// wraps [ErrNoDelivery] where one is named that the trigger has not.
	Replay(ctx context.Context, owner tenant.ID, id events.TriggerID, what TriggerReplay) (int, error)
}

// Errors that [Triggers] wrap.
var (
	ErrNoTrigger    = errors.New("no such trigger")
	ErrNoDelivery   = errors.New("no such delivery")
	ErrTriggerState = errors.New("the trigger's state does not allow that")
)

type createTriggerIn struct {
	Body struct {
		_          struct{} `json:"-" additionalProperties:"true"`
		Name       string   `json:"name" minLength:"1" maxLength:"128"`
		Event      string   `json:"event" minLength:"1" maxLength:"130" doc:"What is told: a name as payment.confirmed, \"payment.*\" or \"*\"."`
		WebhookURL string   `json:"webhook_url" minLength:"1" maxLength:"2048" doc:"An https address that anybody can reach."`
		ServerID   string   `json:"server_id,omitempty" maxLength:"64" doc:"Leaves in only what this server did."`
		UserID     string   `json:"user_id,omitempty" maxLength:"128" doc:"The tenant; a tenant's own key needs none."`
	}
}

// TriggerPath is the part of a path that names a trigger.
type TriggerPath struct {
	ID string `path:"id" maxLength:"64"`
}

type newTriggerOut struct{ Body NewTrigger }

type triggerOut struct{ Body TriggerRow }

type triggersOut struct {
	Body struct {
		Triggers []TriggerRow `json:"triggers"`
	}
}

func (g *Gateway) triggerRoutes() {
	const group = "triggers"
	missing := []int{http.StatusNotFound}
	one := func(method, rest, id, summary string, scope access.Scope) endpoint {
		return endpoint{method: method, path: "/v1/triggers/{id}" + rest, id: id, group: group, summary: summary, scope: scope, faults: missing}
	}
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/triggers", id: "create-trigger", group: group, status: http.StatusCreated,
		summary: "Have an endpoint told what a tenant's agents do", scope: access.ScopeTriggersWrite, faults: missing,
	}, g.createTrigger)
	serve(g, endpoint{
		method: http.MethodGet, path: "/v1/triggers", id: "list-triggers", group: group, summary: "List a tenant's triggers",
		scope: access.ScopeTriggersRead, faults: missing,
	}, g.listTriggers)
	serve(g, one(http.MethodGet, "", "get-trigger", "Show a trigger", access.ScopeTriggersRead), g.getTrigger)
	serve(g, one(http.MethodDelete, "", "delete-trigger", "Delete a trigger with all that waits for it", access.ScopeTriggersWrite), g.deleteTrigger)
	serve(g, one(http.MethodPost, "/pause", "pause-trigger", "Hold what a trigger is to be told", access.ScopeTriggersWrite), g.setTrigger(trigger.StatusPaused))
	serve(g, one(http.MethodPost, "/resume", "resume-trigger", "Let a trigger tell again", access.ScopeTriggersWrite), g.setTrigger(trigger.StatusActive))
	serve(g, one(http.MethodPost, "/rotate-secret", "rotate-trigger-secret", "Make a new secret; the old one signs beside it for a day", access.ScopeTriggersWrite), g.rotateTrigger)
	g.deliveryRoutes(one)
}

func (g *Gateway) createTrigger(ctx context.Context, caller access.Caller, in *createTriggerIn) (*newTriggerOut, error) {
	customer, err := g.customer(ctx, caller, in.Body.UserID)
	if err != nil {
		return nil, err
	}
	made, secret, err := g.cfg.Triggers.Open(ctx, customer, TriggerDraft{
		Name: in.Body.Name, Event: in.Body.Event, Server: in.Body.ServerID, URL: in.Body.WebhookURL,
	})
	if err != nil {
		return nil, unsure(triggerProblem(err), remedyTriggers)
	}
	return &newTriggerOut{Body: NewTrigger{TriggerRow: triggerRow(made), Secret: secret}}, nil
}

func (g *Gateway) listTriggers(ctx context.Context, caller access.Caller, in *struct {
	UserID string `query:"user_id" maxLength:"128" doc:"The tenant; a tenant's own key needs none."`
},
) (*triggersOut, error) {
	customer, err := g.customerOf(ctx, caller, in.UserID)
	if err != nil {
		return nil, err
	}
	all, err := g.cfg.Triggers.List(ctx, customer.ID)
	if err != nil {
		return nil, worded(err)
	}
	out := &triggersOut{}
	out.Body.Triggers = make([]TriggerRow, len(all))
	for i, one := range all {
		out.Body.Triggers[i] = triggerRow(one)
	}
	return out, nil
}

func (g *Gateway) getTrigger(ctx context.Context, caller access.Caller, in *TriggerPath) (*triggerOut, error) {
	found, err := g.trigger(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	return &triggerOut{Body: triggerRow(found)}, nil
}

func (g *Gateway) deleteTrigger(ctx context.Context, caller access.Caller, in *TriggerPath) (*triggerOut, error) {
	found, err := g.trigger(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	if err := g.cfg.Triggers.Drop(ctx, found.Tenant, found.ID); err != nil {
		return nil, unsure(triggerProblem(err), remedyAgain)
	}
	return &triggerOut{Body: triggerRow(found)}, nil
}

func (g *Gateway) setTrigger(status trigger.Status) handler[TriggerPath, triggerOut] {
	return func(ctx context.Context, caller access.Caller, in *TriggerPath) (*triggerOut, error) {
		found, err := g.trigger(ctx, caller, in.ID)
		if err != nil {
			return nil, err
		}
		changed, err := g.cfg.Triggers.Set(ctx, found.Tenant, found.ID, status)
		if err != nil {
			return nil, unsure(triggerProblem(err), remedyAgain)
		}
		return &triggerOut{Body: triggerRow(changed)}, nil
	}
}

func (g *Gateway) rotateTrigger(ctx context.Context, caller access.Caller, in *TriggerPath) (*newTriggerOut, error) {
	found, err := g.trigger(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	changed, secret, err := g.cfg.Triggers.Rotate(ctx, found.Tenant, found.ID)
	if err != nil {
		return nil, unsure(triggerProblem(err), remedyRotation)
	}
	return &newTriggerOut{Body: NewTrigger{TriggerRow: triggerRow(changed), Secret: secret}}, nil
}

// trigger finds a trigger of a tenant that the caller reaches.
func (g *Gateway) trigger(ctx context.Context, caller access.Caller, text string) (trigger.Trigger, error) {
	missing := problem(http.StatusNotFound, CodeNotFound, "there is no such trigger")
	id, err := events.ParseTriggerID(text)
	if err != nil {
		return trigger.Trigger{}, missing
	}
	owners := []tenant.ID{caller.Key().Tenant}
	if caller.Platform() {
		tag, ok := events.TriggerTag(id)
		if !ok {
			return trigger.Trigger{}, missing
		}
		if owners, err = g.cfg.Tenants.Tagged(ctx, tag); err != nil {
			return trigger.Trigger{}, worded(err)
		}
	}
	for _, owner := range owners {
		customer, ok, err := g.cfg.Tenants.Lookup(ctx, owner)
		if err != nil {
			return trigger.Trigger{}, worded(err)
		}
		if !ok || !caller.Reaches(owner, customer.Environment) {
			continue
		}
		found, err := g.cfg.Triggers.Show(ctx, owner, id)
		if err == nil {
			return found, nil
		}
		if !errors.Is(err, ErrNoTrigger) {
			return trigger.Trigger{}, worded(err)
		}
	}
	return trigger.Trigger{}, missing
}

// triggerProblem words what is wrong with a trigger; other errors of the desk's
// stay as they are.
func triggerProblem(err error) error {
	switch {
	case errors.Is(err, ErrNoTrigger):
		return problem(http.StatusNotFound, CodeNotFound, "there is no such trigger")
	case errors.Is(err, ErrNoDelivery):
		return problem(http.StatusNotFound, CodeNotFound, "the trigger has no such delivery, or none that is remembered").at("/delivery_id")
	case errors.Is(err, ErrTriggerState):
		return problem(http.StatusConflict, CodeConflict, "the trigger is not active; resume it first")
	case errors.Is(err, trigger.ErrInvalid):
		return problem(http.StatusBadRequest, CodeInvalidRequest, "%s", err.Error())
	}
	return err
}

func triggerRow(of trigger.Trigger) TriggerRow {
	row := TriggerRow{
		ID: string(of.ID), OrgID: orgID, UserID: string(of.Tenant), Name: of.Name, Event: of.Event, WebhookURL: of.URL, Status: of.Status,
		SigningEnabled: true, CreatedAt: momentOf(of.CreatedAt), RotatedAt: moment(of.RotatedAt),
	}
	if of.Server != "" {
		row.ServerID = &of.Server
	}
	if of.Reason != "" {
		row.StatusReason = &of.Reason
	}
	return row
}
