package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/outcome"
)

// cancelTime is how long a gateway waits for a request to end as cancelled.
const cancelTime = 15 * time.Second

// ErrNotPending occurs when the request to cancel neither waits nor runs.
var ErrNotPending = errors.New("the request neither waits nor runs")

// ErrOrdered occurs when the order to end is given, and the request has not
// ended yet: its worker ends it, or the next one.
var ErrOrdered = errors.New("the order is given, and the request has not ended yet")

// Canceller ends requests. Implementations are safe for concurrent use.
type Canceller interface {
	// Cancel ends a request as cancelled and tells how it has ended, which may be
	// another way that came first. It fails with an error that wraps
	// [ErrNotPending] when there is nothing to end, and with [ErrOrdered] when ctx
	// ends before the request has. With a sequence of 0 the request is looked for.
	Cancel(ctx context.Context, head events.RequestHead, reason string) (events.TurnStatus, error)
}

// statusCancelling is told of a request that has not ended yet.
const statusCancelling events.TurnStatus = "cancelling"

// Leave is what becomes of a turn whose client has left.
type Leave string

// The turn of a client that left goes on, unless the client has said otherwise.
const (
	LeaveGoOn   Leave = "continue"
	LeaveCancel Leave = "cancel"
)

type cancelIn struct {
	SessionPath
	Request string `path:"request" doc:"The request's id, from the header X-Feira-Request."`
	Body    *struct {
		_      struct{} `json:"-" additionalProperties:"true"`
		Reason string   `json:"reason,omitempty" maxLength:"256" doc:"A sentence for people, kept with the ending."`
	}
}

type cancelOut struct {
	Body struct {
		Request string `json:"request_id"`
		Status  string `json:"status" doc:"How the request has ended: cancelled, unless another ending came first; cancelling where it has not ended yet."`
	}
}

func (g *Gateway) cancelRoutes() {
	serve(g, endpoint{
		method: http.MethodPost, path: "/v1/sessions/{id}/requests/{request}/cancel", id: "cancel-request", group: "sessions",
		summary: "End a request that waits or runs; what was sent to a provider is written down first",
		scope:   access.ScopeToolsExecute, faults: []int{http.StatusNotFound},
	}, g.cancelRequest)
}

func (g *Gateway) cancelRequest(ctx context.Context, caller access.Caller, in *cancelIn) (*cancelOut, error) {
	found, err := g.session(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	gone := problem(http.StatusNotFound, CodeNotFound, "the request neither waits nor runs")
	id, err := events.ParseRequestID(in.Request)
	if err != nil {
		return nil, gone
	}
	ctx, cancel := context.WithTimeout(ctx, cancelTime)
	defer cancel()
	var reason string
	if in.Body != nil {
		reason = in.Body.Reason
	}
	status, err := g.cfg.Canceller.Cancel(ctx, events.RequestHead{Tenant: found.tenant, Session: found.id, ID: id}, reason)
	switch {
	case errors.Is(err, ErrNotPending):
		return nil, gone
	case errors.Is(err, ErrOrdered):
		status = statusCancelling
	case err != nil:
		return nil, unsure(err, remedyAgain)
	}
	out := &cancelOut{}
	out.Body.Request, out.Body.Status = string(id), string(status)
	return out, nil
}

// abandon cancels the request of a client that has left and asked for that. A
// gateway that stops has not been left: its clients resume elsewhere.
func (g *Gateway) abandon(ctx context.Context, pending Pending, leave Leave) {
	if leave != LeaveCancel || pending.Request == "" || ctx.Err() == nil || errors.Is(context.Cause(ctx), outcome.ErrStopping) {
		return
	}
	cancelling, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	head := events.RequestHead{Tenant: pending.Tenant, Session: pending.Session, ID: pending.Request, Sequence: pending.Sequence, Kind: events.KindTurn}
	if _, err := g.cfg.Canceller.Cancel(cancelling, head, "the client has left"); err != nil && !errors.Is(err, ErrNotPending) {
		g.cfg.Logger.WarnContext(cancelling, "a client left, and its request could not be cancelled",
			slog.String("request", string(pending.Request)), slog.Any("error", err))
	}
}
