package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/http"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
)

// ask publishes a request of a session, which then waits its turn like any
// other. With an idempotency key its id follows from the key, and the session's
// log sees to it that it is served once.
func (g *Gateway) ask(ctx context.Context, caller access.Caller, in view, kind events.Kind, key string, request events.Request) (Pending, error) {
	customer, ok, err := g.cfg.Tenants.Lookup(ctx, in.tenant)
	if err != nil {
		return Pending{}, worded(fmt.Errorf("looking up tenant %s: %w", in.tenant, err))
	}
	if !ok || !caller.Reaches(in.tenant, customer.Environment) {
		return Pending{}, sessionGone()
	}
	pending := Pending{Tenant: in.tenant, Session: in.id, Request: newRequest(in, kind, key)}
	message, err := events.NewRequest(events.RequestParams{
		Tenant: in.tenant, Session: in.id, ID: pending.Request, Kind: kind, Priority: events.PriorityInteractive, Trace: traceOf(ctx),
	}, request)
	if err != nil {
		return Pending{}, worded(err)
	}
	if _, err := g.cfg.Requests.Publish(ctx, message, customer.Backlog); err != nil {
		return Pending{}, worded(fmt.Errorf("publishing a request of session %s: %w", in.id, err))
	}
	return pending, nil
}

func newRequest(in view, kind events.Kind, key string) events.RequestID {
	if key == "" {
		return events.RequestID("req_" + strings.ToLower(rand.Text()))
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{"feira/idempotency/request", string(in.tenant), string(in.id), string(kind), key}, "\n")))
	return events.RequestID("idk_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20])))
}

// sameRequest holds what a session's log says of a request against what this
// client asks under the same idempotency key.
func sameRequest(started *events.TurnStarted, asked events.Request) error {
	same := started.Message == asked.Message
	if started.Call != nil {
		same = started.Call.Tool == asked.Tool && equalJSON(started.Call.Arguments, asked.Arguments)
	}
	if !same {
		return problem(http.StatusConflict, CodeConflict, "the Idempotency-Key was used with another body").at("Idempotency-Key")
	}
	return nil
}

// traceOf is the client's W3C trace context, which the request carries on.
func traceOf(ctx context.Context) string { return exchangeOf(ctx).trace }

// wait hears a request to its end, within the gateway's own patience.
func (g *Gateway) wait(ctx context.Context, pending Pending, after uint64, hear func(Heard) error) error {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Wait)
	defer cancel()
	if err := g.cfg.Waits.Turn(ctx, pending, after, hear); err != nil {
		if ctx.Err() != nil && context.Cause(ctx) == context.DeadlineExceeded { //nolint:errorlint // the cause as it was set
			return problem(http.StatusGatewayTimeout, CodeTimeout,
				"request %s has not ended within %s; it goes on, and may be waited for again", pending.Request, g.cfg.Wait)
		}
		return worded(fmt.Errorf("waiting for request %s: %w", pending.Request, err))
	}
	return nil
}
