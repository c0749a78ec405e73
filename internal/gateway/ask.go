package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/gateway/waits"
)

// errand is what a client asks of a session.
type errand struct {
	session view
	kind    events.Kind
	// key is the client's idempotency key; empty for none.
	key string
	// caller is whose key it is: one caller's do not meet another's.
	caller access.ID
	// name is the request's own; empty for one that is drawn, or that follows
	// from the key.
	name    events.RequestID
	request events.Request
}

// ask publishes a request of a session, which then waits its turn like any
// other. When the client leaves before the broker has answered, the request may
// lie in the queue all the same: beside the error there is what it would be. With an idempotency key its id follows from the key, and the session's
// log sees to it that it is served once.
func (g *Gateway) ask(ctx context.Context, caller access.Caller, what errand) (Pending, error) {
	in := what.session
	customer, ok, err := g.cfg.Tenants.Lookup(ctx, in.tenant)
	if err != nil {
		return Pending{}, worded(fmt.Errorf("looking up tenant %s: %w", in.tenant, err))
	}
	if !ok || !caller.Reaches(in.tenant, customer.Environment) {
		return Pending{}, sessionGone()
	}
	what.caller = caller.Key().ID
	pending := Pending{Tenant: in.tenant, Session: in.id, Request: what.id()}
	if what.key != "" {
		if err := g.clash(ctx, pending, what.request); err != nil {
			return Pending{}, err
		}
	}
	message, err := events.NewRequest(events.RequestParams{
		Tenant: in.tenant, Session: in.id, ID: pending.Request, Kind: what.kind, Priority: events.PriorityInteractive, Trace: traceOf(ctx),
	}, what.request)
	if err != nil {
		return Pending{}, worded(err)
	}
	sequence, err := g.cfg.Requests.Publish(ctx, message, customer.Backlog)
	if err != nil {
		return pending, unsure(fmt.Errorf("publishing a request of session %s: %w", in.id, err), remedyRequest(pending))
	}
	if what.key == "" && what.name == "" {
		pending.Sequence = sequence
	}
	return pending, nil
}

// id names the request.
func (e errand) id() events.RequestID {
	if e.name != "" {
		return e.name
	}
	if e.key == "" {
		return events.RequestID("req_" + strings.ToLower(rand.Text()))
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{"feira/idempotency/request", string(e.session.tenant), string(e.session.id), string(e.caller), string(e.kind), e.key}, "\n")))
	return events.RequestID("idk_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20])))
}

// sameRequest holds what a session's log says of a request against what this
// client asks under the same idempotency key.
func sameRequest(item waits.Item, asked events.Request) error {
	if item.Record == nil {
		return nil
	}
	started, ok := item.Record.Event.(*events.TurnStarted)
	if !ok || started.Attempt > 1 {
		return nil
	}
	same := started.Message == asked.Message
	if started.Call != nil {
		same = started.Call.Tool == asked.Tool && equalJSON(started.Call.Arguments, asked.Arguments)
	}
	if !same {
		return keyConflict()
	}
	return nil
}

// clash looks in the session's log for another request under the same key, so
// that a client hears of it before a stream begins. One that has not started yet
// is seen when it does.
func (g *Gateway) clash(ctx context.Context, pending Pending, asked events.Request) error {
	records, err := g.cfg.Log.Read(ctx, pending.Tenant, pending.Session, 0)
	if err != nil {
		return worded(err)
	}
	for _, record := range records {
		if record.Request == pending.Request {
			if err := sameRequest(waits.Item{Record: &record}, asked); err != nil {
				return err
			}
		}
	}
	return nil
}

// traceOf is the client's W3C trace context, which the request carries on.
func traceOf(ctx context.Context) string { return exchangeOf(ctx).trace }

// wait hears a request to its end, within the gateway's own patience: each fact
// of it that is new to the client, with what is known of the request by then.
func (g *Gateway) wait(ctx context.Context, params waits.TurnParams, hear func(waits.Item, waits.Outcome) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.cfg.Wait, errPatience)
	defer cancel()
	turn, err := g.cfg.Waits.Turn(ctx, params)
	if err != nil {
		return g.impatient(ctx, params, err)
	}
	defer turn.Close()
	for {
		item, err := turn.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return g.impatient(ctx, params, err)
		}
		if err := hear(item, turn.Outcome()); err != nil {
			return err
		}
	}
}

var errPatience = errors.New("the gateway has waited long enough")

func (g *Gateway) impatient(ctx context.Context, params waits.TurnParams, err error) error {
	if errors.Is(context.Cause(ctx), errPatience) {
		return problem(http.StatusGatewayTimeout, CodeTimeout,
			"request %s has not ended within %s; it goes on, and may be waited for again", params.Request, g.cfg.Wait)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("waiting for request %s: %w", params.Request, err)
	}
	g.cfg.Logger.WarnContext(ctx, "a request cannot be heard", "request_id", requestID(ctx), "request", string(params.Request), "error", err)
	return unheard(Pending{Tenant: params.Tenant, Session: params.Session, Request: params.Request})
}

// await hears a request of this client's to its end, and holds it against what
// the client asked: under an idempotency key it may be an earlier one.
func (g *Gateway) await(ctx context.Context, pending Pending, from waits.From, asked events.Request) (waits.Outcome, error) {
	var last waits.Outcome
	params := waits.TurnParams{Tenant: pending.Tenant, Session: pending.Session, Request: pending.Request, From: from}
	err := g.wait(ctx, params, func(item waits.Item, known waits.Outcome) error {
		last = known
		return sameRequest(item, asked)
	})
	return last, err
}
