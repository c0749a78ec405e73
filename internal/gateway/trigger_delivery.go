package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

type testTriggerOut struct {
	Body struct {
		DeliveryID string `json:"delivery_id" doc:"The webhook-id under which the endpoint is told."`
	}
}

type deliveriesOut struct {
	Body struct {
		Deliveries []TriggerDelivery `json:"deliveries"`
	}
}

type replayIn struct {
	TriggerPath
	Body *struct {
		_          struct{}  `json:"-" additionalProperties:"true"`
		DeliveryID string    `json:"delivery_id,omitempty" maxLength:"64" doc:"One delivery that was given up or delivered, the latter as long as its event is kept. All that was given up where left out."`
		Since      time.Time `json:"since,omitzero" doc:"Instead of one: all that were given up or delivered at this time or later."`
	} `required:"false"`
}

type replayOut struct {
	Body struct {
		Replayed int `json:"replayed"`
	}
}

// NewTriggerDelivery is a delivery by its last attempt.
func NewTriggerDelivery(last events.DeliveryAttempted, attempts int, at time.Time) TriggerDelivery {
	row := TriggerDelivery{
		ID: last.ID, Event: last.Event, Object: last.Object, Status: last.Outcome, Attempts: attempts, DurationMS: last.DurationMS,
		LastAttemptAt: momentOf(at), NextAttemptAt: moment(last.NextAt),
	}
	if last.Status != 0 {
		row.ResponseStatus = &last.Status
	}
	if last.Error != "" {
		row.Error = &last.Error
	}
	return row
}

func (g *Gateway) deliveryRoutes(one func(method, rest, id, summary string, scope access.Scope) endpoint) {
	test := one(http.MethodPost, "/test", "test-trigger", "Have the endpoint told something", access.ScopeTriggersWrite)
	test.status, test.faults = http.StatusAccepted, []int{http.StatusNotFound, http.StatusConflict}
	serve(g, test, g.testTrigger)
	serve(g, one(http.MethodGet, "/deliveries", "list-trigger-deliveries", "List the last deliveries, the newest first", access.ScopeTriggersRead), g.listDeliveries)
	replay := one(http.MethodPost, "/replay", "replay-trigger", "Have the endpoint told again what was given up or delivered", access.ScopeTriggersWrite)
	replay.status, replay.faults = http.StatusAccepted, []int{http.StatusNotFound, http.StatusConflict}
	serve(g, replay, g.replayTrigger)
}

func (g *Gateway) testTrigger(ctx context.Context, caller access.Caller, in *TriggerPath) (*testTriggerOut, error) {
	found, err := g.trigger(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	out := &testTriggerOut{}
	if out.Body.DeliveryID, err = g.cfg.Triggers.Test(ctx, found.Tenant, found.ID); err != nil {
		return nil, unsure(triggerProblem(err), remedyTwice)
	}
	return out, nil
}

func (g *Gateway) listDeliveries(ctx context.Context, caller access.Caller, in *struct {
	TriggerPath
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50"`
},
) (*deliveriesOut, error) {
	found, err := g.trigger(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	out := &deliveriesOut{}
	if out.Body.Deliveries, err = g.cfg.Triggers.Deliveries(ctx, found.Tenant, found.ID, in.Limit); err != nil {
		return nil, worded(triggerProblem(err))
	}
	if out.Body.Deliveries == nil {
		out.Body.Deliveries = []TriggerDelivery{}
	}
	return out, nil
}

func (g *Gateway) replayTrigger(ctx context.Context, caller access.Caller, in *replayIn) (*replayOut, error) {
	found, err := g.trigger(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	what := TriggerReplay{}
	if in.Body != nil {
		what = TriggerReplay{Delivery: in.Body.DeliveryID, Since: in.Body.Since}
	}
	if what.Delivery != "" && !what.Since.IsZero() {
		return nil, problem(http.StatusBadRequest, CodeInvalidRequest, "want delivery_id or since, not both").at("/since")
	}
	out := &replayOut{}
	if out.Body.Replayed, err = g.cfg.Triggers.Replay(ctx, found.Tenant, found.ID, what); err != nil {
		return nil, unsure(triggerProblem(err), remedyTwice)
	}
	return out, nil
}
